"""Progress of long work: JSON lines for a parent process, a bar at a terminal, a line now and then elsewhere."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

from tqdm import tqdm

from trainer.messages import Message
from trainer.running.terminal import printable

EVERY_SECONDS = 0.25
SHORT_SECONDS, LINE_SECONDS = 5.0, 30.0
"""Where there is no terminal: work that ends sooner has no lines; the time between two lines."""


class Progress(Protocol):
    def step(self, done: int, total: int, **facts: Any) -> None:
        """Called often; shown a few times a second at most. `total` is 0 where it is unknown."""

    def resume(self, done: int, total: int) -> None:
        """`done` steps come from an earlier run and are excluded from the speed."""

    def note(self, **facts: Any) -> None:
        """Called rarely (after an epoch); always shown."""

    def close(self) -> None: ...


class Silent:
    def step(self, done: int, total: int, **facts: Any) -> None: ...

    def resume(self, done: int, total: int) -> None: ...

    def note(self, **facts: Any) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Part:
    whole: Progress
    before: int
    """Steps before this stretch."""
    after: int
    """Steps after this stretch."""
    is_quiet: bool = False
    """Whether to report only steps, without losses and epochs."""

    def step(self, done: int, total: int, **facts: Any) -> None:
        reported = {} if self.is_quiet else facts
        self.whole.step(self.before + done, self.before + total + self.after, **reported)

    def resume(self, done: int, total: int) -> None:
        self.whole.resume(self.before + done, self.before + total + self.after)

    def note(self, **facts: Any) -> None:
        if not self.is_quiet:
            self.whole.note(**facts)

    def close(self) -> None: ...  # the caller closes the whole


class Bar:
    def __init__(self, description: str) -> None:
        self._bar = tqdm(desc=description, leave=False, dynamic_ncols=True)

    def step(self, done: int, total: int, **_facts: Any) -> None:
        self._bar.total = total or None
        self._bar.update(done - self._bar.n)

    def resume(self, done: int, total: int) -> None:
        self._bar.initial += done - self._bar.n
        self.step(done, total)

    def note(self, **facts: Any) -> None:
        shown = {name: round(fact, 3) if isinstance(fact, float) else fact for name, fact in facts.items()}
        self._bar.set_postfix(shown)

    def close(self) -> None:
        self._bar.close()


class Occasional:
    """Lines on standard error, for logs and pipes: at the first step after SHORT_SECONDS, every LINE_SECONDS, at the end."""

    def __init__(
        self,
        description: str,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[Message], str] = str,
    ) -> None:
        """`tell` may translate."""
        self.description = description
        self._clock, self._tell = clock, tell
        self._began = clock()
        self._next, self._has_written = self._began + SHORT_SECONDS, False
        self._first: tuple[int, float] | None = None
        self._done = self._total = 0

    def step(self, done: int, total: int, **_facts: Any) -> None:
        now = self._clock()
        self._done, self._total = done, total
        if self._first is None or done < self._first[0]:  # another stretch of the work counts anew
            self._first = (done, now)
        begun, started = self._first
        if now < self._next:
            return
        self._next, self._has_written = now + LINE_SECONDS, True
        left = (now - started) * (total - done) / (done - begun) if total > done > begun else None
        if not (done or total):
            self._print(Message("at work"))
            return
        if left is None:
            self._print(self._count())
            return
        self._print(Message("{count}, about {left} left", count=self._count(), left=_duration(left)))

    def resume(self, done: int, total: int) -> None:
        self._first = None
        self.step(done, total)

    def note(self, **facts: Any) -> None: ...

    def close(self) -> None:
        if not self._has_written:
            return
        end = Message("ends after {time}", time=_duration(self._clock() - self._began))
        if self._done or self._total:
            end = Message("{count}, {end}", count=self._count(), end=end)
        self._print(end)

    def _count(self) -> Message:
        if self._total:
            return Message("{done:,} of {total:,}", done=self._done, total=self._total)
        return Message("{done:,} done", done=self._done)

    def _print(self, message: Message) -> None:
        line = Message("{what}: {how}", what=self.description, how=message)
        print(printable(self._tell(line)), file=sys.stderr, flush=True)


def _duration(seconds: float) -> Message:
    if seconds < 120:
        return Message("{seconds:.0f} s", seconds=seconds)
    return Message("{minutes:.0f} min", minutes=seconds / 60)


class Lines:
    """JSON lines appended to a file: `{"step", "steps", "seconds_left", ...}` and all notes."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream: TextIO = path.open("a", encoding="utf-8")
        self._clock = clock
        self._written = -EVERY_SECONDS + clock()
        self._first: tuple[int, float] | None = None

    def step(self, done: int, total: int, **facts: Any) -> None:
        now = self._clock()
        if now - self._written < EVERY_SECONDS and done < total:
            return
        self._written = now
        # From the first reported step: loading came before it.
        begun, started = self._first = self._first or (done, now)
        left = (now - started) * (total - done) / (done - begun) if done > begun else None
        self.note(step=done, steps=total, **facts, seconds_left=None if left is None else round(left, 1))

    def resume(self, done: int, total: int) -> None:
        self._first = None
        self.step(done, total)

    def note(self, **facts: Any) -> None:
        self._stream.write(json.dumps(facts, ensure_ascii=False) + "\n")
        self._stream.flush()

    def close(self) -> None:
        self._stream.close()


def read_lines(file: Path) -> list[dict[str, Any]]:
    """What `Lines` has written so far; empty if there is no file."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").split("\n")
    # The last line may be incomplete; the next read gets it whole.
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def reporting(path: Path | None, description: str) -> Progress:
    if path is not None:
        return Lines(path)
    return Bar(description) if sys.stderr.isatty() else Occasional(description)


def hand_over(path: Path, failure: Message) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"failure": failure.to_dict()}, ensure_ascii=False) + "\n")


def reason_of(progress: Path, output: str, status: int) -> Message:
    """Why a child process failed: its own message, else how the system ended it, else the last line it printed."""
    if status < 0:
        return Message("the system ended it with signal {signal} (out of memory?)", signal=-status)
    if failure := _handed_over(progress):
        return failure
    last = output.strip().rpartition("\n")[2].removeprefix("error: ")
    return Message.verbatim(last) if last else Message("it ended with status {status}", status=status)


def _handed_over(progress: Path) -> Message | None:
    if not progress.exists():
        return None
    last = progress.read_text("utf-8", "replace").strip().rpartition("\n")[2]
    try:
        return Message.from_dict(json.loads(last)["failure"])
    except (ValueError, KeyError, TypeError):  # a line of progress, or one that a full disk cut off
        return None
