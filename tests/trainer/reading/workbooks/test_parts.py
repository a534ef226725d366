"""A workbook that states more than memory holds, or that hides something, is refused before openpyxl reads it."""

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from tests.trainer.reading.workbooks.making import NAMESPACE, SHEET, sheet_of, with_parts, write_workbook
from trainer.errors import DatasetError
from trainer.reading.posts import open_posts
from trainer.reading.workbooks import parts
from trainer.reading.workbooks.parts import SheetSize, measured

DAMAGED = "cannot be read as an .xlsx workbook"
LARGE = "holds more than is read of a workbook"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_workbook(tmp_path / "posts.xlsx", [("id", "text"), (1, "一"), (None, None), (2, "二")])


def refusal(path: Path) -> str:
    with pytest.raises(DatasetError) as refused, open_posts(path) as source:
        list(source)
    return str(refused.value)


def test_rows_and_columns_with_values_are_counted(path: Path) -> None:
    assert measured(path) == {SHEET: SheetSize(filled=3, rows=4, width=2)}


@pytest.mark.parametrize(
    "rows",
    [
        b'<row r="1048577"><c><v>1</v></c></row>',
        b'<row r="99999999999"/>',
        b'<row r="0"/>',
        b'<row r="2"/><row r="1"/>',
        b'<row r="1"/><row r="1"/>',
        b'<row><c r="XFE1"><v>1</v></c></row>',
        b'<row><c r="B1"/><c r="A1"/></row>',
        b'<row><c r="nowhere"/></row>',
        b"<row><c><v>1</v>",
    ],
)
def test_rows_and_cells_that_are_not_in_order_are_refused_and_not_dropped(path: Path, rows: bytes) -> None:
    assert DAMAGED in refusal(with_parts(path, {SHEET: sheet_of(rows)}))


@pytest.mark.parametrize("value", [b"NaN", b"x", b"1e999", b"99999999"])
def test_a_value_that_is_no_number_or_text_is_damage(path: Path, value: bytes) -> None:
    rows = b'<row><c t="s"><v>%b</v></c></row>' % value
    assert DAMAGED in refusal(with_parts(path, {SHEET: sheet_of(rows)}))


def test_entities_are_refused(path: Path) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]>' + sheet_of(b"<row><c><v>&a;</v></c></row>")
    assert DAMAGED in refusal(with_parts(path, {SHEET: bomb}))
    outside = b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><styleSheet/>'
    assert DAMAGED in refusal(with_parts(path, {"xl/styles.xml": outside}))


def test_a_bomb_is_refused_by_the_sizes_that_it_states(path: Path) -> None:
    with ZipFile(path, "a", ZIP_DEFLATED) as archive, archive.open("xl/media/zeros.bin", "w") as part:
        for _ in range(9):
            part.write(bytes(64 << 20))
    assert path.stat().st_size < 2 << 20
    assert LARGE in refusal(path)


def test_elements_are_counted_in_every_part_and_in_every_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "MOST_OTHER_ELEMENTS", 2_000)
    monkeypatch.setitem(parts.MOST_ELEMENTS, "sst", 100)
    monkeypatch.setitem(parts.MOST_ELEMENTS, "worksheet", 5_000)
    assert (
        refusal_of_parts(path, "xl/styles.xml", b"<styleSheet>%b</styleSheet>" % (b"<a/>" * 2_001)) == LARGE
    )
    assert refusal_of_parts(path, "xl/any.xml", b"<pivot>%b" % (b"<a/>" * 2_001)) == LARGE
    texts = b"<sst %b>%b</sst>" % (NAMESPACE, b"<si/>" * 101)
    assert refusal_of_parts(path, "xl/sharedStrings.xml", texts) == LARGE
    assert refusal_of_parts(path, SHEET, sheet_of(b"<row/>" * 5_001)) == LARGE
    assert refusal_of_parts(path, SHEET, sheet_of(b"") + b"<!-- -->") == "empty"
    beside = sheet_of(b"").replace(b"<sheetData>", b"<x/>" * 2_001 + b"<sheetData>")
    assert refusal_of_parts(path, SHEET, beside) == LARGE


def refusal_of_parts(path: Path, name: str, content: bytes) -> str:
    copy = path.with_name("copy.xlsx")
    copy.write_bytes(path.read_bytes())
    sentence = refusal(with_parts(copy, {name: content}))
    return next((known for known in (LARGE, DAMAGED) if known in sentence), "empty")


def test_a_cell_without_an_end_is_refused(path: Path) -> None:
    cell = b"<row><c><v>" + b"1" * (parts.LONGEST_CELL + 1) + b"</v></c></row>"
    assert LARGE in refusal(with_parts(path, {SHEET: sheet_of(cell)}))


def test_a_sheet_in_the_place_of_another_part_is_refused(path: Path) -> None:
    """A part that is read as a whole may not be as large as a sheet."""
    with ZipFile(path) as archive:
        sheet, kinds = archive.read(SHEET), archive.read("[Content_Types].xml")
    assert refusal_of_parts(path, "xl/styles.xml", sheet) == DAMAGED
    assert refusal_of_parts(path, SHEET, b"<styleSheet/>") == DAMAGED
    as_book = kinds.replace(b"spreadsheetml.worksheet+xml", b"spreadsheetml.sheet.main+xml")
    assert refusal_of_parts(path, "[Content_Types].xml", as_book) == DAMAGED


def test_what_is_no_workbook_is_said_so(path: Path) -> None:
    for content in (b"", b"id,text\n1,x\n", b"\xd0\xcf\x11\xe0protected", path.read_bytes()[:-30]):
        path.write_bytes(content)
        assert DAMAGED in refusal(path)
    assert "There is no file" in refusal(path.with_name("nowhere.xlsx"))


def test_the_same_part_twice_is_refused(path: Path) -> None:
    with ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(SHEET, sheet_of(b""))
    assert DAMAGED in refusal(path)
