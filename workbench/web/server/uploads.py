"""Limits of the files that Streamlit keeps in memory for its upload field: per file, session and person."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from streamlit.runtime import Runtime

UPLOADS = "/_stcore/upload_file/"
MEGABYTE = 2**20
MOST_FILE_MEGABYTES = 200
MOST_UPLOAD_BYTES = MOST_FILE_MEGABYTES * MEGABYTE + 64 * 1024
"""Of a request: a file and the multipart frame around it."""
MOST_SESSION_BYTES = 2 * MOST_UPLOAD_BYTES
MOST_PERSON_BYTES = 3 * MOST_UPLOAD_BYTES


@dataclass(frozen=True)
class _Kept:
    person: int
    session: str
    size: int


@dataclass
class Uploads:
    """`held` returns the addresses of the files that are in memory now; others no longer count."""

    held: Callable[[], Collection[str]]
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _arriving: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def arriving(self, person: int, path: str, size: int) -> Iterator[bool]:
        """Yields whether the file may come in; it counts from its first byte on."""
        is_admitted = self._admit(person, path, size)
        try:
            yield is_admitted
        finally:
            if is_admitted:
                with self._lock:
                    self._arriving.discard(path)

    def _admit(self, person: int, path: str, size: int) -> bool:
        with self._lock:
            self._forget_gone()
            session = path.removeprefix(UPLOADS).partition("/")[0]
            # Not itself: a file that is sent again replaces the first one.
            others = [kept for name, kept in self._kept.items() if name != path]
            of_session = sum(kept.size for kept in others if kept.session == session)
            of_person = sum(kept.size for kept in others if kept.person == person)
            if (
                path in self._arriving
                or of_session + size > MOST_SESSION_BYTES
                or of_person + size > MOST_PERSON_BYTES
            ):
                return False
            self._kept[path] = _Kept(person, session, size)
            self._arriving.add(path)
            return True

    def _forget_gone(self) -> None:
        here = {*self.held(), *self._arriving}
        self._kept = {path: kept for path, kept in self._kept.items() if path in here}


def held_by_streamlit() -> Collection[str]:
    """The addresses of the files in Streamlit's memory."""
    if not Runtime.exists():
        return ()
    storage = Runtime.instance().uploaded_file_mgr.file_storage  # type: ignore[attr-defined]
    return [f"{UPLOADS}{session}/{file}" for session, files in list(storage.items()) for file in list(files)]
