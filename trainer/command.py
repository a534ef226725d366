"""The frame of every `python -m trainer.NAME` command: options, exit status, errors."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from trainer.children import WATCH_STDIN, end_with_parent
from trainer.errors import TrainerError


def parser(module: str, description: str) -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    command.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    return command


def add_child_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--progress", type=Path, metavar="FILE", help="append progress as JSON lines")
    command.add_argument(WATCH_STDIN, action="store_true", help="end when standard input closes")


def run(work: Callable[[argparse.Namespace], None], arguments: argparse.Namespace) -> int:
    """Returns the exit status: 0 done, 1 failed with one line on standard error, 130 interrupted."""
    if getattr(arguments, "watch_stdin", False):
        end_with_parent()
    try:
        work(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of standard output has closed it, so it must not be flushed again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (TrainerError, OSError) as error:
        if arguments.debug:
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except Exception as error:
        if arguments.debug:
            raise
        reason = " ".join(str(error).split())
        print(f"error: {type(error).__name__}: {reason} (--debug shows where)", file=sys.stderr)
        return 1
    return 0
