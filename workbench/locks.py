"""File locks between processes, which the system releases when the holder ends or is killed."""

import fcntl
import os
import time
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
LAUNCH = "launch.lock"
"""Held by what starts the worker, from before it loads, which takes seconds, until it has ended. Taken before WORKER."""
STEP = "step.lock"
"""Held by the process with torch during a step: it may outlive a killed worker for a moment."""

KEEP_POLL_SECONDS = 0.05


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


def keep(file: Path, *, seconds: float, refusal: Exception) -> None:
    """Hold a lock until this process ends, also when another program replaces it (exec). Raises `refusal`."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    os.set_inheritable(descriptor, True)
    last = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > last:
                os.close(descriptor)
                raise refusal from None
        time.sleep(KEEP_POLL_SECONDS)


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
