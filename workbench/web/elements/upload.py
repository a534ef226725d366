"""Uploaded files on disk, for readers that need a path."""

import os
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Protocol

import streamlit as st

from trainer.reading.formats import LONGEST_MARK, NOT_TEXT, SUFFIXES
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
    if not is_of_kind or bytes(upload.getbuffer()[:LONGEST_MARK]).startswith(NOT_TEXT):
        raise InputError(
            "{file} is of another kind. Save it as a table in plain text and choose that: {kinds}.",
            file=name,
            kinds=", ".join(kinds),
        )


def store(upload: Upload) -> StoredUpload:
    stored: StoredUpload | None = st.session_state.get("kept_upload")
    if stored is not None and stored.id == upload.file_id:
        return stored
    if stored is not None:
        stored.discard()
    stored = st.session_state["kept_upload"] = StoredUpload(upload)
    return stored
