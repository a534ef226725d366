"""Child processes that end with their parent.

The parent holds a pipe to the child's standard input. However the parent ends, even by SIGKILL, the pipe closes; the
child watches it and ends.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO

WATCH_STDIN = "--watch-stdin"

Child = subprocess.Popen[bytes]


def module_command(module: str, *arguments: object, niceness: int = 0) -> list[str]:
    priority = ["nice", "-n", str(niceness)] if niceness else []
    # -P keeps the working directory, with its data/ and models/, off the import path.
    return [*priority, sys.executable, "-P", "-m", module, *map(str, arguments)]


def start(
    command: Sequence[str],
    *,
    stdout: IO[str] | IO[bytes] | int | None = None,
    stderr: IO[str] | IO[bytes] | int | None = None,
    variables: Mapping[str, str] | None = None,
    has_own_group: bool = False,
) -> Child:
    """Start a command that takes `--watch-stdin`.

    Args:
        variables: added to the environment.
        has_own_group: shields the child from Ctrl-C in the terminal; required by `kill`.
    """
    return subprocess.Popen(
        [*command, WATCH_STDIN],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env=os.environ | (variables or {}),
        start_new_session=has_own_group,
    )


def kill(child: Child) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
    child.communicate()


def watch_stdin(then: Callable[[], object]) -> None:
    """In the child: call `then`, in another thread, once the parent has ended."""

    def wait() -> None:
        # Not sys.stdin: its lock, if held by a daemon thread, is fatal when the interpreter shuts down.
        while os.read(0, 4096):
            pass
        then()

    threading.Thread(target=wait, name="watch-stdin", daemon=True).start()


def end_with_parent() -> None:
    watch_stdin(lambda: os.kill(os.getpid(), signal.SIGTERM))
