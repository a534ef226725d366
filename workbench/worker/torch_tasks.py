"""The process of `torch_child`: reads requests as JSON lines from standard input and answers in JSON lines.

python -m workbench.worker.torch_tasks --home DIR      (started by the worker)
"""

import argparse
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from trainer.running.children import WATCH_STDIN
from workbench.locks import STEP, hold
from workbench.project import Project, open_project
from workbench.worker.failures import guarded, prepare_guarded

Request = Mapping[str, Any]
Answer = Callable[[Request], object]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workbench.worker.torch_tasks")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument(WATCH_STDIN, action="store_true", help="always so: requests come there")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # output of libraries must not be read as an answer
    waiting: SimpleQueue[Request] = SimpleQueue()
    threading.Thread(target=_read, args=(waiting,), daemon=True).start()
    serve(waiting, answers, _ready(open_project(options.home)))
    return 0


def serve(waiting: "SimpleQueue[Request]", answers: IO[str], answer: Answer) -> None:
    while True:
        try:
            reply: dict[str, object] = {"result": answer(waiting.get())}
        except Exception as error:
            logging.exception("a request failed")
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=answers, flush=True)


def _ready(project: Project) -> Answer:
    """Imports torch here: `_read` already runs, so the process ends with its parent even while torch loads."""
    from trainer.running.device import leave_a_core  # noqa: PLC0415
    from workbench.queue.quick_model import QuickModel  # noqa: PLC0415
    from workbench.worker import scoring_steps  # noqa: PLC0415
    from workbench.worker.scoring import explain_with, vectors_of_posts  # noqa: PLC0415

    leave_a_core()
    rounds = {
        "admit": scoring_steps.admit,
        "score": scoring_steps.score,
        "promote": scoring_steps.promote,
    }
    explain = lru_cache(maxsize=1)(explain_with)
    quick = QuickModel(project, lambda: vectors_of_posts(project))

    def answer(request: Request) -> object:
        if "adapter" in request:
            return explain(Path(request["adapter"]))(request["texts"])
        if "quick" in request:
            with hold(project.data / STEP):
                return quick.order_queue()
        name, number = request["step"], request["number"]
        with hold(project.data / STEP):
            quick.forget()
            if name == "prepare":
                return prepare_guarded(project, number, scoring_steps.prepare_import)
            return guarded(project, number, name, rounds[name])

    return answer


def _read(waiting: "SimpleQueue[Request]") -> None:
    """Queue requests until the pipe closes, then end the process without waiting for the current request."""
    # Not through sys.stdin: its lock, held by a daemon thread, is fatal when the interpreter shuts down.
    with os.fdopen(0, "rb", closefd=False) as lines:
        for line in lines:
            waiting.put(json.loads(line))
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
