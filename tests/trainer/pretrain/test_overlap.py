"""Evaluation texts planted in a corpus are found by reading back what training reads."""

import pytest

from trainer.pretrain.overlap import find_overlaps, main

LONG = "今天论坛帖子真好我们出去看天气"


@pytest.mark.parametrize(
    ("segment", "is_found"),
    [(LONG, True), (f"有人说{LONG}是吗", True), (LONG[:-1], False), ("天气", True), ("今天天气", False)],
)
def test_a_long_text_counts_anywhere_a_short_one_only_as_a_whole(segment, is_found):
    assert bool(list(find_overlaps([segment], [LONG, "天气"]))) == is_found


def test_a_planted_text_is_found_and_a_text_left_out_is_not(make_run, corpus, tmp_path, capsys):
    corpus.write_text(f"{LONG}\n" + corpus.read_text(encoding="utf-8"), encoding="utf-8")
    labelled = tmp_path / "test.tsv"
    labelled.write_text(f"text\n{LONG}\n", encoding="utf-8")
    make_run(tmp_path / "with")
    make_run(tmp_path / "without", exclude=(str(labelled),))
    arguments = ["--against", str(labelled), "--checkpoint"]
    assert main([*arguments, str(tmp_path / "with")]) == 1
    assert "1 segments hold one of 1 texts" in capsys.readouterr().err
    assert main([*arguments, str(tmp_path / "without")]) == 0
    assert "none of 1 texts" in capsys.readouterr().out


def test_a_folder_that_is_no_checkpoint(tmp_path, capsys):
    assert main(["--against", "none.tsv", "--checkpoint", str(tmp_path)]) == 1
    assert "no such file" in capsys.readouterr().err
