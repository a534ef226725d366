"""Labelled posts that an export or a round does without, and why."""

from dataclasses import asdict, dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries.review import asked_of_lead
from db.queries.standing import labelled_posts
from db.queries.training import labels_by_use
from trainer.messages import Message


@dataclass(frozen=True)
class LeftOut:
    """Counts of labelled posts; each is in one of them at most."""

    unprepared: int = 0
    set_aside: int = 0
    source_held_out: int = 0
    audit: int = 0

    @property
    def posts(self) -> int:
        return sum(asdict(self).values())

    def to_dict(self) -> dict[str, int]:
        return asdict(self)

    def reasons(self) -> list[Message]:
        reasons = [
            Message("{count} wait for the worker to prepare them", count=self.unprepared),
            Message("{count} are set aside: they have near-copies in several splits", count=self.set_aside),
            Message(
                "{count} are held out for validation, test or audit and have labels with a source only, which are never used there",
                count=self.source_held_out,
            ),
            Message("{count} are in the sealed audit set", count=self.audit),
        ]
        return [reason for reason in reasons if reason.values["count"]]


def read_left_out(session: Session, *, has_audit: bool) -> LeftOut:
    """`has_audit`: the sealed audit set is not left out."""
    counts = dict.fromkeys(LeftOut().to_dict(), 0)
    for split, is_set_aside, is_used, count in session.execute(labels_by_use()):
        reason = _reason(split, is_set_aside, is_used)
        if reason is not None and not (reason == "audit" and has_audit):
            counts[reason] += count
    return LeftOut(**counts)


def count_asked(session: Session) -> int:
    """Posts without a label that wait for a lead."""
    asked = asked_of_lead().subquery()
    query = select(func.count(asked.c.post_id.distinct())).where(asked.c.post_id.not_in(labelled_posts()))
    return session.scalar(query) or 0


def _reason(split: str | None, is_set_aside: bool, is_used: bool) -> str | None:
    if is_set_aside:
        return "set_aside"
    if split is None:
        return "unprepared"
    if not is_used:
        return "source_held_out"
    return "audit" if split == "audit" else None
