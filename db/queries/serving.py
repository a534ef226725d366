"""What waits in the queue, who holds it, and what goes to whom next."""

from datetime import datetime

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import aliased

from db.queries.standing import is_current, is_resolved
from db.tables import Annotation, Claim, Explanation, Person, Post, PostGroup, PostText, QueueEntry

# Made once: an alias costs a millisecond, and this is asked several times at every key press.
_LATER = aliased(Annotation)


def has_answer() -> ColumnElement[bool]:
    """The same for a queue entry, whose lane tells whether its post is held out: what `is_answered` repeats."""
    said = exists().where(
        Annotation.post_id == QueueEntry.post_id,
        Annotation.action == "label",
        is_current(),
        or_(QueueEntry.lane != "held_out", Annotation.source.is_(None)),
    )
    return or_(said, is_resolved(QueueEntry.post_id))


def is_open() -> ColumnElement[bool]:
    """A queue entry nobody has answered, in the words of its partial index."""
    return ~QueueEntry.is_answered


RECENT = 5_000
"""Annotations looked at for a second opinion: the time to find one must not grow with the years."""


def second_opinions_wanted(
    person_id: int | ColumnElement[int], now: datetime | ColumnElement[datetime]
) -> Select[int]:
    """Pool posts that exactly one person has labelled of late, somebody else, newest first.

    Those somebody holds, and those a lead has resolved, are left out. The split is looked up for each and not
    joined: SQLite would begin with every group of the pool.
    """
    other = aliased(Annotation)
    another = (
        exists()
        .where(
            other.post_id == Annotation.post_id,
            other.person_id != Annotation.person_id,
            other.action.in_(("label", "skip")),
            ~exists().where(_LATER.supersedes_id == other.id),
        )
        .correlate(Annotation)
    )
    held = exists().where(Claim.post_id == Annotation.post_id, Claim.slot == 1, Claim.expires_at > now)
    split = (
        select(PostGroup.split)
        .join(Post, Post.group_id == PostGroup.id)
        .where(Post.id == Annotation.post_id)
        .correlate(Annotation)
        .scalar_subquery()
    )
    return (
        select(Annotation.post_id)
        .where(
            Annotation.id > select(func.max(Annotation.id) - RECENT).scalar_subquery(),
            Annotation.action == "label",
            Annotation.origin == "person",
            Annotation.person_id != person_id,
            split == "pool",
            is_current(),
            ~another,
            ~held,
            ~is_resolved(Annotation.post_id),
        )
        .order_by(Annotation.id.desc())
    )


def free_queue_entries(
    lane: str | ColumnElement[str],
    person_id: int | ColumnElement[int],
    now: datetime | ColumnElement[datetime],
) -> Select[QueueEntry]:
    """Entries of a lane in order, without those somebody holds or this person has skipped."""
    held = exists().where(Claim.post_id == QueueEntry.post_id, Claim.slot == 0, Claim.expires_at > now)
    skipped = exists().where(
        Annotation.post_id == QueueEntry.post_id,
        Annotation.action == "skip",
        Annotation.person_id == person_id,
        is_current(),
    )
    return (
        select(QueueEntry)
        .where(QueueEntry.lane == lane, is_open(), ~held, ~skipped)
        .order_by(QueueEntry.position)
    )


def queue_left() -> Select[str, int]:
    """lane, number of entries nobody has answered."""
    return select(QueueEntry.lane, func.count()).where(is_open()).group_by(QueueEntry.lane)


def live_claims(now: datetime) -> Select[int]:
    """Posts that somebody has open."""
    return select(Claim.post_id).where(Claim.expires_at > now)


def claims_of(person_id: int | ColumnElement[int]) -> Select[Claim]:
    """What a person holds, the one on screen first; a lease that ran out is theirs until somebody takes it over."""
    return select(Claim).where(Claim.person_id == person_id).order_by(Claim.claimed_at, Claim.post_id)


def holders(now: datetime) -> Select[int, str, int, datetime]:
    """Who has waiting posts open: person, name, number of posts, when the last lease ends."""
    return (
        select(Person.id, Person.name, func.count(), func.max(Claim.expires_at))
        .join(Claim, Claim.person_id == Person.id)
        .join(QueueEntry, QueueEntry.post_id == Claim.post_id)
        .where(is_open(), Claim.slot == 0, Claim.expires_at > now)
        .group_by(Person.id)
        .order_by(Person.name)
    )


def skipped_entries(person_id: int) -> Select[Annotation]:
    """A person's standing skips of posts that still wait in the queue, questions to the lead among them."""
    return (
        select(Annotation)
        .join(QueueEntry, QueueEntry.post_id == Annotation.post_id)
        .where(is_open(), Annotation.person_id == person_id, Annotation.action == "skip", is_current())
    )


def unexplained_posts(round_number: int, now: datetime) -> Select[int, str]:
    """Id and text of the posts people hold with a score of this round and no explanation yet, newest claim first.

    Never a held-out one: what the model makes of it is told to nobody. It is asked every second, and nothing is
    joined, since SQLite would rather begin with all texts or all of the pool than with the few claims.
    """
    text = select(PostText.text).where(PostText.post_id == Claim.post_id).scalar_subquery()
    split = (
        select(PostGroup.split)
        .join(Post, Post.group_id == PostGroup.id)
        .where(Post.id == Claim.post_id)
        .scalar_subquery()
    )
    scored = exists().where(
        QueueEntry.post_id == Claim.post_id,
        QueueEntry.round_number == round_number,
        QueueEntry.lane != "held_out",
    )
    explained = exists().where(Explanation.post_id == Claim.post_id, Explanation.round_number == round_number)
    return (
        select(Claim.post_id, text.label("text"))
        .where(Claim.expires_at > now, Claim.lane != "held_out", split == "pool", scored, ~explained)
        .group_by(Claim.post_id)
        .order_by(func.max(Claim.claimed_at).desc(), Claim.post_id)
    )


def served_blind(post_id: int) -> Select[int]:
    """The standing answers, skips among them, of people who were served this post as a held-out one."""
    return select(Annotation.id).where(
        Annotation.post_id == post_id,
        Annotation.lane == "held_out",
        Annotation.action != "undo",
        is_current(),
    )
