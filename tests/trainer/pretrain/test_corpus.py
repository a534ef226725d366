"""Reading text, and leaving out what a model is tested on."""

import gzip
import lzma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.duplicates import normalise
from trainer.pretrain.corpus import WINDOW, Corpus, drop_shared, kept_lines, read_corpus, read_excluded


def corpus_of(*segments: list[int]) -> Corpus:
    ends = np.cumsum([len(segment) for segment in segments])
    ids = np.array([number for segment in segments for number in segment], dtype=np.uint16)
    starts = ends - [len(segment) for segment in segments]
    zeros = np.zeros(len(segments), dtype=np.int64)
    return Corpus(ids, starts, ends, zeros, zeros.astype(bool), 5000)


def segments_of(corpus: Corpus) -> list[list[int]]:
    return [corpus.ids[a:b].tolist() for a, b in zip(corpus.starts, corpus.ends, strict=True)]


@pytest.mark.parametrize(("name", "opener"), [("a.txt", open), ("a.txt.gz", gzip.open), ("a.xz", lzma.open)])
def test_reads_plain_and_compressed_text_without_blank_lines(tmp_path, name, opener):
    with opener(tmp_path / name, "wt", encoding="utf-8") as file:
        file.write("第一行\n\n  第二行 \n")
    assert list(read_corpus(tmp_path / name)) == ["第一行", "第二行"]


def test_excluded_texts_are_dropped_whatever_their_width_case_and_spacing(tmp_path):
    corpus, labelled = tmp_path / "corpus.txt", tmp_path / "test.tsv"
    corpus.write_text("今天 天气ＡＢＣ\n留下的一行\n", encoding="utf-8")
    labelled.write_text("id\ttext\tlabel\n1\t今天天气abc\tnormal\n", encoding="utf-8")
    excluded = frozenset(map(normalise, read_excluded([labelled])))
    assert list(kept_lines(corpus, excluded)) == ["留下的一行"]


def test_excluded_texts_reach_neither_the_vocabulary_nor_the_ids(make_run, corpus, tmp_path):
    corpus.write_text("饕餮盛宴\n" + corpus.read_text(encoding="utf-8"), encoding="utf-8")
    labelled = tmp_path / "test.tsv"
    labelled.write_text("text\n饕餮盛宴\n", encoding="utf-8")
    whole, without = make_run().text, make_run(exclude=(str(labelled),)).text
    assert "饕" in "".join(whole.tokenizer.get_vocab())
    assert "饕" not in "".join(without.tokenizer.get_vocab())
    assert len(whole.corpus.starts) == len(without.corpus.starts) + 1


def test_nothing_to_leave_out_leaves_everything():
    corpus = corpus_of([5, 6, 7])
    assert drop_shared(corpus, []) is corpus
    assert drop_shared(corpus, [np.array([5, 6, 7], dtype=np.uint16)]) is corpus


numbers = st.lists(st.integers(5, 40), max_size=3 * WINDOW)


@given(st.lists(numbers.filter(bool), min_size=1, max_size=8), st.lists(numbers, max_size=4))
def test_what_is_left_shares_no_window_with_a_text_and_nothing_else_is_lost(segments, texts):
    def windows(ids: list[int]) -> set[tuple[int, ...]]:
        return {tuple(ids[at : at + WINDOW]) for at in range(len(ids) - WINDOW + 1)}

    # half the texts are copied from the corpus: chance alone would never share a window
    texts = [*texts, *segments[: len(segments) // 2]]
    known = set().union(*map(windows, texts))
    found = drop_shared(corpus_of(*segments), [np.array(text, dtype=np.uint16) for text in texts])
    assert segments_of(found) == [segment for segment in segments if not windows(segment) & known]
