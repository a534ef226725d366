"""Workbooks are read as tables are, and no value is changed without a word."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from tests.trainer.reading.workbooks.making import SHEET, sheet_of, with_parts, write_workbook
from trainer.errors import DatasetError
from trainer.reading.columns import Choice
from trainer.reading.posts import open_posts, read_names
from trainer.reading.rejects import Reject, RejectCode
from trainer.reading.rows import Row
from trainer.reading.workbooks.sheet import sheets_of

HEADER = ("id", "text", "board", "time")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "posts.xlsx"


moment = datetime.fromisoformat


def entries(path: Path, choice: Choice | None = None) -> list[Row | Reject]:
    with open_posts(path, choice) as source:
        return [*source]


def refusal(path: Path, choice: Choice | None = None) -> str:
    with pytest.raises(DatasetError) as refused:
        entries(path, choice)
    return str(refused.value)


def test_cells_become_the_text_that_a_forum_would_write(path: Path) -> None:
    write_workbook(
        path,
        [
            HEADER,
            (12345678, "一\n二", "数码", moment("2026-05-01 12:30")),
            ("p-2", 666, True, moment("2026-05-02")),
            (123456789012345, "三", 0.1, timedelta(hours=1)),
            (None, None, None, None),
            (4.0, " 四", None, 1e300),
        ],
    )
    assert entries(path) == [
        Row(2, "12345678", "一\n二", {"board": "数码", "time": "2026-05-01 12:30:00"}),
        Row(3, "p-2", "666", {"board": "TRUE", "time": "2026-05-02"}),
        Row(4, "123456789012345", "三", {"board": "0.1", "time": "1:00:00"}),
        Row(6, "4", " 四", {"time": str(10**300)}),
    ]
    assert read_names(path, Choice()) == ("xlsx", HEADER)


def test_an_id_that_the_program_rounded_or_made_a_date_is_rejected(path: Path) -> None:
    rows = [(1.23456789012345e18, "一"), (moment("2026-03-01"), "二"), ("1.0E+18", "三"), (10**14, "四")]
    write_workbook(path, [("id", "text"), *rows])
    rounded, dated, third, fourth = entries(path)
    assert isinstance(rounded, Reject)
    assert rounded.code is RejectCode.ROUNDED
    assert str(rounded.reason).startswith("the id 1234567890123450000 was a number of more than 15 digits")
    assert isinstance(dated, Reject)
    assert dated.code is RejectCode.ID_KIND
    assert (third, fourth) == (Row(4, "1.0E+18", "三", {}), Row(5, str(10**14), "四", {}))


def test_a_formula_gives_the_value_stored_with_it_and_an_error_none(path: Path) -> None:
    write_workbook(path, [("id", "text")])
    header = b'<row r="1"><c r="A1" t="str"><v>id</v></c><c r="B1" t="str"><v>text</v></c></row>'
    rows = (
        b'<row r="2"><c r="A2" t="str"><v>a</v></c><c r="B2" t="str"><f>1+1</f><v>stored</v></c></row>'
        b'<row r="3"><c r="A3" t="str"><v>b</v></c><c r="B3"><f>WEBSERVICE("http://x.example")</f></c></row>'
        b'<row r="4"><c r="A4" t="str"><v>c</v></c><c r="B4" t="e"><v>#N/A</v></c></row>'
    )
    with_parts(path, {SHEET: sheet_of(header + rows)})
    first, *others = entries(path)
    assert first == Row(2, "a", "stored", {})
    assert [other.code for other in others if isinstance(other, Reject)] == [RejectCode.NO_TEXT] * 2


def test_line_breaks_of_excel_are_line_breaks(path: Path) -> None:
    write_workbook(path, [("text",), ("一_x000D_\n二",), ("_x4F60_",)])
    assert [entry.text for entry in entries(path) if isinstance(entry, Row)] == ["一\n二", "_x4F60_"]


def test_several_sheets_with_rows_are_not_guessed_between(path: Path) -> None:
    write_workbook(path, [("text",), ("一",)], Empty=[], Archive=[("text",), ("二",)])
    assert "its posts may be in any of the sheets Sheet, Archive. Name one with --sheet." in refusal(path)
    assert "has no sheet Empty" in refusal(path, Choice(sheet="Empty"))
    assert entries(path, Choice(sheet="Archive")) == [Row(2, None, "二", {})]
    assert sheets_of(path) == ("Sheet", "Archive")


def test_a_hidden_sheet_is_no_choice(path: Path) -> None:
    workbook = Workbook()
    sheet: Any = workbook.active
    sheet.append(["text"])
    sheet.append(["一"])
    hidden = workbook.create_sheet("hidden")
    hidden.append(["text"])
    hidden.sheet_state = "hidden"
    workbook.save(path)
    assert entries(path) == [Row(2, None, "一", {})]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "is empty. Its first line must name the columns."),
        ([("id", "text")], "has no rows below its header."),
        ([("id", "body2"), (1, "一")], "has no column text; its columns are: id, body2."),
        ([("Report of May",), ("id", "text"), (1, "一")], "its columns are named in line 2"),
        ([("text", None), ("一", "二")], "column 2 has no name, but it is not empty in line 2"),
        ([("text", "text"), ("一", "二")], "has two columns called text. Rename one."),
        ([[f"c{at}" for at in range(300)]], "has 201 columns; at most 200 are read."),
    ],
)
def test_what_is_wrong_with_a_table_is_said_as_of_other_files(
    path: Path, rows: list[tuple[Any, ...]], sentence: str
) -> None:
    write_workbook(path, rows)
    assert sentence in refusal(path)


def test_progress_ends_with_the_last_row(path: Path) -> None:
    write_workbook(path, [("text",), *((f"post {number}",) for number in range(50))])
    with open_posts(path) as source:
        read = [source.bytes_read for _ in source]
        assert read == sorted(read)
        assert source.bytes_read == source.size


def test_rows_are_counted_without_reading_them(path: Path) -> None:
    write_workbook(path, [("text",), ("一",), (None,), (None,), ("二",)])
    with open_posts(path) as source:
        assert source.count() == len([*source]) == 2
