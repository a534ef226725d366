"""The idempotent steps that need torch, and the preparation of imports. Run by `torch_tasks` in a process of its own."""

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from db.tables import PostText, Round
from trainer.files import write_text
from trainer.running.device import default_device, gpu_memory
from trainer.scoring.scorer import Scorer, StoppedError
from trainer.scoring.sweep import Progress
from workbench.errors import WorkbenchError
from workbench.imports.preparing import prepare
from workbench.overview import radar_scan
from workbench.project import Project
from workbench.queue import strata, swap
from workbench.rounds import lifecycle
from workbench.rounds.champion import champion_number
from workbench.scores.round_scores import RoundScores
from workbench.worker.attempts import GO, SupersededError, begin
from workbench.worker.child import FENCE_SECONDS, open_log
from workbench.worker.due import due_file
from workbench.worker.promoting import promote_with
from workbench.worker.scoring import (
    Scored,
    score_missing,
    tokenise_posts,
    vectors_of_posts,
)

CHECKED_SCORES = 100
"""Scores of an adopted adapter that are recomputed for comparison."""
SCORE_TOLERANCE = 0.05
"""Largest difference of a probability that half precision on a GPU explains."""
WRITE_SECONDS = 0.5


def admit(project: Project, number: int) -> str:
    """Check that an adopted adapter can score; discard the scores in its bundle if they are not its own.

    Compares posts drawn here with an unseeded generator, so that a bundle cannot prepare for them.
    """
    attempt = begin(project, number, "evaluating")
    folder = project.round_folder(number)
    scorer = Scorer.load(folder)
    own = RoundScores.of(project, number)
    scores = own.read()
    brought = len(scores.post_ids)
    places = np.random.default_rng().choice(brought, min(CHECKED_SCORES, brought), replace=False)
    with project.database.read() as session:
        texts = [session.get_one(PostText, int(scores.post_ids[place])).text for place in places]
    gap = np.abs(scorer.probabilities(texts) - scores.probabilities[places]).max(initial=0)
    if gap > SCORE_TOLERANCE:
        attempt.folder.mkdir(parents=True, exist_ok=True)
        own.folder.rename(attempt.folder / own.folder.name)  # atomic
        with open_log(attempt.log_folder, "adopting") as log:
            log.write(
                f"the scores that came along differ by {gap:.2f} from the adapter's own: made again here\n"
            )
    with attempt.finish(step_attempts=0):
        return GO


def score(project: Project, number: int) -> str:
    attempt = begin(project, number, "scoring", serves_promotion=True)
    try:
        scored = _score(project, number, _every(FENCE_SECONDS, lambda: not attempt.is_wanted()))
    except StoppedError:
        raise SupersededError from None
    if not attempt.is_wanted():
        raise SupersededError
    with attempt.finish(step_attempts=0) as session:
        row = session.get_one(Round, number)
        row.scored = _summary(row.scored, scored, RoundScores.of(project, number).count())
    return GO


def promote(project: Project, number: int) -> str:
    promote_with(project, number, vectors=vectors_of_posts(project))
    _watch(project)
    return GO


def prepare_import(project: Project, _import_id: int) -> str:
    """Group new posts, score them with the champion and rebuild the queue.

    Raises WorkbenchError for an import with missing rows, after all other imports are prepared.
    """
    due, problem = due_file(project), None
    due.touch()
    try:
        prepare(project)
    except WorkbenchError as error:
        problem = error
    with project.database.read() as session:
        champion = champion_number(session)
    if champion is not None:
        _score(project, champion, lambda: False)
        strata.give_strata(project, champion)
    else:
        _tokenise(project)
    swap.rebuild(project, vectors=vectors_of_posts(project))
    due.unlink(missing_ok=True)
    _watch(project)
    if problem is not None:
        raise problem
    return GO


def _tokenise(project: Project) -> None:
    """An optimisation that may fail: later steps compute missing token ids."""
    try:
        tokenise_posts(project)
    except Exception:
        logging.exception("the token ids of new posts could not be kept")


def _watch(project: Project) -> None:
    """No step depends on the radar, so a failure is only logged."""
    try:
        radar_scan.watch(project)
    except Exception:
        logging.exception("the radar failed")


def _summary(before: dict[str, Any] | None, scored: Scored, total: int) -> dict[str, Any]:
    """Totals over all attempts and later imports; precision and agreement of the last pass."""
    totals = before or {}
    seconds = totals.get("seconds", 0.0) + scored.seconds
    more: dict[str, Any] = {}
    if scored.n:
        distinct = totals.get("distinct", 0) + scored.distinct
        more = {"distinct": distinct, "precision": scored.precision, "agreement": scored.agreement}
    return {
        **totals,
        **more,
        "n": total,
        "seconds": round(seconds, 3),
        "posts_per_second": round(total / seconds, 1) if seconds else None,
    }


def _score(project: Project, number: int, should_stop: Callable[[], bool]) -> Scored:
    file = lifecycle.progress_file(project, number, "scoring")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # of an earlier pass
    return score_missing(project, number, on_progress=_ProgressFile(file), should_stop=should_stop)


@dataclass
class _ProgressFile:
    """Writes progress as a single line, because a pass over ten million posts would append many.

    Speed is measured from the first report, so posts scored before a restart do not count.
    """

    file: Path
    first: tuple[Progress, float] | None = None
    written_at: float = -math.inf

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self.written_at < WRITE_SECONDS and progress.share < 1:
            return
        self.written_at = now
        first, begun = self.first = self.first or (progress, now)
        share, passed = progress.share - first.share, now - begun
        facts = {
            "step": progress.posts,
            "steps": progress.total,
            "seconds_left": passed / share * (1 - progress.share) if share > 0 else None,
            "posts_per_second": round((progress.posts - first.posts) / passed, 1) if passed else None,
            **gpu_memory(default_device()),
        }
        write_text(self.file, json.dumps(facts) + "\n")


def _every(seconds: float, ask: Callable[[], bool]) -> Callable[[], bool]:
    """`ask`, called at most once per `seconds`; the last answer otherwise."""
    asked, answer = time.monotonic(), False

    def throttled() -> bool:
        nonlocal asked, answer
        if time.monotonic() - asked >= seconds:
            asked, answer = time.monotonic(), ask()
        return answer

    return throttled
