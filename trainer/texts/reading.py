"""Unlabelled texts from a file: TSV or JSONL with a `text` column, or plain lines."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from trainer.config import LABELS
from trainer.errors import DatasetError
from trainer.texts.dataset import read_lines, read_objects, text_of

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
    for number, row in _tsv_rows(path, header, rows, ("text",)):
        yield row.get("id") or str(number), row["text"]


def _tsv_rows(
    path: Path, header: str, rows: Iterator[tuple[int, str]], wanted: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells by column; every `wanted` column is there, once."""
    columns = [column.strip() for column in header.split("\t")]
    for name in wanted:
        if columns.count(name) != 1:
            raise DatasetError(f"{path}: expected one `{name}` column, found {', '.join(columns)}")
    for number, line in rows:
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise DatasetError(f"{path}, line {number}: expected {len(columns)} columns, found {len(cells)}")
        yield number, dict(zip(columns, cells, strict=True))


def read_labelled(path: Path) -> Iterator[tuple[str, str, str]]:
    """The (id, text, label) of a TSV or JSONL file with `text` and `label`.

    Raises DatasetError naming the line, for an unknown label too.
    """
    if path.suffix == ".jsonl":
        for number, where, record in read_objects(path):
            yield str(record.get("id", number)), text_of(record, where), _label_of(record.get("label"), where)
        return
    numbered = read_lines(path)
    header = next((line for _, line in numbered if line.strip()), "")
    for number, row in _tsv_rows(path, header, numbered, ("text", "label")):
        where = f"{path}, line {number}"
        yield row.get("id") or str(number), text_of(row, where), _label_of(row["label"], where)


def _label_of(label: object, where: str) -> str:
    if not isinstance(label, str) or label not in LABELS:
        raise DatasetError(f"{where}: unknown label {label!r}; known are {', '.join(LABELS)}")
    return label
