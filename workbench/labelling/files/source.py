"""The lines of a label file, in whichever format it is."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from trainer.messages import Message
from trainer.reading.columns import Choice, Columns, columns_of, guess_id, guess_label, guess_text
from trainer.reading.formats import Format, format_of
from trainer.reading.lines import readable
from trainer.reading.objects import NotJson, Objects, open_objects
from trainer.reading.rejects import Reject, RejectCode
from trainer.reading.rows import Row
from workbench.imports.tsv import open_file, refusing
from workbench.labelling.files.formats import label_studio, own_export, plain
from workbench.labelling.files.rows import Entry, LabelledRow, Names, Stated
from workbench.labelling.files.shapes import Read, reader_of
from workbench.labelling.files.times import time_in
from workbench.labelling.files.understanding import understood

USUAL_LABEL = Names().label


@dataclass(frozen=True)
class LabelFile:
    path: Path
    names: Names
    encoding: str | None
    mapping: Mapping[str, str]
    is_quoted: bool | None = None
    sheet: str | None = None

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """Line number, or number in a JSON array, with what stands there."""
        return self._from_json() if self._is_json else self._from_table()

    def rows(self) -> Iterator[LabelledRow]:
        return (entry for _, entry in self.entries() if isinstance(entry, LabelledRow))

    def place(self, number: int, problem: Message) -> Message:
        if self._is_array:
            return Message("entry {number}: {problem}", number=number, problem=problem)
        return Message("line {line}: {problem}", line=number, problem=problem)

    def rejects(self, problems: Mapping[int, Message]) -> Iterator[Reject]:
        """The lines with a problem of a table or plain objects of ids and labels, as an import keeps them."""
        choice = replace(self._choice, is_id_needed=True)
        with refusing(), open_file(self.path, choice) as source:
            for entry in source:
                if (problem := problems.get(entry.line)) is not None:
                    yield _rejected(entry, problem)

    @property
    def _choice(self) -> Choice:
        names = self.names
        label = None if names.label == USUAL_LABEL else names.label
        choice = Choice(names.text, names.id, label, self.encoding, self.is_quoted)
        return replace(choice, is_text_needed=False, is_id_needed=False, sheet=self.sheet)

    @property
    def _is_json(self) -> bool:
        with refusing():
            return format_of(self.path) is Format.JSON

    @cached_property
    def _is_array(self) -> bool:
        if not self._is_json:
            return False
        with closing(self._objects()) as objects:
            return objects.is_array

    def _objects(self) -> Objects:
        with refusing(), readable(self.path):
            return open_objects(self.path, self.encoding)

    def _from_table(self) -> Iterator[tuple[int, Entry]]:
        choice = self._choice
        with refusing(), open_file(self.path, choice) as source:
            columns, read = source.columns, self._from_flat
            if not label_studio.is_flat(columns.names):
                columns_of(self.path, columns.names, replace(choice, is_label_needed=True))
                read = self._from_cells
            for entry in source:
                if isinstance(entry, Reject):
                    yield entry.line, entry.reason
                else:
                    yield entry.line, read(entry, columns)

    def _from_cells(self, row: Row, columns: Columns) -> Entry:
        facts = dict(row.facts)
        label = facts.pop(columns.label or USUAL_LABEL, None)
        source = facts.get(own_export.source_column(columns.names) or "") or None
        stated = Stated(row.id, row.text, label, facts, time_in(facts), source=source)
        return understood(stated, row.line, self.mapping)

    def _from_flat(self, row: Row, columns: Columns) -> Entry:
        """A row of Label Studio's CSV or TSV."""
        names = replace(self.names, label=columns.label or self.names.label, text=columns.text)
        cells = {**row.facts, columns.text: row.text, columns.id or "id": row.id}
        return self._from_object(label_studio.read_flat(cells, names), row.line)

    def _from_json(self) -> Iterator[tuple[int, Entry]]:
        with closing(self._objects()) as objects, refusing():
            yield from self._from_objects(objects)

    def _from_objects(self, objects: Objects) -> Iterator[tuple[int, Entry]]:
        read, names = None, self.names
        for number, value in objects:
            if read is None and not isinstance(value, Reject | NotJson):
                read = reader_of(value)
                names = _usual(names, read, value)
            if isinstance(value, Reject):
                yield number, value.reason
            elif read is None or not isinstance(value, dict):
                yield number, Message("not a JSON object")
            else:
                yield number, self._from_object(read(value, names), number)

    def _from_object(self, stated: Stated | Message | None, number: int) -> Entry:
        if not isinstance(stated, Stated):
            return stated
        has_id = self.names.id != ""
        return understood(stated if has_id else stated._replace(id=None), number, self.mapping)


def _rejected(entry: Row | Reject, problem: Message) -> Reject:
    if isinstance(entry, Reject):
        return entry
    content = "\t".join(filter(None, (entry.id, entry.text, *entry.facts.values())))
    values = {"sentence": problem.template, **{name: str(value) for name, value in problem.values.items()}}
    return Reject(entry.line, RejectCode.AS_WRITTEN, content, entry.id or None, values)


def _usual(names: Names, read: Read, first: Any) -> Names:
    """The names of the fields of plain objects that no one gave, from the first of them."""
    if read is not plain.read or not isinstance(first, dict):
        return names
    keys = tuple(first)
    is_given = names.label != USUAL_LABEL
    return Names(
        names.label if is_given else _written(first, guess_label(keys)) or names.label,
        names.text or guess_text(keys),
        guess_id(keys) if names.id is None else names.id,
    )


def _written(first: Mapping[str, Any], name: str | None) -> str | None:
    """None for a list, which doccano writes as `labels`."""
    return None if name is None or isinstance(first[name], list) else name
