"""Columns are known by their usual names; where that is unsure, the reader asks."""

from pathlib import Path

import pytest

from tests.trainer.reading.making import read, rejects, texts
from trainer.errors import DatasetError
from trainer.reading.columns import Choice, guess_id, guess_label, guess_text
from trainer.reading.posts import open_posts, read_names
from trainer.reading.rows import LONGEST_TEXT


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "posts.tsv"


@pytest.mark.parametrize(
    "name", ["id", "ID", "post_id", "Post-Id", "ＩＤ", "pid", "帖子ID", "帖子 id", "编号"]
)
def test_an_id_is_known_by_its_usual_names(name: str) -> None:
    assert guess_id(["board", name, "text"]) == name


@pytest.mark.parametrize(
    "name", ["text", "TEXT", "Ｔｅｘｔ", "content", "Body", "message", "正文", "内容", "帖子内容"]
)
def test_a_text_is_known_by_its_usual_names(name: str) -> None:
    assert guess_text(["帖子ID", name, "作者"]) == name


@pytest.mark.parametrize("name", ["label", "Label", "标签", "类别"])
def test_a_label_is_known_by_its_usual_names(name: str) -> None:
    assert guess_label(["id", name]) == name


def test_of_several_the_documented_name_is_taken_else_none() -> None:
    assert guess_text(["content", "text"]) == "text"
    assert guess_text(["content", "body"]) is None
    assert guess_text(["story", "帖子ID"]) is None
    assert guess_id(["pid", "post_id", "id"]) == "id"
    assert guess_id(["pid", "post_id"]) == "post_id"


def test_the_number_of_a_thread_is_an_id_only_where_nothing_else_names_the_post() -> None:
    assert guess_id(["tid", "text"]) == "tid"
    assert guess_id(["tid", "text", "作者"]) is None


def test_an_unsure_text_column_is_asked_for(file: Path) -> None:
    file.write_text("id\tcontent\tbody\n1\ta\tb\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="any of the columns content, body"):
        read(file)
    assert texts(file, text_column="BODY") == ["b"]


def test_no_id_can_be_asked_for(file: Path) -> None:
    file.write_text("id\ttext\n0\ta\n0\tb\n", encoding="utf-8")
    rows = read(file, id_column="")
    assert [(row.id, row.facts["id"]) for row in rows] == [(None, "0"), (None, "0")]


def test_empty_columns_without_a_name_are_passed_over(file: Path) -> None:
    file.write_text("id\ttext\t\t\n1\ta\t\t\n2\tb\t\t\t\t\n", encoding="utf-8")
    assert texts(file) == ["a", "b"]
    assert read_names(file, Choice())[1] == ("id", "text")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1\ta\tx\ty\n", "columns 3, 4 have no name, but they are not empty in line 2"),
        ("1\ta\t\ty\n", "column 4 has no name, but it is not empty in line 2"),
    ],
)
def test_filled_columns_without_a_name_are_named(file: Path, row: str, message: str) -> None:
    file.write_text("id\ttext\t\t\n" + row, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        read(file)


@pytest.mark.parametrize(
    "first", ["ham\tGo on, I can wait", "1\t你好", "17\tsee you there then mate", "a\t今天天气不错，出去玩吧"]
)
def test_a_missing_header_is_recognised(file: Path, first: str) -> None:
    file.write_text(f"{first}\nspam\tanother\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="its first line is a row"):
        read(file)


def test_the_header_again_is_rejected_and_no_post(file: Path) -> None:
    file.write_text("id\ttext\n1\ta\n\ufeffid\ttext\n2\tb\n", encoding="utf-8")
    assert rejects(file) == [(3, "the header line again")]
    assert texts(file) == ["a", "b"]


@pytest.mark.parametrize("cell", ["NULL", "\\N", "None", "NaN"])
def test_a_null_is_an_empty_cell(file: Path, cell: str) -> None:
    file.write_text(f"id\ttext\tboard\n1\ta\t{cell}\n2\t{cell}\tx\n{cell}\tb\tx\n", encoding="utf-8")
    assert rejects(file) == [(3, "no text"), (4, "no id")]
    assert read(file)[0].facts == {}


def test_a_header_of_very_many_columns_is_refused(file: Path) -> None:
    file.write_text("id\ttext" + "\tx" * 300_000 + "\n1\ta\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="has 300002 columns; at most 200"):
        read(file)


def test_a_long_cell_beside_the_text_is_rejected(file: Path) -> None:
    file.write_text("id\ttext\tboard\n1\ta\t" + "x" * (LONGEST_TEXT + 1) + "\n", encoding="utf-8")
    assert rejects(file) == [(2, "a cell of 100001 characters in column board; at most 100000")]


def test_a_workbook_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "posts.tsv"
    file.write_bytes(b"PK\x03\x04rest")
    with pytest.raises(DatasetError, match="workbook"):
        open_posts(file)


def test_what_a_refusal_shows_of_a_file_is_printable(file: Path) -> None:
    file.write_bytes(b"a\x1b[31m\tb\n1\t2\n")
    with pytest.raises(DatasetError) as refused:
        read(file)
    assert str(refused.value).isprintable()
    file.write_bytes(b"12\t\x1b]0;x\x07 is it so?\n1\t2\n")
    with pytest.raises(DatasetError) as refused:
        read(file)
    assert str(refused.value).isprintable()


def test_a_table_of_commas_is_not_said_to_lack_a_tab(tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text("story\nonce\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"its columns are: story\. Name yours"):
        read(file)


def test_a_mark_is_no_part_of_a_name(file: Path) -> None:
    file.write_bytes("\ufeffid\ttext\n1\ta\n".encode("utf-16-le"))
    assert read_names(file, Choice(encoding="utf-16-le"))[1] == ("id", "text")


@pytest.mark.parametrize("above", ["Forum export 2026\n", "论坛导出,,\n,,\n", "номер,текст,метка\n"])
def test_a_header_below_the_first_line_is_pointed_out(tmp_path: Path, above: str) -> None:
    file = tmp_path / "posts.csv"
    file.write_text(f"{above}id,text,label\n1,a,normal\n", encoding="utf-8")
    line = above.count("\n") + 1
    with pytest.raises(
        DatasetError, match=rf"are named in line {line} \(id, text, label\).*Remove the lines"
    ):
        read(file)


@pytest.mark.parametrize("header", ["编号\t正文", "ID\tText", "post_id\tcontent"])
def test_a_second_header_in_other_words_is_no_post(file: Path, header: str) -> None:
    file.write_text(f"id\ttext\n{header}\n1\t正文\nid\t好的\n", encoding="utf-8")
    assert rejects(file) == [(2, "the header line again")]
    assert texts(file) == ["正文", "好的"]


def test_a_text_that_is_the_name_of_a_column_is_a_post_where_there_is_no_id(file: Path) -> None:
    file.write_text("text\n内容\nmessage\n", encoding="utf-8")
    assert texts(file) == ["内容", "message"]


def test_the_advice_names_the_option_for_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    for choice, option in (
        ({}, "text"),
        ({"id_column": "x", "text_column": "b"}, "id"),
        ({"text_column": "b", "is_label_needed": True}, "label"),
    ):
        with pytest.raises(DatasetError, match=f"Name yours with --{option}-column.$"):
            read(file, **choice)
