"""Locks between processes, as files: they end with whoever holds them, however that ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IMPORT = "import.lock"
"""Held while a file's rows are taken in, and while whoever holds it must have none come in between."""
STORE = "store.lock"
"""Held while the rows of imports go into the tables; whoever has one of the others may ask for it, not the other way round."""
WORK = "work.lock"
"""Held while the worker is at a job, and while posts are purged: what a job has read must not go under it."""


@contextmanager
def hold(file: Path, *, waits: bool) -> Iterator[None]:
    """Hold the lock; raises BlockingIOError where somebody else has it and this one does not wait."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
