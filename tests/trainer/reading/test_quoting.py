"""The whole file decides whether its quotes enclose cells."""

import csv
import io
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.reading.making import read, rejects, texts
from trainer.errors import DatasetError
from trainer.reading.rows import EMPTY, Row

CHARACTERS = st.characters(
    codec="utf-8", exclude_characters="\0\r", include_characters='"\n\t,;', categories=["Lo", "Ll", "Nd"]
)
TEXTS = st.lists(
    st.text(CHARACTERS, min_size=1, max_size=12).filter(
        lambda text: text.strip() and text not in EMPTY and text != "text"
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "posts.tsv"


def written(rows: list[str], delimiter: str, quoting: int) -> bytes:
    out = io.StringIO()
    table = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\n")
    table.writerows([["id", "text"], *([f"a{at}", row] for at, row in enumerate(rows))])
    return out.getvalue().encode()


def test_a_text_of_several_lines_is_one_post(file: Path) -> None:
    file.write_bytes(
        'id\ttext\na1\t普通\na2\t"标题\n\n第二段\t广告"\na3\t"他说""走吧""就走了"\na4\t\n'.encode()
    )
    assert texts(file) == ["普通", "标题\n\n第二段\t广告", '他说"走吧"就走了']
    assert rejects(file) == [(7, "no text")]


def test_a_text_of_several_lines_in_one_column_is_one_post(file: Path) -> None:
    file.write_bytes('text\n"标题\n第二段"\n'.encode())
    assert texts(file) == ["标题\n第二段"]


@pytest.mark.parametrize(
    "rows",
    [
        ['"unbalanced', 'say "hi"', '""'],
        ['"begins here', "no quote", 'ends here"'],
        ['"whole"', "none"],
        ['""twice""', "none"],
        ['5" disk', "none", '"'],
    ],
)
def test_stray_quotes_are_plain_characters_and_swallow_nothing(file: Path, rows: list[str]) -> None:
    file.write_text("id\ttext\n" + "".join(f"{at}\t{row}\n" for at, row in enumerate(rows)), encoding="utf-8")
    assert texts(file) == rows


@pytest.mark.parametrize(
    "content",
    [
        'text\n"two\nlines"\nsay "hi"\n',
        "text\n" + '"far\n' + "row\n" * 40 + 'away"\n',
        'id\ttext\n1\t"two\nlines"\n2\tsay "hi"\n',
    ],
)
def test_quotes_that_can_be_read_both_ways_are_asked_about(file: Path, content: str) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match="--quoted or --no-quoted"):
        read(file)
    assert read(file, is_quoted=True)
    assert read(file, is_quoted=False)


def test_where_all_cells_are_quoted_the_quotes_are_no_text(file: Path) -> None:
    file.write_bytes(written(["a", "b"], "\t", csv.QUOTE_ALL))
    assert texts(file) == ["a", "b"]


def test_a_quote_that_does_not_close_rejects_each_line_it_may_hold(tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text('id,text\n1,"open\n2,b\n3,"c"d\n4,e\n', encoding="utf-8")
    reason = "a quote that opens in line 2 does not close properly"
    assert rejects(file) == [(2, reason), (3, reason), (4, reason)]
    assert texts(file) == ["e"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@given(rows=TEXTS)
def test_a_csv_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, delimiter: str, rows: list[str]
) -> None:
    file = tmp_path_factory.mktemp("csv") / "posts.CSV"
    file.write_bytes(written(rows, delimiter, csv.QUOTE_MINIMAL))
    assert texts(file) == rows


@given(rows=TEXTS)
def test_a_quoted_tsv_is_read_as_written_or_asked_about_or_holds_no_cut_text(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str]
) -> None:
    file = tmp_path_factory.mktemp("tsv") / "posts.tsv"
    file.write_bytes(written(rows, "\t", csv.QUOTE_MINIMAL))
    with suppress(DatasetError):
        entries = texts(file)
        assert entries == rows or not any("\n" in row or "\t" in row or '"' in row for row in rows)


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"'])
@pytest.mark.parametrize("quoted", [None, False])
def test_a_first_line_that_names_the_delimiter_for_excel_is_no_header(
    tmp_path: Path, first: str, quoted: bool | None
) -> None:
    file = tmp_path / "posts.csv"
    file.write_bytes(f"{first}\r\nid;text;x,y,z\r\n1;a,b;\r\n2;\r\n".encode())
    assert [(row.line, row.text) for row in read(file, is_quoted=quoted) if isinstance(row, Row)] == [
        (3, "a,b")
    ]
    assert rejects(file, is_quoted=quoted) == [(4, "expected 3 columns, found 2")]


def test_a_first_line_that_names_the_delimiter_alone_is_an_empty_file(tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text("sep=;\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="is empty"):
        read(file)


def test_a_long_cell_in_quotes_is_refused_for_its_length(tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text(f'id,text\n1,"{"x" * 200_000}"\n2,"a"\n', encoding="utf-8")
    assert rejects(file) == [(2, "text of 200000 characters; at most 100000")]
    assert texts(file) == ["a"]
