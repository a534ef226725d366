"""The reasons why an annotator gets no post, for the page that explains them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.queries.serving import holders, others_entries, queue_left, skipped_entries
from workbench.accounts import Account
from workbench.posts.counting import count_posts, count_preparing
from workbench.project import Project
from workbench.queue.band import band_counts
from workbench.rounds.champion import champion_number, partly_scored_in_use
from workbench.rounds.lifecycle import is_worker_running
from workbench.scores.round_scores import PartlyScored


@dataclass(frozen=True)
class Holder:
    name: str
    posts: int
    until: datetime


@dataclass(frozen=True)
class EmptyQueue:
    """`queued` posts are in the queue; of these the annotator has skipped `skipped` and asked the lead about
    `asked`. `of_others` belong to boards that are assigned to other people.
    """

    posts: int
    preparing: int
    queued: int
    of_others: int
    skipped: int
    asked: int
    in_band: int
    held_by: Sequence[Holder]
    has_champion: bool
    has_worker: bool
    partly_scored: PartlyScored | None = None
    """Coverage of the champion's scores; None if it has scored every post."""


def read_empty_queue(project: Project, account: Account) -> EmptyQueue:
    with project.database.read() as session:
        band = band_counts(session, project)
        passed_on = session.scalars(skipped_entries(account.id)).all()
        return EmptyQueue(
            posts=count_posts(session),
            preparing=count_preparing(session),
            queued=sum(count for _lane, count in session.execute(queue_left())),
            of_others=session.scalar(others_entries(account.id)) or 0,
            skipped=sum(not answer.is_flagged for answer in passed_on),
            asked=sum(answer.is_flagged for answer in passed_on),
            in_band=band.in_band + band.below_band,
            held_by=[
                Holder(name, count, until)
                for person, name, count, until in session.execute(holders(project.now()))
                if person != account.id
            ],
            has_champion=champion_number(session) is not None,
            has_worker=is_worker_running(project),
            partly_scored=partly_scored_in_use(session, project),
        )
