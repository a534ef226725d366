"""Reading text and storing it as ids."""

import gzip
import lzma

import numpy as np
import pytest

from tests.trainer.pretrain.conftest import make_lines
from trainer.pretrain.config import PretrainConfig
from trainer.pretrain.corpus import Corpus, encode_corpus, is_held_out, read_corpus
from trainer.pretrain.vocabulary import build_tokenizer, choose_tokens, count_words


def corpus_of(*segments: list[int]) -> Corpus:
    ends = np.cumsum([len(segment) for segment in segments])
    ids = np.array([number for segment in segments for number in segment], dtype=np.uint16)
    starts = ends - [len(segment) for segment in segments]
    zeros = np.zeros(len(segments), dtype=np.int64)
    return Corpus(ids, starts, ends, zeros, zeros.astype(bool), 5000)


@pytest.mark.parametrize(("name", "opener"), [("a.txt", open), ("a.txt.gz", gzip.open), ("a.xz", lzma.open)])
def test_reads_plain_and_compressed_text_without_blank_lines(tmp_path, name, opener):
    with opener(tmp_path / name, "wt", encoding="utf-8") as file:
        file.write("第一行\n\n  第二行 \n")
    assert list(read_corpus(tmp_path / name)) == ["第一行", "第二行"]


def test_lines_become_segments_of_at_most_the_room_there_is_and_nothing_is_lost():
    lines = make_lines(300)
    shares = count_words([(1.0, lines)])
    tokenizer = build_tokenizer(choose_tokens(shares, PretrainConfig()), shares)
    corpus = encode_corpus(tokenizer, [lines[:200], lines[200:]], room=7)
    whole = [tokenizer.encode(line, add_special_tokens=False).ids for line in lines]
    assert corpus.ids.tolist() == [number for line in whole for number in line]
    assert corpus.lengths.max() == 7
    assert corpus.lengths.min() >= 1
    assert corpus.starts.tolist() == [0, *corpus.ends.tolist()[:-1]]
    assert corpus.files.tolist() == sorted(corpus.files.tolist())
    cuts = [-(-len(line) // 7) for line in whole]
    assert (corpus.files == 0).sum() == sum(cuts[:200])
    expected = [is_held_out(line) for line, count in zip(lines, cuts, strict=True) for _ in range(count)]
    assert corpus.held_out.tolist() == expected
