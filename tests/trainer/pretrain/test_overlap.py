"""Evaluation texts planted in a corpus are detected in the stored tokens."""

from dataclasses import replace

import pytest
from tokenizers import Tokenizer, models

from tests.trainer.pretrain.test_corpus import corpus_of
from trainer.pretrain.overlap import find_overlaps, main, read_lines

LONG = "今天论坛帖子真好我们出去看天气"


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        (LONG, True),
        (f"有人说{LONG}是吗", True),
        (LONG[:-1], False),
        ("天气", True),
        ("今天天气", False),
        ("。", False),
    ],
)
def test_a_long_text_counts_anywhere_a_short_one_only_as_a_whole(line, is_found):
    assert bool(list(find_overlaps([line], [LONG, "天气"]))) == is_found


def test_a_planted_text_is_found_and_a_text_left_out_is_not(make_run, corpus, tmp_path, capsys):
    corpus.write_text(f"{LONG}\n" + corpus.read_text(encoding="utf-8"), encoding="utf-8")
    labelled = tmp_path / "test.tsv"
    labelled.write_text(f"text\n{LONG}\n", encoding="utf-8")
    make_run(tmp_path / "with")
    make_run(tmp_path / "without", exclude=(str(labelled),))
    arguments = ["--against", str(labelled), "--checkpoint"]
    assert main([*arguments, str(tmp_path / "with")]) == 1
    assert "1 lines hold one of 1 texts" in capsys.readouterr().err
    assert main([*arguments, str(tmp_path / "without")]) == 0
    assert "none of 1 texts" in capsys.readouterr().out


def test_the_end_of_a_long_line_is_no_line_of_its_own():
    tokenizer = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "天": 5, "气": 6}, unk_token="[UNK]"))
    corpus = replace(corpus_of([5, 6, 5], [6, 6], [5, 1]), size=7)
    assert list(read_lines(corpus, tokenizer)) == ["天气天气气", "天\ufffd"]


def test_a_folder_that_is_no_checkpoint(tmp_path, capsys):
    assert main(["--against", "none.tsv", "--checkpoint", str(tmp_path)]) == 1
    assert "no such file" in capsys.readouterr().err
