"""The worker: prepares imports, runs rounds, promotes. One a project, at low priority.

    python -m workbench.worker --home DIR

Rounds are durable workflows (DBOS): a worker killed in a step does that step again when it starts
anew, and none before it. Each time, the step takes a new attempt number; a result is accepted only
while the round still carries that number, so a worker that wakes up late changes nothing.
"""

import argparse
import fcntl
import json
import logging
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from typing import IO, Any

import numpy as np
from dbos import DBOS
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from db.tables import Champion, Import, Person, Post, PostText, Promotion, Round
from trainer.card import read_card
from trainer.device import default_device, gpu_memory, leave_a_core
from trainer.errors import TrainerError
from trainer.scorer import Scorer, StoppedError
from trainer.sweep import Progress
from workbench import gate, jobs, queue, rounds, scanning, search
from workbench.errors import RoundError, WorkbenchError
from workbench.explaining import Explainer
from workbench.jobs import Job
from workbench.jsonl import labelled_posts, publish_newest, write_export
from workbench.locks import WORK, hold
from workbench.preparing import prepare
from workbench.project import Project, open_project
from workbench.scores import count_scored, last_scored, read_scores
from workbench.scoring import (
    Scored,
    cold_scores,
    explain_with,
    find_doubts,
    old_cold_queue,
    score_missing,
    tokenise_posts,
    vectors_of_posts,
)

MOST_STEP_ATTEMPTS = 3
LOOKED_AT = 100
"""Of the scores that come with an adopted adapter, how many are made again to compare."""
SCORE_TOLERANCE = 0.05
"""What half precision on a GPU may change about a probability."""
LOCK_SECONDS = 1.0
COLD_LOOK_SECONDS = 20.0
TELL_SECONDS = 0.5
FENCE_SECONDS = 0.5
"""How often a long step looks whether it is still wanted."""

GO = "go"
Step = Callable[[Project, int], str]


class SupersededError(Exception):
    """The round was cancelled or decided otherwise while this step was at work."""


@dataclass(frozen=True)
class Attempt:
    """One try at one step of a round, with its fence and a folder of its own."""

    project: Project
    number: int
    fence: int

    @property
    def folder(self) -> Path:
        return self.project.models / f".round-{self.number:04d}-attempt-{self.fence}"

    def is_wanted(self) -> bool:
        with self.project.database.read() as session:
            return session.scalar(select(Round.number).where(*self._mine())) is not None

    @contextmanager
    def finish(
        self, within: AbstractContextManager[Session] | None = None, **values: object
    ) -> Iterator[Session]:
        """A write transaction, or the one given, that only commits while this attempt is the round's newest.

        Raises SupersededError otherwise.
        """
        with within or self.project.database.write() as session:
            change = update(Round).where(*self._mine()).values(number=Round.number, **values)
            if session.scalars(change.returning(Round.number)).first() is None:
                raise SupersededError
            yield session

    def _mine(self) -> tuple[Any, ...]:
        return (Round.number == self.number, Round.attempt == self.fence, Round.is_running)


def begin(project: Project, number: int, state: str) -> Attempt:
    """Enter a step with a new attempt number.

    Raises SupersededError when the round is over; a step that took the worker down three times ends it.
    """
    with project.database.write() as session:
        row = session.get_one(Round, number)
        if not row.is_running:
            raise SupersededError
        _sweep_attempts(project, number)
        row.step_attempts = row.step_attempts + 1 if row.state == state else 1
        row.attempt += 1
        row.state = state
        row.started_at = row.started_at or project.now()
        if row.step_attempts <= MOST_STEP_ATTEMPTS:
            return Attempt(project, number, row.attempt)
        rounds.fail(
            session,
            project,
            number,
            row.attempt,
            f"The worker stopped {MOST_STEP_ATTEMPTS} times while {state}. See the log.",
        )
    raise SupersededError


def export(project: Project, number: int) -> str:
    """Write what the round trains on and is judged by, from one snapshot."""
    attempt = begin(project, number, "exporting")
    with project.database.read() as session:
        posts = labelled_posts(session, number)
        row = session.get_one(Round, number)
        by = session.get_one(Person, row.started_by_id).name
    part = attempt.folder / "annotations"
    write_export(part, posts, round_number=number, by=by, now=project.now())
    with attempt.finish():
        _replace(part, _export_folder(project, number))
        publish_newest(_export_folder(project, number), project.annotations)
    return GO


def train(project: Project, number: int) -> str:
    """Train an adapter in a process of its own."""
    attempt = begin(project, number, "training")
    with project.database.read() as session:
        row = session.get_one(Round, number)
    files = _export_folder(project, number)
    adapter = attempt.folder / "adapter"
    command = ["trainer.train", "--train", files / "train.jsonl", "--eval", files / "validation.jsonl"]
    command += ["--out", adapter, "--base", row.base, *(["--quick"] if row.is_quick else [])]
    _run_child(attempt, "training", command)
    with attempt.finish():
        _replace(adapter, project.round_folder(number))
    return GO


def admit(project: Project, number: int) -> str:
    """See that an adopted adapter can score, and that the scores it brought are its own; else they go.

    A spot check: posts drawn here, so that nobody knows beforehand which.
    """
    attempt = begin(project, number, "evaluating")
    folder = project.round_folder(number)
    scorer = Scorer.load(folder)
    scores = read_scores(folder / "scores")
    brought = len(scores.post_ids)
    places = np.random.default_rng().choice(brought, min(LOOKED_AT, brought), replace=False)
    with project.database.read() as session:
        texts = [session.get_one(PostText, int(scores.post_ids[place])).text for place in places]
    gap = np.abs(scorer.probabilities(texts) - scores.probabilities[places]).max(initial=0)
    if gap > SCORE_TOLERANCE:
        attempt.folder.mkdir(parents=True, exist_ok=True)
        (folder / "scores").rename(attempt.folder / "scores")  # whole or not at all
        with _log(project, number, "adopting") as log:
            log.write(
                f"the scores that came along differ by {gap:.2f} from the adapter's own: made again here\n"
            )
    with attempt.finish(step_attempts=0):
        return GO


def evaluate(project: Project, number: int) -> str:
    """Measure the adapter on the test posts, beside the linear baseline and the adapter in use."""
    attempt = begin(project, number, "evaluating")
    with project.database.read() as session:
        champion = queue.champion_number(session)
    files, adapter = _export_folder(project, number), project.round_folder(number)
    out = attempt.folder / "evaluation"
    command = ["trainer.evaluate", "--model", adapter, "--test", files / "test.jsonl"]
    command += ["--train", files / "train.jsonl", "--out", out]
    command += [] if champion is None else ["--champion", project.round_folder(champion)]
    _run_child(attempt, "evaluating", command)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    report["card"] = asdict(read_card(adapter))
    _find_doubts(project, number)
    with attempt.finish(report=report):
        _replace(out, adapter / "evaluation")
    return GO


def _find_doubts(project: Project, number: int) -> None:
    """Look which labels a lead should look at again; a round is worth having without it."""
    try:
        find_doubts(_export_folder(project, number) / "train.jsonl", project.round_folder(number))
    except Exception:
        logging.exception("the labels of round %s could not be looked at", number)


def judge(project: Project, number: int) -> str:
    """Promote, block, or leave it to the lead."""
    attempt = begin(project, number, "gating")
    with project.database.read() as session:
        row = session.get_one(Round, number)
        verdict = gate.judge(row.report or {}, is_first=queue.champion_number(session) is None)
    if verdict.decision == "promote":
        with attempt.finish(verdict=verdict.to_dict()):
            return GO
    state = "awaiting" if verdict.decision == "ask" else "rejected"
    with attempt.finish(
        verdict=verdict.to_dict(),
        state=state,
        is_running=False,
        finished_at=project.now(),
        decision_reason=None if state == "awaiting" else "; ".join(verdict.reasons),
    ):
        return state


def score(project: Project, number: int) -> str:
    """Score every post with the round's adapter, into the round's own files."""
    attempt = begin(project, number, "scoring")
    scored = _score(project, number, _every(FENCE_SECONDS, lambda: not attempt.is_wanted()))
    if not attempt.is_wanted():
        raise SupersededError
    with attempt.finish(step_attempts=0) as session:
        row = session.get_one(Round, number)
        row.scored = _summary(row.scored, scored, count_scored(project.round_folder(number) / "scores"))
    return GO


def promote(project: Project, number: int) -> str:
    """Move the champion pointer and fill the queue from the new scores, in one short transaction."""
    attempt = begin(project, number, "scoring")
    queue.give_strata(project, number)
    made = queue.plan(project, number, vectors=vectors_of_posts(project))
    now, swap = project.now(), queue.replacing(project, made)
    with attempt.finish(
        swap, state="promoted", state_before=None, is_running=False, finished_at=now
    ) as session:
        row = session.get_one(Round, number)
        champion = session.get(Champion, 1)
        previous = champion.round_number if champion else None
        session.add(
            Promotion(
                round_number=number,
                previous_number=previous,
                is_rollback=row.is_rolling_back,
                person_id=row.decided_by_id or row.started_by_id,
                promoted_at=now,
            )
        )
        session.merge(Champion(id=1, round_number=number, since=now))
    _sweep_attempts(project, number)
    _watch(project)
    return GO


def prepare_import(project: Project, _import_id: int) -> str:
    """Group what is new, score it with the champion, fill the queue.

    Raises WorkbenchError, once that is done for all others, for an import that lacks rows.
    """
    due, problem = _due(project), None
    due.touch()
    try:
        prepare(project)
    except WorkbenchError as error:
        problem = error
    vectors, cold = vectors_of_posts(project), None
    with project.database.read() as session:
        champion = queue.champion_number(session)
    if champion is not None:
        _score(project, champion, lambda: False)
        queue.give_strata(project, champion)
    else:
        _tokenise(project)
        cold = None if vectors is None else cold_scores(project, vectors)
    queue.rebuild(project, vectors=vectors, cold=cold)
    due.unlink(missing_ok=True)
    _watch(project)
    if problem is not None:
        raise problem
    return GO


def _due(project: Project) -> Path:
    """There while posts wait for a queue that knows them, whatever became of whoever was filling it."""
    return project.data / "queue.due"


def _tokenise(project: Project) -> None:
    """Ahead of time. Whoever needs tokens makes what is missing, so nothing waits for it."""
    try:
        tokenise_posts(project)
    except Exception:
        logging.exception("the token ids of new posts could not be kept")


def _watch(project: Project) -> None:
    """Look for what is new. Nothing waits for it: a failure is told in the log alone."""
    try:
        scanning.watch(project)
    except Exception:
        logging.exception("the radar failed")


def serve(project: Project, stop: threading.Event) -> None:
    """Take jobs until told to stop.

    Raises WorkbenchError when this project has a worker already.
    """
    at_work = threading.Event()
    with _only_worker(project):
        _register(project, at_work)
        DBOS(config=jobs.config(project.database.engine))
        DBOS.launch()
        DBOS.register_queue(jobs.QUEUE, global_concurrency=1, polling_interval_sec=0.5)
        _take_up(project)
        explainer = Explainer(project, explain_with)
        threading.Thread(target=explainer.keep_explaining, args=(stop, at_work), daemon=True).start()
        print("The worker is ready.", flush=True)
        while not stop.wait(COLD_LOOK_SECONDS):
            _refresh_cold_queue(project)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workbench.worker", description="Run a project's worker.")
    parser.add_argument("--home", type=Path, default=Path())
    parser.add_argument("--watch-stdin", action="store_true", help="end when standard input closes")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    leave_a_core()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if options.watch_stdin:
        threading.Thread(target=_stop_with_stdin, args=(stop,), daemon=True).start()
    try:
        project = open_project(options.home)
        serve(project, stop)
    except (WorkbenchError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    _forgive_stop(project)
    # At once, whatever the step at work is doing: its child dies with the pipe, it resumes next time.
    os._exit(0)


def _register(project: Project, at_work: threading.Event) -> None:
    """Name the workflows. Steps are looked up when they run, in the order they are written here.

    `at_work` is set while one runs: explanations wait.
    """

    def round_job(number: int) -> str:
        result = _run_steps(project, number, (export, train, evaluate, judge))
        return _run_steps(project, number, (score, promote)) if result == GO else result

    def adopt_job(number: int) -> str:
        result = _run_steps(project, number, (admit, evaluate, judge))
        return _run_steps(project, number, (score, promote)) if result == GO else result

    def promote_job(number: int) -> str:
        return _run_steps(project, number, (score, promote))

    def prepare_job(number: int) -> str:
        return DBOS.run_step({"name": "prepare"}, _prepare_guarded, project, number)

    # A step of a round counts its own attempts; a preparation that kills the worker is given up after three.
    DBOS.workflow(name=Job.ROUND, max_recovery_attempts=None)(_marking(project, at_work, round_job))
    DBOS.workflow(name=Job.ADOPT, max_recovery_attempts=None)(_marking(project, at_work, adopt_job))
    DBOS.workflow(name=Job.PROMOTE, max_recovery_attempts=None)(_marking(project, at_work, promote_job))
    DBOS.workflow(name=Job.PREPARE, max_recovery_attempts=MOST_STEP_ATTEMPTS)(
        _marking(project, at_work, prepare_job)
    )


def _marking(project: Project, at_work: threading.Event, job: Callable[[int], str]) -> Callable[[int], str]:
    """Set while the job runs, and the lock held; there is one at a time."""

    @wraps(job)
    def marked(number: int) -> str:
        with hold(project.data / WORK, waits=True):
            at_work.set()
            try:
                return job(number)
            finally:
                at_work.clear()

    return marked


def _refresh_cold_queue(project: Project) -> None:
    """Before the first round, labels are worth a new order of the queue every now and then."""
    with project.database.read() as session:
        built_at = old_cold_queue(session)
    if built_at is not None:
        with project.database.write() as session:
            again = f"cold-{built_at.isoformat()}"  # one job for each time the queue was filled
            jobs.enqueue(project.database.engine, session, Job.PREPARE, 0, job_id=again)


def _take_up(project: Project) -> None:
    """Ask again for what an earlier worker gave up: preparations that failed, rounds without a job."""
    with project.database.write() as session:
        if _is_work_left(session, project):
            again = f"prepare-again-{time.time_ns()}"
            jobs.enqueue(project.database.engine, session, Job.PREPARE, 0, job_id=again)
        row = rounds.running(session)
        if row is not None and not jobs.is_waiting(project.database.engine, row.number):
            rounds.fail(
                session, project, row.number, row.attempt, "The worker gave up on this round. See the log."
            )


def _is_work_left(session: Session, project: Project) -> bool:
    """Posts wait to be grouped, or grouped ones to be found by search or scored by the adapter in use."""
    if session.scalar(select(Import.id).where(Import.state == "stored").limit(1)) is not None:
        return True
    if search.is_behind(session) or _due(project).exists():
        return True
    champion = queue.champion_number(session)
    newest = session.scalar(select(func.max(Post.id)).where(Post.group_id.is_not(None)))
    if champion is None or newest is None:
        return False
    return last_scored(project.round_folder(champion) / "scores") < newest


def _forgive_stop(project: Project) -> None:
    """An orderly stop is no crash: the step at work may start again without it counting."""
    with project.database.write() as session:
        session.execute(
            update(Round)
            .where(Round.is_running, Round.step_attempts > 0)
            .values(step_attempts=Round.step_attempts - 1)
        )


def _prepare_guarded(project: Project, number: int) -> str:
    """Prepare; what goes wrong is written to the imports that wait, and tried again by the next worker."""
    try:
        return prepare_import(project, number)
    except Exception as error:
        logging.exception("preparing failed")
        with project.database.write() as session:
            waiting = update(Import).where(Import.state == "stored")
            told = str(error) if isinstance(error, WorkbenchError) else f"{type(error).__name__}: {error}"
            session.execute(waiting.values(failure=told))
        return "failed"


def _run_steps(project: Project, number: int, steps: Sequence[Step]) -> str:
    for step in steps:
        result = DBOS.run_step({"name": step.__name__}, _guarded, project, number, step)
        if result != GO:
            return result
    return GO


def _guarded(project: Project, number: int, step: Step) -> str:
    """Run a step; whatever goes wrong in it ends the round with one sentence, and the log has the rest."""
    try:
        return step(project, number)
    except (SupersededError, StoppedError):
        return "superseded"
    except Exception as error:
        expected = isinstance(error, WorkbenchError | TrainerError)
        sentence = str(error) if expected else f"{step.__name__} failed: {type(error).__name__}: {error}"
        with project.database.write() as session:
            row = session.get_one(Round, number)
            rounds.fail(session, project, number, row.attempt, sentence)
        # Last, and allowed to fail: the disk may be what is full.
        with suppress(OSError), _log(project, number, "errors") as log:
            log.write(f"{sentence}\n" if expected else traceback.format_exc())
        return "failed"


def _run_child(attempt: Attempt, step: str, command: Sequence[object]) -> None:
    """Run a trainer module as a child that dies with this process and with the attempt.

    Raises RoundError with the child's last line when it fails, SupersededError when the round is cancelled.
    """
    module, *arguments = map(str, command)
    progress = rounds.progress_file(attempt.project, attempt.number, step)
    with _log(attempt.project, attempt.number, step) as log:
        begin_of_log = log.tell()
        progress.unlink(missing_ok=True)
        # -P keeps the working directory, with its data/ and models/, off the child's import path.
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments, "--progress", str(progress), "--watch-stdin"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait(child, attempt)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    if child.returncode != 0:
        reason = _last_words(Path(log.name), begin_of_log, child.returncode)
        raise RoundError("{step} failed: {reason}", step=step.capitalize(), reason=reason)


def _last_words(log: Path, begin: int, status: int) -> str:
    if status < 0:
        return f"the system ended it with signal {-status} (out of memory?)"
    with log.open("rb") as file:
        file.seek(begin)
        lines = file.read().decode("utf-8", "replace").strip().rsplit("\n", 1)
    return lines[-1].removeprefix("error: ") or f"it ended with status {status}"


def _replace(part: Path, final: Path) -> None:
    """Move a finished folder to its place; what an attempt that died before its commit left there goes."""
    shutil.rmtree(final, ignore_errors=True)
    final.parent.mkdir(parents=True, exist_ok=True)
    part.rename(final)


def _sweep_attempts(project: Project, number: int) -> None:
    for folder in project.models.glob(f".round-{number:04d}-attempt-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _summary(before: dict[str, Any] | None, scored: Scored, total: int) -> dict[str, Any]:
    """All that the adapter has scored, over every attempt and later import; the precision is the last one's."""
    known = before or {}
    seconds = known.get("seconds", 0.0) + scored.seconds
    more: dict[str, Any] = {}
    if scored.n:
        distinct = known.get("distinct", 0) + scored.distinct
        more = {"distinct": distinct, "precision": scored.precision, "agreement": scored.agreement}
    return {
        **known,
        **more,
        "n": total,
        "seconds": round(seconds, 3),
        "posts_per_second": round(total / seconds, 1) if seconds else None,
    }


def _wait(child: subprocess.Popen[bytes], attempt: Attempt) -> None:
    while True:
        try:
            child.wait(FENCE_SECONDS)
        except subprocess.TimeoutExpired:
            if not attempt.is_wanted():
                raise SupersededError from None
        else:
            return


def _score(project: Project, number: int, should_stop: Callable[[], bool]) -> Scored:
    file = rounds.progress_file(project, number, "scoring")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # an earlier pass was done
    return score_missing(project, number, on_progress=_Telling(file), should_stop=should_stop)


@dataclass
class _Telling:
    """Keeps in a file how far scoring is: one line, as a pass over ten million posts would write many.

    What an earlier run had done says nothing of how fast this one is.
    """

    file: Path
    first: tuple[Progress, float] | None = None
    told_at: float = -math.inf

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self.told_at < TELL_SECONDS and progress.share < 1:
            return
        self.told_at = now
        first, begun = self.first = self.first or (progress, now)
        share, passed = progress.share - first.share, now - begun
        told = {
            "step": progress.posts,
            "steps": progress.total,
            "seconds_left": passed / share * (1 - progress.share) if share > 0 else None,
            "posts_per_second": round((progress.posts - first.posts) / passed, 1) if passed else None,
            **gpu_memory(default_device()),
        }
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(told) + "\n", encoding="utf-8")
        part.replace(self.file)


def _every(seconds: float, ask: Callable[[], bool]) -> Callable[[], bool]:
    """Ask at most so often; in between the last answer stands."""
    asked, answer = time.monotonic(), False

    def throttled() -> bool:
        nonlocal asked, answer
        if time.monotonic() - asked >= seconds:
            asked, answer = time.monotonic(), ask()
        return answer

    return throttled


def _export_folder(project: Project, number: int) -> Path:
    return project.annotations / f"round-{number:04d}"


@contextmanager
def _log(project: Project, number: int, name: str) -> Iterator[Any]:
    folder = rounds.log_folder(project, number)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.log").open("a", encoding="utf-8") as file:
        yield file


@contextmanager
def _only_worker(project: Project) -> Iterator[None]:
    with (project.data / "worker.lock").open("w") as lock:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _is_locked(lock):
            if time.monotonic() > deadline:
                raise WorkbenchError("A worker is already running in {home}.", home=project.home)
            time.sleep(LOCK_SECONDS / 20)
        yield


def _is_locked(lock: IO[str]) -> bool:
    """Whoever looks if a worker is running holds the lock for a moment, so one refusal says little."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stop_with_stdin(stop: threading.Event) -> None:
    # Not through sys.stdin: its lock, held by a daemon thread, is fatal when the interpreter shuts down.
    while os.read(0, 4096):
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
