"""How the queue, promotion and the next post scale with the number of posts.

Run as: python -m tests.benchmarks.scale [--posts 100000 1000000 10000000] [--seconds 20] [--keep DIR]

Projects are written by SQL, not by the import: posts of real lengths, a fifth of them held out, three near-copies a
group, 2,000 labels, a round in use and another that replaces it. Then, in separate processes:

- ten annotators take a post every quarter of a second, idle;
- again beside a round's work on the database: export, scores appended to the round's file, strata, queue, promotion,
  and a rollback to the round before;
- the queue is planned and swapped alone, for its time and memory; the pages' figures are counted.

No model is trained and no post is scored: the database is what is measured. `docs/benchmarks.md` has the last table.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from random import Random

import numpy as np
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Engine, PoolProxiedConnection, event, func, select

from db.session import WRITE
from db.tables import Annotation, Champion, Round
from tests.workbench.team import member
from trainer.labels import LABELS
from workbench import accounts
from workbench.accounts import Account
from workbench.labelling import answers
from workbench.project import LABEL_SET_ID, Project, init_project, open_project
from workbench.queue import strata, swap
from workbench.queue.status import read_status
from workbench.scores.round_scores import RoundScores, Scores

SPAWN = multiprocessing.get_context("spawn")
SIZES = (100_000, 1_000_000, 10_000_000)
PEOPLE = 10
PAUSE_SECONDS = 0.25
LABELLED = 2_000
TEXTS = 5_000
SEGMENT = 100_000
"""Posts per score file, as the worker writes them."""
IMPORTS = 10
LETTERS = "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多然于心学"
# Eight groups per ten posts: the last one has three near-copies.
GROUP_OF = "((n - 1) / 10) * 8 + min((n - 1) % 10, 7) + 1"
NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)"
TABLES = {
    "post_group": f"""{NUMBERS} INSERT INTO post_group (id, key, split)
        SELECT n, randomblob(16), CASE WHEN abs(random()) % 100 < 80 THEN 'pool'
            ELSE (CASE abs(random()) % 20 WHEN 0 THEN 'audit' WHEN 1 THEN 'audit' ELSE
                (CASE WHEN random() % 2 THEN 'test' ELSE 'validation' END) END) END FROM numbers""",
    "post": f"""{NUMBERS} INSERT INTO post (id, external_id, text_hash, import_id, group_id, is_quarantined)
        SELECT n, printf('p%09d', n), randomblob(16), (n - 1) * {IMPORTS} / :posts + 1, {GROUP_OF}, 0 FROM numbers""",
    "post_text": f"""{NUMBERS} INSERT INTO post_text (post_id, text)
        SELECT n, text || '（' || n || '）' FROM numbers JOIN sample ON sample.id = n % {TEXTS}""",
    "post_facts": f"""{NUMBERS} INSERT INTO post_facts (post_id, facts, thread_key)
        SELECT n, json_object('board', '版块' || n % 40, 'thread', '主题' || n / 5, 'author', 'u' || n % 99991), n / 5
        FROM numbers""",
}
ROWS_AT_ONCE = 500_000


def make_project(home: Path, posts: int) -> Project:
    """Round 1 is in use and has scored every post."""
    project = init_project(home, base_model="none")
    lead = accounts.command_line(project)
    _fill(project, posts)
    with project.database.write() as session:
        for number in (1, 2):
            session.add(
                Round(
                    number=number,
                    state="promoted" if number == 1 else "awaiting",
                    is_running=False,
                    is_quick=True,
                    base="none",
                    report={},
                    created_at=project.now(),
                    started_by_id=lead.id,
                )
            )
        session.flush()
        session.add(Champion(id=1, round_number=1, since=project.now()))
        session.add_all(
            Annotation(
                post_id=at * (posts // LABELLED) + 1,
                person_id=lead.id,
                action="label",
                label_set_id=LABEL_SET_ID,
                label=LABELS[at % 3],
                lane="random",
                saved_at=project.now(),
            )
            for at in range(LABELLED)
        )
    append_scores(project, 1, posts)
    return project


def _fill(project: Project, posts: int) -> None:
    rng, groups = Random(1), -(-posts // 10) * 8
    connection = project.database.engine.raw_connection()
    with closing(connection):
        run = connection.cursor().execute
        for pragma in ("foreign_keys=OFF", "synchronous=OFF", "cache_size=-1000000", "secure_delete=OFF"):
            run(f"PRAGMA {pragma}")
        run("CREATE TEMP TABLE sample (id INTEGER PRIMARY KEY, text TEXT)")
        connection.cursor().executemany(
            "INSERT INTO sample VALUES (?, ?)",
            [(at, "".join(rng.choices(LETTERS, k=_length(rng)))) for at in range(TEXTS)],
        )
        for at in range(1, IMPORTS + 1):
            run(
                "INSERT INTO import (id, file_name, state, encoding, columns, accepted, duplicates, rejected, started_at)"
                " VALUES (?, 'made', 'prepared', 'utf-8', '{}', ?, 0, 0, ?)",
                (at, posts // IMPORTS, f"2026-01-{at:02} 00:00:00.000000"),
            )
        # Created again after the inserts: an index over hashes that grows with its table takes hours.
        indexes = run(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name IN "
            "('post', 'post_group', 'post_facts') AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            run(f"DROP INDEX {name}")
        for table, insert in TABLES.items():
            last = groups if table == "post_group" else posts
            for first in range(1, last + 1, ROWS_AT_ONCE):
                values = {"first": first, "last": min(first + ROWS_AT_ONCE - 1, last), "posts": posts}
                run(insert, {name: value for name, value in values.items() if f":{name}" in insert})
                connection.commit()
        for _, sql in indexes:
            run(sql)
        connection.commit()
        run("PRAGMA wal_checkpoint(TRUNCATE)")
    project.database.dispose()


def _length(rng: Random) -> int:
    """Characters of a post: 51 on average, most short, some long."""
    return min(2_000, max(2, round(rng.lognormvariate(3.6, 0.8))))


def append_scores(project: Project, number: int, posts: int) -> None:
    rng = np.random.default_rng(number)
    for first in range(1, posts + 1, SEGMENT):
        ids = np.arange(first, min(first + SEGMENT, posts + 1), dtype=np.int64)
        probabilities = rng.dirichlet([0.4, 0.05, 0.03], len(ids)).astype(np.float32)
        RoundScores.of(project, number).append(Scores(ids, probabilities))


def in_a_process(work: Callable[..., dict[str, float]], *arguments: object) -> dict[str, float]:
    """The child's result, so that peak memory is the child's own."""
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=_tell, args=(there, work, *arguments))
    process.start()
    there.close()
    try:
        result: dict[str, float] = here.recv()
        return result
    finally:
        process.join()


def _tell(there: Connection, work: Callable[..., object], *arguments: object) -> None:
    there.send(work(*arguments))


def peak_mb() -> float:
    """Of this process; `getrusage` begins with the peak of the parent."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").split("\n")
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


@contextmanager
def timed_writes(engine: Engine) -> Iterator[list[float]]:
    """Milliseconds of each write transaction, from acquiring the lock to the end of its commit."""
    took: list[float] = []
    began: list[float] = []
    commit, rollback = engine.dialect.do_commit, engine.dialect.do_rollback

    def see(connection: SqlConnection) -> None:
        # Runs after the engine's own listener, which takes the lock.
        if connection.get_execution_options().get("begin_with") == WRITE:
            began.append(time.perf_counter())

    def end(connection: PoolProxiedConnection) -> None:
        commit(connection)
        took.extend(1000 * (time.perf_counter() - begin) for begin in began)
        began.clear()

    def give_up(connection: PoolProxiedConnection) -> None:
        rollback(connection)
        began.clear()

    event.listen(engine, "begin", see)
    engine.dialect.do_commit, engine.dialect.do_rollback = end, give_up  # type: ignore[method-assign]
    try:
        yield took
    finally:
        event.remove(engine, "begin", see)
        engine.dialect.do_commit, engine.dialect.do_rollback = commit, rollback  # type: ignore[method-assign]


def plan_alone(home: Path) -> dict[str, float]:
    project, figures = open_project(home), {}
    figures["memory before, MB"] = peak_mb()
    began = time.perf_counter()
    strata.give_strata(project, 1)
    figures["first strata, s"] = time.perf_counter() - began
    began = time.perf_counter()
    strata.give_strata(project, 1)
    figures["strata again, s"] = time.perf_counter() - began
    began = time.perf_counter()
    with timed_writes(project.database.engine) as took:
        entries = swap.rebuild(project)
    figures["plan and swap, s"] = time.perf_counter() - began
    figures["memory, MB"] = peak_mb()
    figures["swap into an empty queue, ms"] = max(took)
    with timed_writes(project.database.engine) as took:
        swap.rebuild(project)
    figures["swap of a full queue, ms"] = max(took)
    figures["queue entries"] = entries
    return figures


def count_figures(home: Path) -> dict[str, float]:
    project, took = open_project(home), []
    for _ in range(11):
        began = time.perf_counter()
        read_status(project)
        took.append(1000 * (time.perf_counter() - began))
    return {"figures, first, ms": took[0], "figures, ms": float(np.median(took[1:]))}


def serve(home: Path, name: str, until: "Synchronized[float]", results: Connection) -> None:
    """One annotator in a loop; sends the milliseconds of each next post and save."""
    project, rng = open_project(home), Random(name)
    account = member(project, name, "annotator")
    took: dict[str, list[float]] = {"next": [], "save": []}
    on_screen = answers.hold_posts(project, account)
    results.send(len(on_screen))
    while time.time() < until.value and on_screen:
        time.sleep(PAUSE_SECONDS * rng.uniform(0.5, 1.5))
        began = time.perf_counter()
        answers.submit(project, account, on_screen[0].post_id, rng.choice(LABELS))
        saved = time.perf_counter()
        on_screen = answers.hold_posts(project, account)
        took["save"].append(1000 * (saved - began))
        took["next"].append(1000 * (time.perf_counter() - saved))
    results.send(took)


def serve_all(
    home: Path, seconds: float, meanwhile: Callable[[], object] = lambda: None
) -> dict[str, list[float]]:
    """Ten annotators for `seconds`, or for as long as `meanwhile` takes if that is longer."""
    until, people = SPAWN.Value("d", time.time() + 36_000), []
    for number in range(PEOPLE):
        here, there = SPAWN.Pipe()
        process = SPAWN.Process(target=serve, args=(home, f"person {number}", until, there), daemon=True)
        process.start()
        people.append((process, here))
    for _, here in people:
        here.recv()  # has a post on screen
    began = time.time()
    meanwhile()
    until.value = max(time.time(), began + seconds)
    times = [here.recv() for _, here in people]
    for process, _ in people:
        process.join()
    return {name: [value for one in times for value in one[name]] for name in ("next", "save")}


def a_round(home: Path, posts: int) -> dict[str, float]:
    # Imported only here: it loads torch, which the ten annotators do not need.
    from workbench.worker import scoring_steps, steps  # noqa: PLC0415

    project = open_project(home)
    lead = accounts.command_line(project)
    with timed_writes(project.database.engine) as took:
        began = time.perf_counter()
        _enter(project, lead, 2)
        steps.export(project, 2)
        append_scores(project, 2, posts)
        promoting = time.perf_counter()
        scoring_steps.promote(project, 2)
        promoted = time.perf_counter()
        _enter(project, lead, 1, is_rolling_back=True)
        scoring_steps.promote(project, 1)
    return {
        "round, s": promoted - began,
        "promotion, s": promoted - promoting,
        "rollback, s": time.perf_counter() - promoted,
        "longest write of the round, ms": max(took),
    }


def _enter(project: Project, lead: Account, number: int, *, is_rolling_back: bool = False) -> None:
    with project.database.write() as session:
        row = session.get_one(Round, number)
        row.is_running, row.state_before, row.state = True, row.state, "scoring"
        row.is_rolling_back, row.decided_by_id = is_rolling_back, lead.id


def given_twice(project: Project) -> int:
    """Posts labelled by two annotators without a request for a second opinion.

    Read from the lane: the stored slot calls every later label second, however its post was served.
    """
    with project.database.read() as session:
        twice = (
            select(Annotation.post_id)
            .where(Annotation.lane.is_distinct_from("second_opinion"), Annotation.origin == "person")
            .group_by(Annotation.post_id)
            .having(func.count(Annotation.person_id.distinct()) > 1)
        )
        return len(session.scalars(twice).all())


def bytes_a_post(project: Project, posts: int) -> dict[str, float]:
    with project.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    scores = project.round_folder(1) / "scores"
    return {
        "database, bytes a post": (project.data / "workbench.db").stat().st_size / posts,
        "scores, bytes a post": sum(file.stat().st_size for file in scores.iterdir()) / posts,
    }


def measure(home: Path, posts: int, seconds: float) -> dict[str, float]:
    began = time.perf_counter()
    project = make_project(home, posts)
    figures: dict[str, float] = {"made in, s": time.perf_counter() - began}
    figures |= bytes_a_post(project, posts)
    project.database.dispose()
    figures |= in_a_process(plan_alone, home)
    figures |= in_a_process(count_figures, home)
    _say(figures)
    figures |= _percentiles("idle", serve_all(home, seconds))
    _say(figures)
    beside: dict[str, float] = {}
    figures |= _percentiles(
        "round", serve_all(home, seconds, lambda: beside.update(in_a_process(a_round, home, posts)))
    )
    figures |= beside
    figures |= {"given to two people": given_twice(project)}
    with project.database.read() as session:
        figures["answers"] = session.scalar(select(func.count()).select_from(Annotation)) or 0
    return figures


def rows(folder: Path, few: int = 20_000, many: int = 200_000) -> list[tuple[str, str, str, str]]:
    small, large = (measure(folder / f"{posts}", posts, 10.0) for posts in (few, many))
    at_few, at_many, busy = (
        small["next idle, p95, ms"],
        large["next idle, p95, ms"],
        large["next round, p95, ms"],
    )
    return [
        (
            f"next post, ms p95, ten people, {many:,} posts",
            f"{at_many:.1f}",
            f"{at_few:.1f} ({few:,} posts)",
            f"{at_many / at_few:.1f}x",
        ),
        ("the same beside a round", f"{busy:.1f}", f"{at_many:.1f} (idle)", f"{busy / at_many:.1f}x"),
        ("posts given to two people", f"{large['given to two people']:.0f}", "", ""),
        ("the queue swapped, ms with the write lock", f"{large['swap of a full queue, ms']:.0f}", "", ""),
    ]


def _say(figures: dict[str, float]) -> None:
    print(json.dumps({name: round(value, 1) for name, value in figures.items()}), file=sys.stderr, flush=True)


def _percentiles(when: str, took: dict[str, list[float]]) -> dict[str, float]:
    return {
        f"{name} {when}, p{share}, ms": float(np.percentile(values, share))
        for name, values in took.items()
        for share in (50, 95, 100)
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale")
    parser.add_argument("--posts", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seconds", type=float, default=20.0, help="of serving, idle and beside the round")
    options = parser.parse_args()
    columns: list[dict[str, float]] = []
    for posts in options.posts:
        with tempfile.TemporaryDirectory() as folder:
            columns.append(measure(Path(folder) / "project", posts, options.seconds))
            print(json.dumps({"posts": posts} | columns[-1]), flush=True)
    print("| | " + " | ".join(f"{posts:,}" for posts in options.posts) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name in columns[0]:
        cells = (f"{column[name]:,.1f}" for column in columns)
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
