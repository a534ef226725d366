import json
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.toy import toy_example, toy_examples
from trainer.errors import DatasetError
from trainer.fitting.training_file import read_training_file
from trainer.texts.dataset import count_labels, group_weights, read_jsonl


def write(path, *records):
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(params=[read_jsonl, read_training_file])
def read(request):
    """Both readers, the light one and that of a training."""
    return request.param


@pytest.fixture
def file(tmp_path):
    return tmp_path / "train [1].jsonl"


def test_reads_what_the_workbench_writes(read, file):
    record = {"text": "去死", "label": "violation", "id": "p1", "group": "g1", "split": "pool", "weight": 0.5}
    (example,) = read(write(file, record | {"annotators": ["a"], "round": 3}))
    assert (example.id, example.text, example.group, example.weight) == ("p1", "去死", "g1", 0.5)
    assert (example.label, example.target) == ("violation", (0.0, 0.0, 1.0))


def test_text_and_label_are_enough(read, file):
    (example,) = read(write(file, "", {"text": "x", "label": "normal"}))
    assert (example.id, example.group, example.weight) == ("2", "2", 1.0)


def test_a_decided_label_is_no_soft_target(read, file):
    record = {"text": "x", "label": "normal", "labels": {"violation": 3, "normal": 1}, "resolved_by": 7}
    (example,) = read(write(file, record))
    assert (example.label, example.target) == ("normal", (1.0, 0.0, 0.0))


def test_several_votes_make_a_soft_target(read, file):
    record = {"text": "x", "label": "violation", "labels": {"violation": 3, "normal": 1}}
    (example,) = read(write(file, record))
    assert example.target == (0.25, 0.0, 0.75)


def test_one_vote_makes_a_hard_target(read, file):
    (example,) = read(write(file, {"text": "x", "label": "normal", "labels": {"normal": 1}}))
    assert example.target == (1.0, 0.0, 0.0)


def test_a_text_that_looks_like_a_date_and_half_a_character_stay_text(read, file):
    lines = [{"text": "2024-01-01", "label": "normal"}, {"text": "\ud800", "label": "normal"}]
    assert [example.text for example in read(write(file, *lines))] == ["2024-01-01", "\ud800"]


def test_an_empty_file_has_no_examples(read, file):
    assert read(write(file)) == []


def test_a_byte_order_mark_is_no_text(read, file):
    file.write_bytes(b'\xef\xbb\xbf{"text": "x", "label": "normal", "id": "a"}\r\n\r\n')
    assert [example.id for example in read(file)] == ["a"]


def test_line_separators_inside_a_text_do_not_cut_it(read, file):
    line = json.dumps({"text": "a\u2028b\x85c", "label": "normal"}, ensure_ascii=False)
    assert read(write(file, line))[0].text == "a\u2028b\x85c"


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
def test_a_bad_line_is_named(read, file, record, message):
    with pytest.raises(DatasetError, match=message) as error:
        read(write(file, {"text": "fine", "label": "normal"}, record))
    assert f"{file}, line 2" in str(error.value)


def test_a_file_that_is_not_there_or_cannot_be_decoded_is_named(read, tmp_path):
    with pytest.raises(DatasetError, match="cannot be read"):
        read(tmp_path / "nowhere.jsonl")
    path = tmp_path / "odd.jsonl"
    path.write_bytes(b'{"text": "\xff\xff", "label": "violation"}')
    with pytest.raises(DatasetError, match="neither UTF-8 nor GB18030: byte 10"):
        read(path)


def test_a_file_in_gb18030_is_read(read, file):
    file.write_bytes('{"text": "违规", "label": "violation"}'.encode("gb18030"))
    assert [example.text for example in read(file)] == ["违规"]


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
def test_a_chance_that_is_none_is_refused(read, tmp_path, wrong):
    file = tmp_path / "test.jsonl"
    file.write_text(
        json.dumps({"text": "a", "label": "normal", "inclusion_probability": wrong}), encoding="utf-8"
    )
    with pytest.raises(DatasetError, match="line 1: `inclusion_probability` must be above 0"):
        read(file)
