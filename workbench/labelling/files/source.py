"""The lines of a label file, in whichever format it is."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trainer.messages import Message
from workbench.errors import InputError
from workbench.exports.jsonl import read_objects
from workbench.imports.rejects import Reject, RejectCode
from workbench.imports.tsv import Columns, Row, open_tsv
from workbench.labelling.files.formats import label_studio
from workbench.labelling.files.rows import Entry, LabelledRow, Names, Stated
from workbench.labelling.files.shapes import reader_of
from workbench.labelling.files.times import time_in
from workbench.labelling.files.understanding import understood

JSON_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json"})


@dataclass(frozen=True)
class LabelFile:
    path: Path
    names: Names
    encoding: str | None
    mapping: Mapping[str, str]

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """Line number, or number in a JSON array, with what stands there."""
        return self._from_json() if self._is_json else self._from_table()

    def rows(self) -> Iterator[LabelledRow]:
        return (entry for _, entry in self.entries() if isinstance(entry, LabelledRow))

    def place(self, number: int, problem: Message) -> Message:
        if self._is_array:
            return Message("entry {number}: {problem}", number=number, problem=problem)
        return Message("line {line}: {problem}", line=number, problem=problem)

    @property
    def _is_json(self) -> bool:
        return self.path.suffix.lower() in JSON_SUFFIXES

    @cached_property
    def _is_array(self) -> bool:
        if not self._is_json:
            return False
        with self.path.open("rb") as file:
            return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")

    def _from_table(self) -> Iterator[tuple[int, Entry]]:
        with open_tsv(
            self.path,
            text_column=self.names.text,
            id_column=self.names.id,
            encoding=self.encoding,
            must_have=self.names.label,
            is_text_needed=False,
        ) as source:
            for row in source:
                entry = _with_empty_id(row, source.columns) if isinstance(row, Reject) else row
                if isinstance(entry, Reject):
                    yield entry.line, entry.reason
                else:
                    yield entry.line, self._from_cells(entry)

    def _from_cells(self, row: Row) -> Entry:
        facts = dict(row.facts)
        label, annotator = facts.pop(self.names.label, None), None
        identity = row.id
        if label_studio.is_flat(facts):
            annotator = facts["annotator"]
            identity = row.id if self.names.id else None
        stated = Stated(identity, row.text, label, facts, time_in(facts), annotator)
        return understood(stated, row.line, self.mapping)

    def _from_json(self) -> Iterator[tuple[int, Entry]]:
        if self.path.is_dir():
            raise InputError("{file} is a folder. Name a file in it.", file=self.path)
        if not self.path.is_file():
            raise InputError("There is no file {file}.", file=self.path)
        try:
            yield from self._from_objects(_array(self.path) if self._is_array else read_objects(self.path))
        except UnicodeDecodeError as error:
            raise InputError("{file} is not UTF-8. Save it as UTF-8.", file=self.path) from error

    def _from_objects(self, objects: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Entry]]:
        read = None
        for number, value in objects:
            read = read or reader_of(value)
            if not isinstance(value, dict):
                yield number, Message("not a JSON object")
                continue
            stated = read(value, self.names)
            if isinstance(stated, Stated):
                yield number, understood(stated, number, self.mapping)
            else:
                yield number, stated


def _array(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError("{file} is not valid JSON: {problem}.", file=path, problem=error) from error
    return iter(enumerate(values, start=1))


def _with_empty_id(reject: Reject, columns: Columns) -> Row | Reject:
    """An empty id is none, where the text says which post is meant."""
    cells = dict(zip(columns.names, reject.content.split("\t"), strict=False))
    if reject.code != RejectCode.NO_ID or not columns.text or len(cells) != len(columns.names):
        return reject
    facts = {name: cell for name, cell in cells.items() if cell and name not in {columns.text, columns.id}}
    return Row(reject.line, None, cells[columns.text], facts)
