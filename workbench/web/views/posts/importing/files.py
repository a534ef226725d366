"""The uploaded files of the import dialog, as they are read: encoding, quotes, sheet, names, rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from trainer.reading.columns import Choice
from workbench.errors import InputError
from workbench.imports import tsv
from workbench.web.elements.upload import StoredUpload

DETECTED = ""
T = TypeVar("T")


@dataclass(frozen=True)
class ReadFile:
    """An upload as it is read with the options that are chosen; `names` is empty if it cannot be."""

    upload: StoredUpload
    choice: Choice
    names: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()
    problem: InputError | None = None


def read_file(upload: StoredUpload) -> ReadFile:
    choice = _options(upload)
    sheets: tuple[str, ...] = ()
    try:
        sheets = _kept((upload.id, "sheets"), lambda: tsv.sheets_of(upload.path))
        if len(sheets) > 1 and choice.sheet is None:
            return ReadFile(upload, choice, (), sheets)
        names = _kept((upload.id, "names", choice), lambda: tsv.read_names(upload.path, choice))
    except InputError as error:
        return ReadFile(upload, choice, (), sheets, named(error, upload))
    encoding, columns = names
    return ReadFile(upload, _as_read(choice, encoding), columns, sheets)


def count_rows(file: ReadFile, choice: Choice) -> int:
    """Of a file whose text column is chosen: the columns do not change the number of its rows."""
    return _kept((file.upload.id, "rows", file.choice), lambda: _count(file, choice))


def alike(files: Sequence[ReadFile]) -> list[list[ReadFile]]:
    """Files with one header together, and each that cannot be read alone."""
    groups: dict[object, list[ReadFile]] = {}
    for file in files:
        groups.setdefault(file.names or file.upload.id, []).append(file)
    return list(groups.values())


def named(error: InputError, upload: StoredUpload) -> InputError:
    """The refusal with the uploaded file name in place of the temporary one."""
    values = error.message.values
    file_name = {"file": upload.name} if "file" in values else {}
    return InputError(error.message.template, **{**values, **file_name})


def _options(upload: StoredUpload) -> Choice:
    state = st.session_state
    quotes = {"quoted": True, "plain": False}.get(state.get(f"quotes-{upload.id}", DETECTED))
    encoding = state.get(f"encoding-{upload.id}") or None
    return Choice(encoding=encoding, is_quoted=quotes, sheet=state.get(f"sheet-{upload.id}"))


def _as_read(choice: Choice, encoding: str) -> Choice:
    return Choice(encoding=encoding, is_quoted=choice.is_quoted, sheet=choice.sheet)


def _count(file: ReadFile, choice: Choice) -> int:
    with tsv.open_file(file.upload.path, choice) as source:
        return source.count()


def _kept(key: object, read: Callable[[], T]) -> T:
    """What was read of a file, once for each way of reading it: every press runs the page anew."""
    kept: dict[object, T] = st.session_state.setdefault("read-files", {})
    if key not in kept:
        kept[key] = read()
    return kept[key]
