"""The process that loads torch: started on demand, ended when idle, with one request at a time.

It ends with the worker, even a killed one: its standard input is a pipe that the system then closes.
"""

import json
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainer.messages import MessageError
from trainer.running.children import Child, kill, module_command, start
from workbench.errors import RoundError
from workbench.labelling.explanations import Word
from workbench.project import Project
from workbench.worker.attempts import MOST_STEP_ATTEMPTS, Step

IDLE_SECONDS = 300.0
"""Idle time after which the process is ended. Loading torch again takes seconds."""
MODULE = "workbench.worker.torch_tasks"


class RequestError(Exception):
    """A request failed; the process keeps running."""


class EndedError(MessageError):
    pass


class TorchChild:
    def __init__(self, home: Path, *, module: str = MODULE) -> None:
        self._home, self._module = home, module
        self._turn = threading.Lock()
        self._process: Child | None = None
        self._asked_at = 0.0

    @property
    def process_id(self) -> int | None:
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def step(self, name: str) -> Step:
        """The step, retried up to MOST_STEP_ATTEMPTS times if the process ends.

        The process records an error of the step itself (`failures`). The step raises RoundError if that fails, or
        if the process ends at every attempt.
        """

        def asked(_project: Project, number: int) -> str:
            for _ in range(MOST_STEP_ATTEMPTS):
                try:
                    return str(self._ask({"step": name, "number": number}))
                except EndedError as error:
                    ended = error
                except RequestError as error:
                    raise RoundError("{step} failed: {reason}", step=name, reason=error) from error
            raise RoundError("{step} failed: {reason}", step=name, reason=ended) from ended

        return asked

    def explain(self, adapter: Path, texts: Sequence[str]) -> list[list[Word]]:
        """The influential words of each text, largest drop first.

        Raises RequestError if the adapter cannot be used, EndedError if the process ends.
        """
        answer = self._ask({"adapter": str(adapter), "texts": list(texts)})
        return [[(start, end, drop) for start, end, drop in words] for words in answer]

    def order_queue(self) -> int:
        """Has a quick model order the queue (`quick_model`); raises as `explain` does."""
        return int(self._ask({"quick": True}))

    def end_if_idle(self, *, after: float = IDLE_SECONDS) -> None:
        if not self._turn.acquire(blocking=False):
            return
        try:
            if time.monotonic() - self._asked_at >= after:
                self._end()
        finally:
            self._turn.release()

    def _ask(self, request: dict[str, Any]) -> Any:
        with self._turn:
            process = self._started()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except BrokenPipeError:
                line = b""
            self._asked_at = time.monotonic()
            if not line:
                raise _ended(self._end())
        answer = json.loads(line)
        if "error" in answer:
            raise RequestError(answer["error"])
        return answer["result"]

    def _started(self) -> Child:
        if self.process_id is None:
            self._end()
            command = module_command(self._module, "--home", self._home)
            self._process = start(command, stdout=subprocess.PIPE, has_own_group=True)
        assert self._process is not None
        return self._process

    def _end(self) -> int:
        """Returns the exit status, 0 if no process was started."""
        process, self._process = self._process, None
        if process is None:
            return 0
        kill(process)
        return process.returncode


def _ended(status: int) -> EndedError:
    if status < 0:
        return EndedError("the system ended it with signal {signal} (out of memory?)", signal=-status)
    return EndedError("it ended with status {status}", status=status)
