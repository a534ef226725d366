"""The frame of every `python -m trainer.NAME` command: options, exit status, errors."""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from trainer.messages import Message, MessageError, message_of
from trainer.running.children import WATCH_STDIN, end_with_parent
from trainer.running.progress import hand_over
from trainer.running.terminal import INTERRUPTED, accept_any_text, printable


def parser(module: str, description: str) -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    command.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    return command


def add_child_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--progress",
        type=Path,
        metavar="FILE",
        help="append progress as JSON lines; the last one says why the work failed",
    )
    command.add_argument(WATCH_STDIN, action="store_true", help="end when standard input closes")


def add_reading_arguments(command: argparse.ArgumentParser) -> None:
    for column in ("text", "id", "label"):
        command.add_argument(
            f"--{column}-column", metavar="NAME", help="of the files; else known by its name"
        )
    command.add_argument("--encoding", help="of the files; else found by their bytes")
    command.add_argument(
        "--quoted",
        action=argparse.BooleanOptionalAction,
        help="quotes of TSV files enclose cells; else found by looking at the whole file",
    )
    command.add_argument(
        "--sheet", metavar="NAME", help="of .xlsx files; else the only one that holds something"
    )


def run(work: Callable[[argparse.Namespace], None], arguments: argparse.Namespace) -> int:
    """Returns the exit status: 0 done, 1 failed with one line on standard error, 130 interrupted."""
    accept_any_text()
    if getattr(arguments, "watch_stdin", False):
        end_with_parent()
    try:
        work(arguments)
    except KeyboardInterrupt:
        if not getattr(arguments, "watch_stdin", False):  # else the parent says it
            print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of standard output has closed it, so it must not be flushed again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (MessageError, OSError) as error:
        if arguments.debug:
            raise
        return _refuse(arguments, message_of(error))
    except OverflowError:
        if arguments.debug:
            raise
        return _refuse(arguments, Message("One of the numbers is too large."))
    except Exception as error:
        if arguments.debug:
            raise
        kind = type(error).__name__
        return _refuse(arguments, Message("{kind}: {reason} (--debug shows where)", kind=kind, reason=error))
    return 0


def _refuse(arguments: argparse.Namespace, message: Message) -> int:
    """One line for a person on standard error; for a parent process the message as data beside the progress."""
    message = message.on_one_line()
    print(f"error: {printable(str(message))}", file=sys.stderr)
    progress: Path | None = getattr(arguments, "progress", None)
    if progress is not None:
        with suppress(OSError):  # the disk may be what is full: the line above says it too
            hand_over(progress, message)
    return 1
