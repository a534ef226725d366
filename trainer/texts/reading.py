"""Texts from a file: TSV or JSONL with a `text` column, or plain lines."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from trainer.errors import DatasetError
from trainer.labels import LABELS
from trainer.messages import Message
from trainer.texts.dataset import read_lines, read_objects, text_of

Text = tuple[str, str]
"""An id (or line number) and a text."""


def read_texts(path: Path) -> Iterator[Text]:
    """The format is taken from the first line: `{` begins JSONL; a tab, or the single word `text`, is a TSV
    header; otherwise each line is a text. Quotes in TSV are plain characters. Raises DatasetError.
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
    """Line number and cells by column. Raises DatasetError unless each `wanted` column occurs exactly once."""
    columns = [column.strip() for column in header.split("\t")]
    for name in wanted:
        if columns.count(name) != 1:
            raise DatasetError(
                "{path}: expected one `{name}` column, found {found}",
                path=path,
                name=name,
                found=", ".join(columns),
            )
    for number, line in rows:
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise DatasetError(
                "{path}, line {number}: expected {expected} columns, found {found}",
                path=path,
                number=number,
                expected=len(columns),
                found=len(cells),
            )
        yield number, dict(zip(columns, cells, strict=True))


def read_labelled(path: Path) -> Iterator[tuple[str, str, str]]:
    """(id, text, label) of each row of a TSV or JSONL file.

    Raises DatasetError with the line, also for an unknown label.
    """
    if path.suffix == ".jsonl":
        for number, where, record in read_objects(path):
            yield str(record.get("id", number)), text_of(record, where), _label_of(record.get("label"), where)
        return
    numbered = read_lines(path)
    header = next((line for _, line in numbered if line.strip()), "")
    for number, row in _tsv_rows(path, header, numbered, ("text", "label")):
        where = Message("{path}, line {number}", path=path, number=number)
        yield row.get("id") or str(number), text_of(row, where), _label_of(row["label"], where)


def _label_of(label: object, where: Message) -> str:
    if not isinstance(label, str) or label not in LABELS:
        raise DatasetError(
            "{where}: unknown label {label}; known are {known}",
            where=where,
            label=repr(label),
            known=", ".join(LABELS),
        )
    return label
