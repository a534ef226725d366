"""Uploaded files on disk, for readers that need a path."""

import os
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Protocol

import streamlit as st

from trainer.reading.formats import LONGEST_MARK, NOT_TEXT, SUFFIXES, WORKBOOK
from workbench.errors import InputError


class Upload(Protocol):
    """The part of Streamlit's `UploadedFile` that is used."""

    file_id: str
    name: str
    size: int

    def getbuffer(self) -> memoryview: ...


class StoredUpload:
    """A copy under a generated name, with an ending that says its format. Deleted by `discard`, with this object, or at exit."""

    def __init__(self, upload: Upload) -> None:
        descriptor, path = tempfile.mkstemp(suffix=_suffix(upload.name))
        with os.fdopen(descriptor, "wb") as file:
            file.write(upload.getbuffer())
        self.id = upload.file_id
        self.path = Path(path)
        self.name = PurePath(upload.name).name
        """The name given by the browser: for messages and lists, never for a path."""
        self.discard = weakref.finalize(self, self.path.unlink, missing_ok=True)


def _suffix(name: str) -> str:
    return next((end for end in SUFFIXES[::-1] if name.lower().endswith(end)), ".tsv")


def refuse_unfit(upload: Upload, kinds: Sequence[str]) -> None:
    """Raises InputError if the file is empty or holds no text, or its name ends with none of `kinds`."""
    name = PurePath(upload.name).name
    if not upload.size:
        raise InputError("{file} is empty. Choose a file with a header row and posts.", file=name)
    is_of_kind = name.lower().endswith(tuple(f".{kind}" for kind in kinds))
    is_workbook = name.lower().endswith(WORKBOOK)  # whose reader says what is wrong with it
    starts_otherwise = bytes(upload.getbuffer()[:LONGEST_MARK]).startswith(NOT_TEXT)
    if not is_of_kind or (starts_otherwise and not is_workbook):
        raise InputError(
            "{file} is of another kind. Save it as a table and choose that: {kinds}.",
            file=name,
            kinds=", ".join(kinds),
        )


def store_all(uploads: Sequence[Upload]) -> list[StoredUpload]:
    """Copies of the files that are chosen now; those of others are deleted."""
    kept: dict[str, StoredUpload] = st.session_state.setdefault("kept_uploads", {})
    for gone in kept.keys() - {upload.file_id for upload in uploads}:
        kept.pop(gone).discard()
    for upload in uploads:
        if upload.file_id not in kept:
            kept[upload.file_id] = StoredUpload(upload)
    return [kept[upload.file_id] for upload in uploads]


def stored() -> list[StoredUpload]:
    return list(st.session_state.get("kept_uploads", {}).values())
