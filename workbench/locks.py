"""Locks between processes, as files: the system releases them when the holder ends, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

IMPORT = "import.lock"
"""Held while a file's rows are taken in, and while whoever holds it must have none come in between."""
STORE = "store.lock"
"""Held while the rows of imports go into the tables; whoever has one of the others may ask for it, not the other way round."""
WORK = "work.lock"
"""Held while the worker is at a job, and while posts are purged: what a job has read must not go under it."""
WORKER = "worker.lock"
"""Held as long as a project's worker runs."""
STEP = "step.lock"
"""Held by the process with torch while it runs a step: a killed worker is gone a moment before that process is."""


@contextmanager
def hold(file: Path, *, seconds: float = -1, refusal: Exception | None = None) -> Iterator[None]:
    """Hold a lock, which neither another thread nor a second call of this thread shares.

    Args:
        seconds: how long to wait for it, negative for as long as it takes.
        refusal: raised in place of filelock.Timeout if the lock is still taken then.
    """
    lock = FileLock(file, fallback_to_soft=False)  # a soft lock would outlive its holder
    try:
        lock.acquire(timeout=seconds)
    except Timeout as error:
        raise (refusal or error) from None
    try:
        yield
    finally:
        lock.release()


def is_held(file: Path) -> bool:
    """Whether a process holds the lock.

    By a shared lock, which filelock does not have: two pages that ask at the same time do not take each other for the
    holder.
    """
    if not file.exists():
        return False
    with file.open("r") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
