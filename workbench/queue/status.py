"""Counts of posts, labels and queue entries for `workbench status`."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import func, select

from db.queries.serving import queue_left
from db.queries.standing import labelled_posts
from db.queries.training import labels_by_split
from db.tables import Claim, QueueState
from trainer.labels import LABELS
from workbench.exports.left_out import LeftOut, read_left_out
from workbench.posts.counting import count_posts, count_preparing, count_quarantined
from workbench.project import Project
from workbench.queue.band import band_counts
from workbench.queue.quick_order import QuickOrder, read_quick_order
from workbench.rounds.champion import champion_number, partly_scored_in_use
from workbench.rounds.lifecycle import is_worker_running
from workbench.scores.round_scores import PartlyScored

NO_MODEL, SIMPLE_MODEL = "typical and random posts", "a simple model of the labels"


@dataclass(frozen=True)
class Status:
    """Counts of posts; `champion` is the number of the round in use.

    `widened`: posts queued beyond the band because it was short; `left_out`: posts of the band beyond the
    limit. `labels` counts the labelled posts that count for their split, by split and label; `not_used` the others.
    `queue_order`: what the queue is ordered by, in words; `quick_labels`: the labels that a simple model in it has
    learned from.
    `partly_scored`: posts that the champion has not scored, which are in no band; None if it scored all.
    """

    posts: int
    labelled: int
    unlabelled: int
    in_band: int
    below_band: int
    widened: int
    left_out: int
    queued: int
    claimed: int
    champion: int | None
    queue_order: str
    quick_labels: int | None
    preparing: int
    quarantined: int
    labels: dict[str, dict[str, int]]
    not_used: LeftOut
    worker: bool
    partly_scored: PartlyScored | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_status(project: Project) -> Status:
    with project.database.read() as session:
        band, state = band_counts(session, project), session.get(QueueState, 1)
        champion, quick = champion_number(session), read_quick_order(project, session)
        posts = count_posts(session)
        labelled = session.scalar(select(func.count()).select_from(labelled_posts().subquery())) or 0
        labels: dict[str, dict[str, int]] = {}
        for split, label, count in session.execute(labels_by_split(LABELS)):
            labels.setdefault(split, {})[str(label)] = count
        return Status(
            posts=posts,
            labelled=labelled,
            unlabelled=posts - labelled,
            in_band=band.in_band,
            below_band=band.below_band,
            widened=state.widened if state else 0,
            left_out=state.left_out if state else 0,
            queued=sum(count for _lane, count in session.execute(queue_left())),
            claimed=session.scalar(
                select(func.count()).select_from(Claim).where(Claim.expires_at > project.now())
            )
            or 0,
            champion=champion,
            queue_order=_queue_order(champion, quick),
            quick_labels=None if quick is None else quick.labels,
            preparing=count_preparing(session),
            quarantined=count_quarantined(session, project),
            labels=labels,
            not_used=read_left_out(session, has_audit=True),
            worker=is_worker_running(project),
            partly_scored=partly_scored_in_use(session, project),
        )


def _queue_order(champion: int | None, quick: QuickOrder | None) -> str:
    if champion is None:
        return NO_MODEL if quick is None else SIMPLE_MODEL
    return f"round {champion}" if quick is None else f"round {champion} and {SIMPLE_MODEL}"
