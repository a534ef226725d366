"""Texts from a file: a table or JSON objects with a text, or plain lines."""

from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from trainer.errors import DatasetError
from trainer.labels import LABELS
from trainer.messages import Message
from trainer.reading.columns import Choice, is_known
from trainer.reading.encoding import endless_line
from trainer.reading.formats import Format, format_of
from trainer.reading.lines import Lines, Survey, readable, survey
from trainer.reading.marks import cap_marks
from trainer.reading.posts import open_posts
from trainer.reading.rejects import RejectCode
from trainer.reading.rows import Row, is_missing
from trainer.texts.dataset import LABELLED, read_objects, text_of, where_of

Text = tuple[str, str]
"""An id (or line number) and a text."""
ANY = Choice(is_id_needed=False)


def choice_of(options: Namespace, least: Choice = ANY) -> Choice:
    """What `command.add_reading_arguments` asks for, beside what a command needs."""
    return replace(
        least,
        text_column=options.text_column,
        id_column=options.id_column,
        label_column=options.label_column,
        encoding=options.encoding,
        is_quoted=options.quoted,
        sheet=options.sheet,
    )


def read_texts(path: Path, choice: Choice = ANY) -> Iterator[Text]:
    """The format is that of the file's name. In a file called otherwise, a tab in its first line, or a usual name of the
    text alone in it, begins a table; else each line is a text. Raises DatasetError.
    """
    kind = format_of(path)
    if kind is Format.JSON:
        return _from_objects(path, choice)
    if kind is not Format.TEXT:
        return _from_table(path, choice)
    known = survey(path, choice.encoding)
    return _from_table(path, choice) if _has_columns(known) else _from_lines(known)


def read_labelled(path: Path, choice: Choice = LABELLED) -> Iterator[tuple[str, str, str]]:
    """(id, text, label) of each row.

    Raises DatasetError with the line, also for an unknown label.
    """
    for number, where, record in read_objects(path, choice):
        yield (
            str(record.get("id", number)),
            text_of(record, where),
            _label_of(record.get("label"), where),
        )


def _from_objects(path: Path, choice: Choice) -> Iterator[Text]:
    for number, where, record in read_objects(path, choice):
        # As in a table, a text that is empty has an answer.
        is_empty = "text" in record and is_missing(record["text"])
        yield str(record.get("id", number)), "" if is_empty else text_of(record, where)


def _from_table(path: Path, choice: Choice) -> Iterator[Text]:
    with open_posts(path, choice) as source:
        for row in source:
            if isinstance(row, Row):
                yield str(row.line) if row.id is None else row.id, row.text
            elif row.code is RejectCode.NO_TEXT:  # each row of a table has an answer
                yield row.external_id or str(row.line), ""
            else:
                where = where_of(path, row.line)
                raise DatasetError("{where} cannot be used: {reason}", where=where, reason=row.reason)


def _has_columns(known: Survey) -> bool:
    with closing(Lines(known)) as lines:
        first = next((line for _, line in lines if line.strip()), "")
    return "\t" in first or is_known(first)


def _from_lines(known: Survey) -> Iterator[Text]:
    with readable(known.path), closing(Lines(known)) as lines:
        if known.is_endless:
            raise endless_line(known.path)
        for number, line in lines:
            if line.strip():
                yield str(number), cap_marks(line)


def _label_of(label: object, where: Message) -> str:
    if not isinstance(label, str) or label not in LABELS:
        raise DatasetError(
            "{where}: unknown label {label}; known are {known}",
            where=where,
            label=repr(label),
            known=", ".join(LABELS),
        )
    return label
