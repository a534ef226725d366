"""A forum TSV is read exactly; unreadable rows are reported by line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.reading.rejects import Reject
from trainer.reading.rows import EMPTY, Row
from workbench.errors import InputError
from workbench.imports.tsv import open_tsv


def read(path: Path, **options: str | bool) -> list[Row | Reject]:
    with open_tsv(path, **options) as source:
        return list(source)


def texts(path: Path, **options: str | bool) -> list[str]:
    return [row.text for row in read(path, **options) if isinstance(row, Row)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "forum.tsv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_the_usual_encodings_are_recognised(file: Path, encoding: str) -> None:
    file.write_bytes("id\ttext\n1\t加我微信，价格好说😀\n".encode(encoding))
    assert texts(file) == ["加我微信，价格好说😀"]


def test_quotes_are_plain_characters(file: Path) -> None:
    file.write_text('id\ttext\n1\t"unbalanced\n2\tsay "hi"\n3\t""\n', encoding="utf-8")
    assert texts(file) == ['"unbalanced', 'say "hi"', '""']


def test_odd_line_separators_stay_inside_their_text(file: Path) -> None:
    file.write_bytes("id\ttext\r\n1\ta\u2028b\x0bc\u202e\r\n2\tnul\0here\r\n".encode())
    assert texts(file) == ["a\u2028b\x0bc\u202e", "nul\u2400here"]


def test_other_columns_are_kept_as_facts(file: Path) -> None:
    file.write_text("board\ttext\tid\tauthor\n数码\thi\t7\t\n", encoding="utf-8")
    assert read(file) == [Row(2, "7", "hi", {"board": "数码"})]


def test_without_an_id_column_there_is_no_id(file: Path) -> None:
    file.write_text("text\nhello\n", encoding="utf-8")
    assert read(file) == [Row(2, None, "hello", {})]


def test_a_byte_order_mark_does_not_disturb_a_named_encoding(file: Path) -> None:
    file.write_bytes("text\n好\n".encode("utf-8-sig"))
    assert texts(file, encoding="utf-8") == ["好"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1", "expected 2 columns, found 1"),
        ("1\ta\tb", "expected 2 columns, found 3"),
        ("1\t  ", "no text"),
        ("\thello", "no id"),
        ("1\t" + "x" * 100_001, "text of 100001 characters; at most 100000"),
    ],
)
def test_a_bad_row_is_told_with_its_line(file: Path, line: str, reason: str) -> None:
    file.write_text(f"id\ttext\n0\tok\n{line}\n", encoding="utf-8")
    (bad,) = [row for row in read(file) if isinstance(row, Reject)]
    assert (bad.line, str(bad.reason)) == (3, reason)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"id,text\n1,a\n", "It has no tab"),
        (b"id\tstory\n1\ta\n", "has no column text; its columns are: id, story"),
        (b"id\ttext\ttext\n", "two columns called text"),
        (b"id\ttext\n1\t\xe4\xbd\xa0 \xff\xff\xff\xff\n", "neither UTF-8 nor GB18030: byte 14"),
        ("id\ttext\n".encode("utf-16-le"), "has no rows below its header"),
    ],
)
def test_an_unusable_file_is_refused_in_one_sentence(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(file)


def test_a_named_encoding_that_does_not_fit_names_the_byte(file: Path) -> None:
    file.write_bytes(b"id\ttext\n1\tfine\n2\t" + "好".encode("gb18030") + b"\n")
    with pytest.raises(InputError, match="is not utf-8: byte 17 does not fit"):
        read(file, encoding="utf-8")


@pytest.mark.parametrize("encoding", ["klingon", "base64"])
def test_an_encoding_that_is_none_is_refused(file: Path, encoding: str) -> None:
    file.write_bytes(b"id\ttext\n")
    with pytest.raises(InputError, match=f"no text encoding called {encoding}"):
        read(file, encoding=encoding)


def test_one_column_cannot_be_text_and_id(file: Path) -> None:
    file.write_bytes(b"text\na\n")
    with pytest.raises(InputError, match="both the text and the id"):
        read(file, text_column="text", id_column="text")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        open_tsv(tmp_path / "nothing.tsv")


@given(
    rows=st.lists(
        st.text(
            st.characters(exclude_characters="\t\n\r\0", exclude_categories=["Cs"]), min_size=1, max_size=40
        ).filter(lambda text: text.strip() and text not in EMPTY),
        min_size=1,
        max_size=20,
    ),
    encoding=st.sampled_from(["utf-8", "utf-16", "gb18030"]),
)
def test_every_text_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], encoding: str
) -> None:
    file = tmp_path_factory.mktemp("round") / "trip.tsv"
    file.write_bytes(("text\tn\n" + "".join(f"{row}\t{n}\n" for n, row in enumerate(rows))).encode(encoding))
    assert texts(file, encoding=encoding, is_quoted=False) == rows
