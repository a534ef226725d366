"""No text steers a terminal, and each can be written."""

import io
import json
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trainer.running.terminal import accept_any_text, json_text, printable

STEERING = [
    "\x1b[2J",
    "\x07",
    "\r",
    "\x9b31m",
    "\u202e",
    "\u2066",
    "\u200f",
    "\u2028",
    "\x00",
    "\ufeff",
    "\ud800",
]


@pytest.mark.parametrize("text", STEERING)
def test_controls_and_marks_of_direction_are_replaced(text: str) -> None:
    assert printable(f"a{text}b") == f"a\ufffd{text[1:]}b"


@pytest.mark.parametrize("text", ["加我微信", "a\nb", "全角\u3000空格", "é\u0301", "笑😂"])
def test_what_is_no_control_stays(text: str) -> None:
    assert printable(text) == text


@given(st.text())
def test_printable_keeps_the_length_and_is_done_at_once(text: str) -> None:
    assert len(printable(text)) == len(text)
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "ascii", None])
@example(value={"\x7f": None})
@given(value=st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_json_is_equal_when_read_back_and_fits_the_encoding(
    encoding: str | None, value: dict[str, object]
) -> None:
    text = json_text(value, encoding)
    assert json.loads(text) == value
    text.encode(encoding or "utf-8")
    assert printable(text) == text


def test_an_emoji_is_an_escape_only_where_it_cannot_be_shown() -> None:
    assert json_text("笑😂", "utf-8") == '"笑😂"'
    assert json_text("笑😂", "gbk") == '"笑\\ud83d\\ude02"'


def test_a_stream_of_another_encoding_takes_any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="gbk"))
    accept_any_text()
    print("笑😂", end="", flush=True)
    assert raw.getvalue() == "笑\\U0001f602".encode("gbk")
