import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from trainer.texts.tokens import Tokens, read_tokens, select, tokenise, write_tokens

texts_of_ids = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=9), min_size=1, max_size=25)


def ids_of(tokens: Tokens) -> list[list[int]]:
    rows = (tokens.padded(np.array([at]), 0)[0][0].tolist() for at in range(len(tokens)))
    return list(rows)


def test_texts_become_ids_cut_at_the_longest(tiny_base):
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    texts = ["ab", "a b " * 50, "a\ud800b"]
    tokens = tokenise(tokenizer, iter(texts), max_length=8)
    assert tokens.values[0].dtype == np.uint16
    assert tokens.lengths[1] == 8
    assert ids_of(tokens)[0] == tokenizer("ab")["input_ids"]
    assert len(tokenise(tokenizer, [], max_length=8)) == 0


@given(texts_of_ids, st.data())
def test_a_batch_is_padded_and_masked_wherever_its_texts_lie(texts, data):
    cut = data.draw(st.integers(0, len(texts)))
    tokens = Tokens.joined([Tokens.of(texts[:cut], np.uint16), Tokens.of(texts[cut:], np.uint16)])
    chosen = data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=9))
    ids, mask = tokens.padded(np.array(chosen), pad_id=77)
    longest = max(len(texts[at]) for at in chosen)
    assert ids.tolist() == [texts[at] + [77] * (longest - len(texts[at])) for at in chosen]
    if mask is None:
        assert {len(texts[at]) for at in chosen} == {longest}
    else:
        assert mask.sum(axis=1).tolist() == [len(texts[at]) for at in chosen]


@given(texts_of_ids)
def test_distinct_texts_come_longest_first_whatever_the_order(texts):
    tokens = Tokens.of(texts)
    order, which = tokens.distinct(np.arange(len(texts)))
    assert [texts[order[at]] for at in which] == texts
    assert len(order) == len(set(map(tuple, texts)))
    lengths = tokens.lengths[order].tolist()
    assert lengths == sorted(lengths, reverse=True)
    turned = Tokens.of(texts[::-1])
    assert [texts[::-1][at] for at in turned.distinct(np.arange(len(texts)))[0]] == [
        texts[at] for at in order
    ]


def test_ids_of_another_type_are_the_same_text():
    one, other = Tokens.of([[1, 2]], np.uint16), Tokens.of([[1, 2]], np.uint32)
    np.testing.assert_array_equal(one.digests, other.digests)


@given(texts_of_ids, st.integers(1, 60))
def test_batches_keep_to_their_budget(texts, budget):
    tokens = Tokens.of(texts)
    order, _which = tokens.distinct(np.arange(len(texts)))
    batches = list(tokens.batches(order, budget))
    assert np.concatenate(batches).tolist() == order.tolist()
    assert all(len(batch) == 1 or len(batch) * tokens.lengths[batch].max() <= budget for batch in batches)


@given(texts_of_ids, st.data())
def test_a_file_says_what_was_written(tmp_path_factory, texts, data):
    file = tmp_path_factory.mktemp("tokens") / "posts.arrow"
    post_ids = np.arange(len(texts)) * 3 + 1
    write_tokens(file, post_ids, Tokens.of(texts, np.uint16))
    known, tokens = read_tokens(file)
    assert known.tolist() == post_ids.tolist()
    assert tokens.values[0].dtype == np.uint16
    assert ids_of(tokens) == texts
    np.testing.assert_array_equal(tokens.digests, Tokens.of(texts).digests)
    some = data.draw(st.lists(st.integers(0, len(texts) - 1), unique=True))
    assert ids_of(select(tokens, np.array(some, dtype=np.int64))) == [texts[at] for at in some]


@pytest.mark.parametrize("count", [0, 1])
def test_few_texts_are_written_too(tmp_path, count):
    write_tokens(tmp_path / "posts.arrow", np.arange(count), Tokens.of([[5, 6]] * count, np.uint16))
    known, tokens = read_tokens(tmp_path / "posts.arrow")
    assert (len(known), len(tokens)) == (count, count)
