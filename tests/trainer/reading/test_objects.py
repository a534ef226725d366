"""JSON objects are held to the rules of tables."""

import json
import math
from pathlib import Path

import pytest

from tests.trainer.reading.making import read, rejects, texts
from trainer.errors import DatasetError
from trainer.reading import array
from trainer.reading.rows import Row
from trainer.texts.dataset import read_jsonl
from trainer.texts.reading import read_texts

OBJECTS = [{"帖子ID": at, "正文": f"第{at}条\u2028帖子", "board": ["a", 1], "n": None} for at in range(3)]


@pytest.mark.parametrize("name", ["p.jsonl", "p.JSONL", "p.ndjson", "p.json", "p"])
def test_objects_are_read_one_a_line(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(
        "".join(json.dumps(one, ensure_ascii=False) + "\r\n" for one in OBJECTS), encoding="utf-8"
    )
    assert read(file)[1] == Row(2, "1", "第1条\u2028帖子", {"board": '["a", 1]'})


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_objects_are_read_from_one_array(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, indent: int | None
) -> None:
    monkeypatch.setattr(array, "BLOCK", block)
    file = tmp_path / "posts.json"
    file.write_text(json.dumps([*OBJECTS, 17], indent=indent), encoding="utf-8")
    assert texts(file) == [one["正文"] for one in OBJECTS]
    assert rejects(file) == [(4, "not a JSON object")]


@pytest.mark.parametrize(
    "content", ['[{"text": "a"}', '[{"text": "a"} {}]', '[{"text": "a"}, {]', '[{"text": "a"}] x']
)
def test_an_array_that_does_not_end_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "posts.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match="is not valid JSON"):
        read(file)


def test_lines_that_hold_no_post_are_rejected(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    lines = [
        '{"id": "1", "text": "ok"}',
        "{",
        "[1]",
        '{"id": 2}',
        '{"id": true, "text": "a"}',
        '{"id": "", "text": "a"}',
        r'{"id": 3, "text": "\ud800"}',
        '{"id": 4, "text": "NULL"}',
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert rejects(file) == [
        (2, "not a JSON object"),
        (3, "not a JSON object"),
        (4, "no text"),
        (5, "the id is neither text nor a number"),
        (6, "no id"),
        (7, "half of a surrogate pair in the text"),
        (8, "no text"),
    ]


def test_a_file_without_objects_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_text("{\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="no JSON objects"):
        read(file)


IDS = [("1", 1), ("1", 1.0), ("x\ufffd", "x\ud83d"), ("1", " \ufeff1\u200b"), ("9" * 400, int("9" * 400))]
NO_IDS = [None, "", "NULL", math.nan]
ODD_IDS = [True, ["1"], {"a": 1}, 1.5]


def test_the_id_of_an_object_is_that_of_every_reader(tmp_path: Path) -> None:
    """Whole numbers are their digits, an empty id is none, and other values are no id."""
    file = tmp_path / "posts.jsonl"
    for identity, value in IDS:
        file.write_text(json.dumps({"id": value, "text": "a", "label": "normal"}), encoding="utf-8")
        (row,), (example,), ((name, _text),) = read(file), read_jsonl(file), read_texts(file)
        assert isinstance(row, Row)
        assert (row.id, example.id, name) == (identity,) * 3
    for value in NO_IDS:
        file.write_text(json.dumps({"id": value, "text": "a", "label": "normal"}), encoding="utf-8")
        assert (rejects(file), next(read_texts(file))) == ([(1, "no id")], ("1", "a"))
    for value in ODD_IDS:
        file.write_text(json.dumps({"id": value, "text": "a", "label": "normal"}), encoding="utf-8")
        assert rejects(file) == [(1, "the id is neither text nor a number")]
        with pytest.raises(DatasetError, match="line 1 cannot be used: the id is neither"):
            read_jsonl(file)


def test_values_are_read_where_that_loses_nothing(tmp_path: Path) -> None:
    """A mark on each line, a long number, a tab and line ends of Windows inside a text."""
    file = tmp_path / "posts.jsonl"
    long = "7" * 5000
    lines = [f'{{"id": {long}, "text": "a\tb"}}', r'{"id": 2, "text": "c\r\nd\re"}', '{"id": 3, "text": NaN}']
    file.write_text("".join(f"\ufeff{line}\n" for line in lines), encoding="utf-8")
    assert read(file)[:2] == [Row(1, long, "a\tb", {}), Row(2, "2", "c\nd\ne", {})]
    assert rejects(file) == [(3, "no text")]
    file.write_text(f"[{','.join(lines)}]", encoding="utf-8")
    assert texts(file) == ["a\tb", "c\nd\ne"]


@pytest.mark.parametrize("content", ['{"text": "a"}\n%s', '[{"text": "a"}, %s]'])
def test_a_key_that_occurs_twice_makes_a_row_unreadable(tmp_path: Path, content: str) -> None:
    file = tmp_path / "posts.json"
    file.write_text(content % '{"text": "a", "label": "normal", "label": "violation"}', encoding="utf-8")
    assert rejects(file) == [(2, "the key label occurs twice")]
    with pytest.raises(DatasetError, match="the key label occurs twice"):
        list(read_texts(file))
    file.write_text(content % '{"text": "b", "more": {"a": 1, "a": 2}}', encoding="utf-8")
    assert texts(file) == ["a", "b"]
