"""Unlabelled texts from a file: TSV or JSONL with a `text` column, or plain lines."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from trainer.dataset import read_lines, read_objects, text_of
from trainer.errors import DatasetError

Text = tuple[str, str]
"""An id (or line number) and its text."""


def read_texts(path: Path) -> Iterator[Text]:
    """The (id, text) pairs of a file, told apart by its first line.

    A `{` begins JSONL; a tab, or the bare word `text`, a TSV header; anything else is one text a line. Quotes
    in TSV are plain characters. Raises DatasetError.
    """
    numbered = read_lines(path)
    first = next(((number, line) for number, line in numbered if line.strip()), None)
    if first is None:
        return iter(())
    if path.suffix == ".jsonl" or first[1].lstrip().startswith("{"):
        return _jsonl(path)
    if path.suffix == ".tsv" or "\t" in first[1] or first[1].strip() == "text":
        return _tsv(path, first[1], numbered)
    return ((str(number), line) for number, line in chain([first], numbered) if line.strip())


def _jsonl(path: Path) -> Iterator[Text]:
    for number, where, record in read_objects(path):
        name = record.get("id")
        yield str(number if name is None else name), text_of(record, where)


def _tsv(path: Path, header: str, rows: Iterator[tuple[int, str]]) -> Iterator[Text]:
    columns = [column.strip() for column in header.split("\t")]
    if columns.count("text") != 1:
        raise DatasetError(f"{path}: expected one `text` column, found {', '.join(columns)}")
    for number, line in rows:
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise DatasetError(f"{path}, line {number}: expected {len(columns)} columns, found {len(cells)}")
        row = dict(zip(columns, cells, strict=True))
        yield row.get("id") or str(number), row["text"]
