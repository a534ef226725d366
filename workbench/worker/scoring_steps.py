"""The steps that need torch, and what follows an import. Each can be done again.

Only `torch_tasks` calls them, in the process that the worker starts for them.
"""

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from db.tables import Champion, PostText, Promotion, Round
from trainer.files import write_text
from trainer.running.device import default_device, gpu_memory
from trainer.scoring.scorer import Scorer, StoppedError
from trainer.scoring.sweep import Progress
from workbench.errors import WorkbenchError
from workbench.imports.preparing import prepare
from workbench.overview import radar_scan
from workbench.project import Project
from workbench.queue import plan, strata, swap
from workbench.rounds import lifecycle
from workbench.rounds.champion import champion_number
from workbench.scores.round_scores import RoundScores
from workbench.worker.attempts import GO, SupersededError, begin, sweep_attempts
from workbench.worker.child import FENCE_SECONDS, open_log
from workbench.worker.due import due_file
from workbench.worker.scoring import (
    Scored,
    cold_scores,
    score_missing,
    tokenise_posts,
    vectors_of_posts,
)

LOOKED_AT = 100
"""Of the scores that come with an adopted adapter, how many are made again to compare."""
SCORE_TOLERANCE = 0.05
"""What half precision on a GPU may change about a probability."""
WRITE_SECONDS = 0.5


def admit(project: Project, number: int) -> str:
    """See that an adopted adapter can score, and that the scores it brought are its own; else they go.

    A spot check: posts drawn here, so that nobody knows beforehand which.
    """
    attempt = begin(project, number, "evaluating")
    folder = project.round_folder(number)
    scorer = Scorer.load(folder)
    own = RoundScores.of(project, number)
    scores = own.read()
    brought = len(scores.post_ids)
    places = np.random.default_rng().choice(brought, min(LOOKED_AT, brought), replace=False)
    with project.database.read() as session:
        texts = [session.get_one(PostText, int(scores.post_ids[place])).text for place in places]
    gap = np.abs(scorer.probabilities(texts) - scores.probabilities[places]).max(initial=0)
    if gap > SCORE_TOLERANCE:
        attempt.folder.mkdir(parents=True, exist_ok=True)
        own.folder.rename(attempt.folder / own.folder.name)  # whole or not at all
        with open_log(project, number, "adopting") as log:
            log.write(
                f"the scores that came along differ by {gap:.2f} from the adapter's own: made again here\n"
            )
    with attempt.finish(step_attempts=0):
        return GO


def score(project: Project, number: int) -> str:
    """Score every post with the round's adapter, into the round's own files."""
    attempt = begin(project, number, "scoring")
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
    """Move the champion pointer and fill the queue from the new scores, in one short transaction."""
    attempt = begin(project, number, "scoring")
    strata.give_strata(project, number)
    planned = plan.plan(project, number, vectors=vectors_of_posts(project))
    now, replacing = project.now(), swap.replacing(project, planned)
    with attempt.finish(
        replacing, state="promoted", state_before=None, is_running=False, finished_at=now
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
    sweep_attempts(project, number)
    _watch(project)
    return GO


def prepare_import(project: Project, _import_id: int) -> str:
    """Group what is new, score it with the champion, fill the queue.

    Raises WorkbenchError, once that is done for all others, for an import that lacks rows.
    """
    due, problem = due_file(project), None
    due.touch()
    try:
        prepare(project)
    except WorkbenchError as error:
        problem = error
    vectors, cold = vectors_of_posts(project), None
    with project.database.read() as session:
        champion = champion_number(session)
    if champion is not None:
        _score(project, champion, lambda: False)
        strata.give_strata(project, champion)
    else:
        _tokenise(project)
        cold = None if vectors is None else cold_scores(project, vectors)
    swap.rebuild(project, vectors=vectors, cold=cold)
    due.unlink(missing_ok=True)
    _watch(project)
    if problem is not None:
        raise problem
    return GO


def _tokenise(project: Project) -> None:
    """Ahead of time. Whoever needs tokens makes what is missing, so nothing waits for it."""
    try:
        tokenise_posts(project)
    except Exception:
        logging.exception("the token ids of new posts could not be kept")


def _watch(project: Project) -> None:
    """Look for what is new. Nothing waits for it: a failure is told in the log alone."""
    try:
        radar_scan.watch(project)
    except Exception:
        logging.exception("the radar failed")


def _summary(before: dict[str, Any] | None, scored: Scored, total: int) -> dict[str, Any]:
    """All that the adapter has scored, over every attempt and later import; the precision is the last one's."""
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
    file.unlink(missing_ok=True)  # an earlier pass was done
    return score_missing(project, number, on_progress=_ProgressFile(file), should_stop=should_stop)


@dataclass
class _ProgressFile:
    """Keeps in a file how far scoring is: one line, as a pass over ten million posts would write many.

    What an earlier run had done says nothing of how fast this one is.
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
    """Ask at most so often; in between the last answer stands."""
    asked, answer = time.monotonic(), False

    def throttled() -> bool:
        nonlocal asked, answer
        if time.monotonic() - asked >= seconds:
            asked, answer = time.monotonic(), ask()
        return answer

    return throttled
