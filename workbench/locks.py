"""File locks between processes, which the system releases when the holder ends or is killed."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

IMPORT = "import.lock"
"""Held during an import, and by other tasks during which no post may be added."""
STORE = "store.lock"
"""Held while rows of imports are stored. Taken after the other locks, never before."""
WORK = "work.lock"
"""Held during a job of the worker and during a purge, which must not remove posts that a job has read."""
WORKER = "worker.lock"
"""Held while the worker of a project runs."""
STEP = "step.lock"
"""Held by the process with torch during a step: it may outlive a killed worker for a moment."""


@contextmanager
def hold(file: Path, *, seconds: float = -1, refusal: Exception | None = None) -> Iterator[None]:
    """Hold a lock; not reentrant, and exclusive between threads.

    Args:
        seconds: longest wait; negative waits without limit.
        refusal: raised instead of filelock.Timeout.
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
    if not file.exists():
        return False
    with file.open("r") as lock:
        # A shared lock, which filelock lacks, so that concurrent probes do not count as holders.
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
