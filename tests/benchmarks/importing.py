"""TSV import compared with the usual way, and what annotators notice of it.

Run as: python -m tests.benchmarks.importing [--rows 1000000] [--people 10] [--seconds-an-answer 1]

The usual way adds objects to a session, with a commit per 5,000. Ours leaves the rows in files that the worker stores
afterwards; that is timed too. Then an equal file is imported and stored again while people label: each thread of one
process saves an answer and takes the next post as the web app does. Each import runs in its own process, so that
peak memory is its own.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from threading import Event
from typing import TypeVar

import numpy as np
from sqlalchemy import String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tests.workbench.making import ready_queue
from tests.workbench.team import member
from workbench import accounts
from workbench.imports import intake
from workbench.imports import storing as imports_storing
from workbench.imports.tsv import open_tsv
from workbench.labelling import answers
from workbench.project import init_project, open_project

T = TypeVar("T")
ROWS = 50_000
EARLY = 100_000
"""Rows after which memory is first measured."""
QUEUED = 6_000
IDLE_SECONDS = 30
MIB = 1024


class Base(DeclarativeBase):
    pass


class Plain(Base):
    __tablename__ = "plain"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String, unique=True)
    text: Mapped[str]


@dataclass(frozen=True)
class Imported:
    """Rows per second; peak memory after 100,000 rows (0 for fewer) and at the end."""

    speed: float
    early_mib: float
    peak_mib: float


def measure(folder: Path) -> tuple[str, str, str, str]:
    file = write_posts(folder / "posts.tsv", ROWS)
    init_project(folder / "project")
    ours, usual = _ours(folder / "project", file).speed, _usual(folder, file)
    return "import, rows/s", f"{ours:,.0f}", f"{usual:,.0f} (ORM, commit per 5,000)", f"{ours / usual:.1f}x"


def write_posts(file: Path, rows: int, prefix: str = "b") -> Path:
    sample = (Path(__file__).parents[2] / "data" / "sample" / "posts.tsv").read_text(encoding="utf-8")
    texts = [line.split("\t")[1] for line in sample.split("\n")[1:-1]]
    with file.open("w", encoding="utf-8") as stream:
        stream.write("id\ttext\n")
        stream.writelines(f"{prefix}{at}\t{texts[at % len(texts)]}{prefix}{at}\n" for at in range(rows))
    return file


def _ours(home: Path, file: Path) -> Imported:
    project = open_project(home)
    early = 0.0

    def look(rows: int, _read: int) -> None:
        nonlocal early
        if rows >= EARLY and not early:
            early = _peak_mib()

    begin = time.perf_counter()
    with open_tsv(file) as source:
        receipt = intake.import_rows(project, accounts.command_line(project), source, on_progress=look)
    took = time.perf_counter() - begin
    return Imported(receipt.accepted / took, early, _peak_mib())


def _store(home: Path) -> float:
    project = open_project(home)
    begin = time.perf_counter()
    count = imports_storing.store_waiting(project)
    return count / (time.perf_counter() - begin)


def _usual(folder: Path, file: Path) -> float:
    engine = create_engine(f"sqlite:///{folder / 'plain.db'}")
    Base.metadata.create_all(engine)
    begin = time.perf_counter()
    number = 0
    with Session(engine) as session, file.open(encoding="utf-8") as stream:
        next(stream)
        for number, line in enumerate(stream, start=1):
            name, text = line.rstrip("\n").split("\t")
            session.add(Plain(name=name, text=text))
            if number % 5_000 == 0:
                session.commit()
        session.commit()
    return number / (time.perf_counter() - begin)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


def _alone(work: Callable[[], T]) -> T:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work).result()


def _label(home: Path, people: int, seconds_an_answer: float, is_over: Event, ready: Event) -> list[float]:
    """Milliseconds of each answer and its next post. Annotators start at different moments."""
    project = open_project(home)
    names = [f"person {at}" for at in range(people)]
    everyone = [member(project, name, "annotator") for name in names]
    answers.hold_posts(project, everyone[0])
    ready.set()

    def work(at: int) -> list[float]:
        took, rng, me = [], Random(at), everyone[at]
        next_at = time.perf_counter() + rng.random() * seconds_an_answer
        cards = answers.hold_posts(project, me)
        while not is_over.wait(max(0.0, next_at - time.perf_counter())):
            begin = time.perf_counter()
            answers.submit(project, me, cards[0].post_id, "normal")
            cards = answers.hold_posts(project, me)
            took.append(1_000 * (time.perf_counter() - begin))
            next_at = max(next_at, begin) + rng.uniform(0.5, 1.5) * seconds_an_answer
        return took

    with ThreadPoolExecutor(people) as pool:
        return [each for took in pool.map(work, range(people)) for each in took]


@contextmanager
def people_at_work(home: Path, people: int, seconds_an_answer: float) -> Iterator[list[float]]:
    """The yielded list is complete only after the body."""
    context = multiprocessing.get_context("spawn")
    took: list[float] = []
    with context.Manager() as manager, ProcessPoolExecutor(1, mp_context=context) as pool:
        is_over, ready = manager.Event(), manager.Event()
        times = pool.submit(_label, home, people, seconds_an_answer, is_over, ready)
        ready.wait(60)
        try:
            yield took
        finally:
            is_over.set()
            took.extend(times.result())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.importing")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--seconds-an-answer", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = folder / "project"
        project = init_project(home)
        ready_queue(project, accounts.command_line(project), QUEUED)
        project.database.dispose()

        file = write_posts(folder / "posts.tsv", options.rows)
        ours = _alone(partial(_ours, home, file))
        usual = _alone(partial(_usual, folder, file))
        print(
            f"| {options.rows:,} rows | rows/s | peak MiB after {EARLY:,} rows | at the end |\n|---|---|---|---|"
        )
        print(f"| ours | {ours.speed:,.0f} | {ours.early_mib:,.0f} | {ours.peak_mib:,.0f} |")
        print(f"| ORM, a commit per 5,000 | {usual:,.0f} | | |\n\n{ours.speed / usual:.1f}x", flush=True)

        print(f"stored by the worker afterwards: {_alone(partial(_store, home)):,.0f} rows/s\n", flush=True)

        with people_at_work(home, options.people, options.seconds_an_answer) as idle:
            time.sleep(IDLE_SECONDS)
        again = write_posts(folder / "again.tsv", options.rows, prefix="c")
        with people_at_work(home, options.people, options.seconds_an_answer) as importing:
            beside = _alone(partial(_ours, home, again))
        with people_at_work(home, options.people, options.seconds_an_answer) as storing:
            stored = _alone(partial(_store, home))
        print(
            f"while {options.people} people label: {beside.speed:,.0f} rows/s, {beside.speed / usual:.1f}x; stored at {stored:,.0f} rows/s\n"
        )
        print("| next post and save, ms | answers | p50 | p95 | p99 | worst |\n|---|---|---|---|---|---|")
        for what, took in (
            ("idle", idle),
            ("during an import", importing),
            ("while its posts are stored", storing),
        ):
            shares = " | ".join(f"{value:.1f}" for value in np.percentile(took, [50, 95, 99, 100]))
            print(f"| {what} | {len(took):,} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
