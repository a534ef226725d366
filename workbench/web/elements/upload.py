"""Uploaded files on disk, for readers that need a path."""

import os
import tempfile
import weakref
from pathlib import Path, PurePath
from typing import Protocol

import streamlit as st


class Upload(Protocol):
    """The part of Streamlit's `UploadedFile` that is used."""

    file_id: str
    name: str

    def getbuffer(self) -> memoryview: ...


class StoredUpload:
    """A copy under a generated name. Deleted by `discard`, with this object, or at exit."""

    def __init__(self, upload: Upload) -> None:
        descriptor, path = tempfile.mkstemp(suffix=".tsv")
        with os.fdopen(descriptor, "wb") as file:
            file.write(upload.getbuffer())
        self.id = upload.file_id
        self.path = Path(path)
        self.name = PurePath(upload.name).name
        """The name given by the browser: for messages and lists, never for a path."""
        self.discard = weakref.finalize(self, self.path.unlink, missing_ok=True)


def store(upload: Upload) -> StoredUpload:
    stored: StoredUpload | None = st.session_state.get("kept_upload")
    if stored is not None and stored.id == upload.file_id:
        return stored
    if stored is not None:
        stored.discard()
    stored = st.session_state["kept_upload"] = StoredUpload(upload)
    return stored
