"""An uploaded file on our own disk, for readers that want a path."""

import os
import tempfile
import weakref
from pathlib import Path, PurePath
from typing import Protocol

import streamlit as st


class Upload(Protocol):
    """What Streamlit's uploader hands over."""

    file_id: str
    name: str

    def getbuffer(self) -> memoryview: ...


class StoredUpload:
    """A copy under a name the server made. The file goes with `discard`, with this object, or at exit."""

    def __init__(self, upload: Upload) -> None:
        descriptor, path = tempfile.mkstemp(suffix=".tsv")
        with os.fdopen(descriptor, "wb") as file:
            file.write(upload.getbuffer())
        self.id = upload.file_id
        self.path = Path(path)
        self.name = PurePath(upload.name).name
        """What people called it: for messages and lists, never for a path."""
        self.discard = weakref.finalize(self, self.path.unlink, missing_ok=True)


def store(upload: Upload) -> StoredUpload:
    """This session's copy of the upload; the copy of an earlier one goes."""
    stored: StoredUpload | None = st.session_state.get("kept_upload")
    if stored is not None and stored.id == upload.file_id:
        return stored
    if stored is not None:
        stored.discard()
    stored = st.session_state["kept_upload"] = StoredUpload(upload)
    return stored
