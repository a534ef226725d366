import json
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.toy import toy_example, toy_examples
from trainer.errors import DatasetError
from trainer.texts.dataset import count_labels, group_weights, read_jsonl, training_batches


def write(path, *records):
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path):
    return tmp_path / "train.jsonl"


def test_reads_what_the_workbench_writes(file):
    record = {"text": "去死", "label": "violation", "id": "p1", "group": "g1", "split": "pool", "weight": 0.5}
    (example,) = read_jsonl(write(file, record | {"annotators": ["a"], "round": 3}))
    assert (example.id, example.text, example.group, example.weight) == ("p1", "去死", "g1", 0.5)
    assert (example.label, example.target) == ("violation", (0.0, 0.0, 1.0))


def test_text_and_label_are_enough(file):
    (example,) = read_jsonl(write(file, "", {"text": "x", "label": "normal"}))
    assert (example.id, example.group, example.weight) == ("2", "2", 1.0)


def test_a_decided_label_is_no_soft_target(file):
    record = {"text": "x", "label": "normal", "labels": {"violation": 3, "normal": 1}, "resolved_by": 7}
    (example,) = read_jsonl(write(file, record))
    assert (example.label, example.target) == ("normal", (1.0, 0.0, 0.0))


def test_several_votes_make_a_soft_target(file):
    record = {"text": "x", "label": "violation", "labels": {"violation": 3, "normal": 1}}
    (example,) = read_jsonl(write(file, record))
    assert example.target == (0.25, 0.0, 0.75)


def test_one_vote_makes_a_hard_target(file):
    (example,) = read_jsonl(write(file, {"text": "x", "label": "normal", "labels": {"normal": 1}}))
    assert example.target == (1.0, 0.0, 0.0)


def test_line_separators_inside_a_text_do_not_cut_it(file):
    line = json.dumps({"text": "a\u2028b\x85c", "label": "normal"}, ensure_ascii=False)
    assert read_jsonl(write(file, line))[0].text == "a\u2028b\x85c"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ('{"text": "x"', "not JSON"),
        ('["x"]', "expected an object, found list"),
        ({"label": "normal"}, "`text` is missing"),
        ({"text": "  ", "label": "normal"}, "`text` is missing"),
        ({"text": "x"}, "`label` is missing"),
        ({"text": "x", "label": None}, "`label` is missing"),
        ({"text": "x", "label": "compliant"}, "unknown label 'compliant'; known are normal, suspicious"),
        ({"text": "x", "label": 0}, "unknown label 0"),
        ({"text": "x", "label": ["normal"]}, "unknown label"),
        ({"text": "x", "label": "normal", "labels": {"spam": 2}}, "unknown label 'spam'"),
        ({"text": "x", "label": "normal", "labels": {"normal": -2}}, "`labels` must be counts"),
        ({"text": "x", "label": "normal", "labels": ["normal"]}, "`labels` must be counts"),
        ({"text": "x", "label": "normal", "weight": 0}, "`weight` must be"),
        ({"text": "x", "label": "normal", "weight": "1"}, "`weight` must be"),
    ],
)
def test_a_bad_line_is_named(file, record, message):
    with pytest.raises(DatasetError, match=message) as error:
        read_jsonl(write(file, {"text": "fine", "label": "normal"}, record))
    assert f"{file}, line 2" in str(error.value)


def test_a_file_that_is_not_there_or_not_utf8_is_named(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read"):
        read_jsonl(tmp_path / "nowhere.jsonl")
    path = tmp_path / "gb.jsonl"
    path.write_bytes('{"text": "违规", "label": "violation"}'.encode("gb18030"))
    with pytest.raises(DatasetError, match="not UTF-8"):
        read_jsonl(path)


def test_copies_share_one_weight():
    one, two, three = (replace(row, group="g") for row in toy_examples(3, 0))
    alone = replace(one, group="other", weight=2.0)
    np.testing.assert_allclose(group_weights([one, two, three, alone]), [1 / 3, 1 / 3, 1 / 3, 2])


@given(st.lists(st.tuples(st.floats(0.01, 1), st.sampled_from("abc")), min_size=1, max_size=20))
def test_sharing_a_weight_twice_changes_nothing(drawn):
    (plain,) = toy_examples(1, 0)
    examples = [replace(plain, weight=weight, group=group) for weight, group in drawn]
    once = group_weights(examples)
    shared = [replace(row, weight=weight) for row, weight in zip(examples, once, strict=True)]
    assert np.all(once <= [row.weight for row in examples])
    np.testing.assert_allclose(group_weights(shared), once)


def test_labels_are_counted_by_name():
    assert count_labels(toy_examples(4, 0)) == {"normal": 2, "suspicious": 1, "violation": 1}


lengths = st.lists(st.integers(1, 40), min_size=1, max_size=200)


@given(lengths, st.integers(1, 32), st.integers(0, 5))
def test_an_epoch_visits_every_example_once(sizes, batch_size, seed):
    batches = training_batches(sizes, batch_size, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(sizes)))
    assert max(len(batch) for batch in batches) <= batch_size


def test_an_epoch_hardly_pads_and_follows_its_generator(rng):
    sizes = rng.integers(3, 128, size=800).tolist()
    batches = training_batches(sizes, 16, np.random.default_rng(1))
    padded = sum(max(sizes[row] for row in batch) * len(batch) for batch in batches)
    assert padded < 1.05 * sum(sizes)
    again = training_batches(sizes, 16, np.random.default_rng(1))
    assert all((one == two).all() for one, two in zip(batches, again, strict=True))
    other = training_batches(sizes, 16, np.random.default_rng(2))
    assert any(len(one) != len(two) or (one != two).any() for one, two in zip(batches, other, strict=True))


def test_a_row_counts_for_as_many_as_it_stands_for_and_the_sum_stays():
    drawn = [
        replace(toy_example(str(at), "normal", random.Random(at)), inclusion=chance)
        for at, chance in enumerate((0.5, 0.5, 0.1))
    ]
    weights = group_weights(drawn)
    assert weights.sum() == pytest.approx(3)
    assert weights[2] == pytest.approx(5 * weights[0])
    assert group_weights([]).tolist() == []


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "often", True])
def test_a_chance_that_is_none_is_refused(tmp_path, wrong):
    file = tmp_path / "test.jsonl"
    file.write_text(
        json.dumps({"text": "a", "label": "normal", "inclusion_probability": wrong}), encoding="utf-8"
    )
    with pytest.raises(DatasetError, match="line 1: `inclusion_probability` must be above 0"):
        read_jsonl(file)
