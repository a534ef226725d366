"""Each annotator's answers and working time by day, for paying hours. It is not a ranking."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, tzinfo
from heapq import merge
from itertools import groupby
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries.checks import check_acts_of
from db.queries.people import acts_of, skipped_unlabelled
from db.tables import Person, QueueEntry
from workbench.accounts import Account, Right, reading
from workbench.labelling.pace import IDLE_SECONDS
from workbench.project import Project

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime(9000, 1, 1, tzinfo=UTC)
"""Days outside these cannot be expressed in every time zone."""


@dataclass(frozen=True)
class PersonDay:
    """One annotator's actions on one day, including those withdrawn later.

    `labelled`, `skipped` and `asked` are first answers to a post, `changed` corrections, `undone` withdrawn
    answers (returned skips included), `propagated` labels given to near-copies. `checked` counts answers to check
    posts, which are work and no new labels. `minutes` is the time from showing a post to saving its answer, without
    those above two minutes.
    """

    person: str
    day: date
    labelled: int
    skipped: int
    asked: int
    changed: int
    undone: int
    propagated: int
    checked: int
    minutes: float

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "day": self.day.isoformat()}


COLUMNS = tuple(column.name for column in fields(PersonDay))


@dataclass(frozen=True)
class SkippedPosts:
    waiting: int
    queued: int


def timesheet(
    project: Project, account: Account, *, since: date | None = None, zone: tzinfo
) -> Iterator[PersonDay]:
    """Every annotator's days from `since`, by the clock of `zone`, one snapshot for each annotator.

    Raises NotAllowedError at the call if `account` is not a lead.
    """
    with reading(project, account, Right.REVIEW) as session:
        people = session.execute(select(Person.id, Person.name).order_by(Person.name)).all()
    begin = EPOCH if since is None else datetime(since.year, since.month, since.day, tzinfo=zone)
    begin = min(max(EPOCH, begin), FOREVER)
    return _days(project, [(person.id, person.name) for person in people], begin, zone)


def cells(days: Iterable[PersonDay], headings: Sequence[str] = COLUMNS) -> Iterator[Sequence[object]]:
    yield headings
    for day in days:
        yield tuple(day.to_dict().values())


def skipped_posts(session: Session) -> SkippedPosts:
    waiting = skipped_unlabelled().subquery()
    queued = select(func.count()).join_from(waiting, QueueEntry, QueueEntry.post_id == waiting.c.post_id)
    return SkippedPosts(
        session.scalar(select(func.count()).select_from(waiting)) or 0, session.scalar(queued) or 0
    )


def _days(
    project: Project, people: Sequence[tuple[int, str]], begin: datetime, zone: tzinfo
) -> Iterator[PersonDay]:
    def day_of(act: Any) -> date:
        return datetime.fromtimestamp(act.saved, zone).date()

    for person_id, name in people:
        with project.database.read() as session:
            answers, checks = (session.execute(query(person_id, begin)) for query in (acts_of, check_acts_of))
            acts = merge(answers, checks, key=lambda act: act.saved)
            days = [_count(name, day, those) for day, those in groupby(acts, key=day_of)]
        yield from days


def _count(name: str, day: date, acts: Iterable[Any]) -> PersonDay:
    counts = dict.fromkeys(("labelled", "skipped", "asked", "changed", "undone", "propagated", "checked"), 0)
    seconds = 0.0
    for act in acts:
        if (kind := _kind(act)) is not None:
            counts[kind] += 1
        if kind in {"labelled", "skipped", "asked", "checked"} and _is_first(act) and act.shown is not None:
            took = act.saved - act.shown
            seconds += took if 0 <= took <= IDLE_SECONDS else 0
    return PersonDay(name, day, **counts, minutes=round(seconds / 60, 1))


def _kind(act: Any) -> str | None:
    """The count to which an action belongs; None for a later reason, for copies that follow a change, and for
    whatever happens to the answer to a check post later.
    """
    if act.origin == "check":
        return "checked" if act.action != "undo" and _is_first(act) else None
    if act.origin == "propagated":
        return "propagated" if act.action == "label" and _is_first(act) else None
    if act.action == "undo":
        return "undone"
    if act.is_flagged and (_is_first(act) or not act.was_flagged):
        return "asked"
    if _is_first(act):
        return "labelled" if act.action == "label" else "skipped"
    return "changed" if act.label != act.label_before else None


def _is_first(act: Any) -> bool:
    return act.action_before in {None, "undo"}
