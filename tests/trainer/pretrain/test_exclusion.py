"""No training line equals, contains or quotes a text of an evaluation set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.pretrain import exclusion
from trainer.pretrain.exclusion import SHARED, WHOLE, Exclusion, read_excluded
from trainer.texts.normalisation import normalise

LONG = "今天论坛帖子真好我们出去看天气明天再来说说这件事吧"


def kept(lines: list[str], *texts: str) -> list[str]:
    return list(Exclusion(map(normalise, texts)).keep(lines))


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [
        (LONG, False),
        (f"有人说{LONG}是吗", False),
        (f"起头{LONG[:SHARED]}收尾", False),
        (f"起头{LONG[: SHARED - 1]}收尾", True),
        ("看ＶＰＮ广告\u200b的 人", False),
        ("我在看vpn广告的人", True),
    ],
)
def test_a_line_goes_for_what_it_is_or_holds(line, is_kept):
    assert kept([line], LONG, "看vpn广告的人") == [line] * is_kept


def test_a_text_of_ten_characters_goes_wherever_it_stands():
    text = "一二三四五六七八九十"
    assert kept([f"啊{text}啊", text[1:], text], text) == [text[1:]]


def test_two_lines_together_are_no_text():
    assert kept([LONG[:12], LONG[12:]], LONG) == [LONG[:12], LONG[12:]]


def test_without_texts_every_line_stays():
    assert kept(["", "天气", LONG]) == ["", "天气", LONG]


def test_texts_are_read_from_tables(tmp_path):
    (tmp_path / "a.tsv").write_text("id\ttext\n1\tＡＢ c\n2\t \n", encoding="utf-8")
    assert read_excluded([tmp_path / "a.tsv"]) == {"abc"}


def test_excluded_texts_reach_neither_the_vocabulary_nor_the_ids(make_run, corpus, tmp_path):
    corpus.write_text("饕餮盛宴\n" + corpus.read_text(encoding="utf-8"), encoding="utf-8")
    labelled = tmp_path / "test.tsv"
    labelled.write_text("text\n饕餮盛宴\n", encoding="utf-8")
    whole, without = make_run().text, make_run(exclude=(str(labelled),)).text
    assert "饕" in "".join(whole.tokenizer.get_vocab())
    assert "饕" not in "".join(without.tokenizer.get_vocab())
    assert len(whole.corpus.starts) == len(without.corpus.starts) + 1


words = st.text("天气真好我们出去", max_size=2 * SHARED)


@given(st.lists(words, max_size=8), st.lists(words.filter(bool), max_size=4), st.data())
def test_as_a_plain_search_would_have_it(lines, texts, data):
    def is_left_out(line: str) -> bool:
        windows = {text[at : at + SHARED] for text in texts for at in range(len(text) - SHARED + 1)}
        return (
            line in texts
            or any(len(text) >= WHOLE and text in line for text in texts)
            or any(window in line for window in windows)
        )

    if texts and lines:  # plant a copy: chance alone hardly ever makes one
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at] += data.draw(st.sampled_from(texts))
    assert kept(lines, *texts) == [line for line in lines if not is_left_out(line)]


def test_many_lines_are_the_same_as_few(monkeypatch):
    lines = [f"第{number}行{LONG if number % 3 else '天气'}" for number in range(50)]
    at_once = kept(lines, LONG)
    monkeypatch.setattr(exclusion, "LINES_AT_ONCE", 7)
    assert kept(lines, LONG) == at_once == lines[::3]
