"""JSON objects are held to the rules of tables."""

import json
from pathlib import Path

import pytest

from tests.trainer.reading.making import read, rejects, texts
from trainer.errors import DatasetError
from trainer.reading import array
from trainer.reading.rows import Row

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
