"""Lines end as the file has them, and characters that look like line ends stay inside a text."""

import gzip
import os
from pathlib import Path

import pytest

from tests.trainer.reading.making import read, rejects, texts
from trainer.errors import DatasetError
from trainer.reading import lines
from trainer.reading.formats import GZIP
from trainer.reading.lines import survey
from trainer.reading.rejects import Reject


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "posts.tsv"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_every_line_end_ends_a_row(file: Path, end: str, encoding: str) -> None:
    file.write_bytes(end.join(["id\ttext", "1\t早上好", "2\t晚上好", ""]).encode(encoding))
    assert texts(file) == ["早上好", "晚上好"]


def test_line_ends_may_be_mixed(file: Path) -> None:
    file.write_bytes("id\ttext\r1\t早\r\n2\t午\n3\t晚\r4\t夜".encode())
    assert texts(file) == ["早", "午", "晚", "夜"]


def test_a_carriage_return_within_a_text_is_kept_as_its_symbol_and_cuts_nothing(file: Path) -> None:
    file.write_bytes("id\ttext\n1\t前半\r后半\n2\t完\n".encode())
    assert texts(file) == ["前半\u240d后半", "完"]


@pytest.mark.parametrize(
    ("content", "expected"), [("text\r早\r\n晚\n", ["早", "晚"]), ("text\n早\r晚\n", ["早\u240d晚"])]
)
def test_in_one_column_the_header_says_whether_a_carriage_return_ends_a_row(
    file: Path, content: str, expected: list[str]
) -> None:
    file.write_bytes(content.encode())
    assert texts(file) == expected


@pytest.mark.parametrize("character", ["\u2028", "\x85", "\x0b", "\x0c", "\x1e"])
def test_other_separators_stay_in_a_text_and_not_in_an_id(file: Path, character: str) -> None:
    file.write_bytes(f"id\ttext\na{character}1{character}\tb{character}c\n".encode())
    (row,) = read(file)
    assert (row.id, row.text) == ("a1", f"b{character}c")


def test_blank_lines_are_passed_over_but_counted(file: Path) -> None:
    file.write_bytes(b"\n\r\nid\ttext\n\n1\t\n")
    assert rejects(file) == [(5, "no text")]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\n\n", "is empty"), (b"", "is empty"), (b"id\ttext\r\n", "has no rows below")],
)
def test_a_file_without_rows_is_one_sentence(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        read(file)


def test_a_packed_file_is_unpacked_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "posts.TSV.GZ"
    packed = gzip.compress("id\ttext\n1\t好\n".encode())
    file.write_bytes(packed)
    assert texts(file) == ["好"]
    file.write_bytes(packed[:-6])
    with pytest.raises(DatasetError, match="cannot be read"):
        read(file)


@pytest.mark.parametrize("end", [b"rest", b"\x1f\x8b\x08\x00"])
def test_what_follows_a_packed_file_is_no_part_of_it(tmp_path: Path, end: bytes) -> None:
    file = tmp_path / "posts.tsv.gz"
    file.write_bytes(gzip.compress(b"id\ttext\n1\ta\n", mtime=0) + end)
    with pytest.raises(
        DatasetError, match=r"cannot be read: what is compressed .* Copy or compress it again"
    ):
        read(file)


@pytest.mark.parametrize("name", ["posts.tsv", "posts.jsonl", "posts"])
@pytest.mark.parametrize(
    "start", [b"%PDF-1.7", b"SQLite format 3\0", b"BZh91AY&SY", gzip.compress(b"id", mtime=0)]
)
def test_a_file_of_another_kind_is_named_as_such(tmp_path: Path, name: str, start: bytes) -> None:
    file = tmp_path / name
    for content in (
        (start, gzip.compress(start, mtime=0)) if not start.startswith(GZIP) else (gzip.compress(start),)
    ):
        file.write_bytes(content)
        with pytest.raises(DatasetError, match="holds no text: it is an archive"):
            read(file)


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    pipe = tmp_path / "posts.tsv"
    os.mkfifo(pipe)
    with pytest.raises(DatasetError, match="is a pipe or a device"):
        read(pipe)


def test_what_two_blocks_share_is_seen(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "PROBE_BYTES", 1)
    file.write_bytes(('text\r\n"a"\r\nb' + "\u0315" * 31).encode())
    known = survey(file)
    assert (known.has_carriage_returns, known.has_openers, known.has_long_runs) == (False, True, True)


def test_a_file_without_line_ends_is_not_read_into_memory(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MOST_LINE", 1000)
    file.write_bytes(b"x" * 2000)
    with pytest.raises(DatasetError, match="a line of more than"):
        read(file)


def test_a_line_that_cannot_be_decoded_is_rejected_with_its_byte(file: Path) -> None:
    good = [f"{n}\t第{n}条普通的帖子" for n in range(300)]
    content = "\n".join(["id\ttext", *good, ""]).encode()
    place = content.index("第7条".encode())
    file.write_bytes(content[:place] + b"\xff" + content[place:])
    (bad,) = [entry for entry in read(file) if isinstance(entry, Reject)]
    assert (bad.line, str(bad.reason)) == (9, f"bytes that are not utf-8, at byte {place} of the file")
    assert bad.content == "7\t\ufffd第7条普通的帖子"
