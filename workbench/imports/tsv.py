"""Files of posts, opened for an import: what the trainer refuses is an input error here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.errors import DatasetError
from trainer.reading import formats, posts
from trainer.reading.columns import Choice
from trainer.reading.posts import Source
from trainer.reading.workbooks import sheet as workbook_sheet
from workbench.errors import InputError


def open_tsv(
    path: Path,
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    encoding: str | None = None,
    is_quoted: bool | None = None,
    sheet: str | None = None,
) -> Source:
    """Raises InputError as `trainer.reading.posts.open_posts` raises DatasetError."""
    return open_file(path, Choice(text_column, id_column, None, encoding, is_quoted, sheet=sheet))


def open_file(path: Path, choice: Choice) -> Source:
    with refusing():
        return posts.open_posts(path, choice)


def read_names(path: Path, choice: Choice) -> tuple[str, tuple[str, ...]]:
    with refusing():
        return posts.read_names(path, choice)


def sheets_of(path: Path) -> tuple[str, ...]:
    """The sheets of a workbook that hold something; none of another file."""
    with refusing():
        return workbook_sheet.sheets_of(path) if formats.format_of(path) is formats.Format.WORKBOOK else ()


@contextmanager
def refusing() -> Iterator[None]:
    try:
        yield
    except DatasetError as error:
        raise InputError(error.message.template, **error.message.values) from error
