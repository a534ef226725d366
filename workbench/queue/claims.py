"""Which post a person gets next, and the lease on it while they have it open.

A person holds at most two posts, the one on screen and the next.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, case, delete, exists, insert, or_, select, union, update
from sqlalchemy.orm import Session

from db.queries.serving import claims_of, free_queue_entries, has_answer, second_opinions_wanted
from db.queries.standing import labelled_groups, labels_of_post, standing_resolutions
from db.tables import (
    Annotation,
    Champion,
    Claim,
    LapsedClaim,
    Person,
    Post,
    PostGroup,
    QueueEntry,
    Resolution,
)
from trainer.selection.lanes import HELD_OUT, SECOND_OPINION, UNCERTAIN, at_cold_start, preference, turns
from workbench.accounts import Account
from workbench.project import Project

POSTS_HELD = 2
"""Posts a person holds: the one on screen and the one behind it."""
BLIND_LANES = frozenset({HELD_OUT})
"""What the model thinks of their posts is never told to who labels them."""
SECOND_OPINIONS_FROM = 200
"""Of so many newest labels one is drawn for a second opinion."""
TICK = timedelta(microseconds=1)

# Built once, and read without an object for each row: they are asked at every key press, and what SQLAlchemy
# does around a statement takes longer than the statement.
_PERSON: ColumnElement[int] = bindparam("who")
_NOW = bindparam("now", type_=Claim.expires_at.type)
_CLAIMS = claims_of(_PERSON).with_only_columns(
    Claim.post_id, Claim.slot, Claim.lane, Claim.claimed_at, Claim.expires_at
)
_TURN = select(Person.turns, exists().where(Champion.id == 1).label("has_champion")).where(
    Person.id == _PERSON
)
_TURN_OVER = update(Person).where(Person.id == _PERSON).values(turns=Person.turns + 1)
_FREE = free_queue_entries(bindparam("lane"), _PERSON, _NOW).with_only_columns(QueueEntry.post_id).limit(1)
_IS_SAME = (Claim.post_id == bindparam("on_post"), Claim.slot == bindparam("in_slot"))
_IS_OVER = or_(Claim.expires_at <= _NOW, Claim.person_id == _PERSON)
_OVER = select(Claim.post_id, Claim.person_id, Claim.lane, Claim.shown_at).where(*_IS_SAME, _IS_OVER)
_GIVE_UP = delete(Claim).where(*_IS_SAME)
_TAKE = insert(Claim)
_RENEW = (
    update(Claim)
    .where(Claim.person_id == _PERSON)
    .values(
        expires_at=bindparam("until", type_=Claim.expires_at.type),
        shown_at=case((Claim.shown_at.is_(None) & _IS_SAME[0] & _IS_SAME[1], _NOW), else_=Claim.shown_at),
    )
)
_NOTE = (
    update(QueueEntry)
    .where(QueueEntry.post_id.in_(bindparam("post_ids", expanding=True)))
    .values(is_answered=has_answer())
)
_IS_LABELLED = select(
    or_(
        labels_of_post(bindparam("post_id")).where(Annotation.person_id != bindparam("but")).exists(),
        standing_resolutions()
        .where(Resolution.post_id == bindparam("post_id"), Resolution.person_id != bindparam("but"))
        .exists(),
    )
)
_WANTED = second_opinions_wanted(_PERSON, _NOW).limit(SECOND_OPINIONS_FROM)
NOBODY = 0
"""No person's number."""


@dataclass(frozen=True)
class _NextPost:
    """A post, why it is served, and whether to a second person."""

    post_id: int
    lane: str
    slot: int = 0


@dataclass(frozen=True)
class HeldPost:
    """A post on a person's desk, and the lane it came from."""

    post_id: int
    slot: int
    lane: str
    claimed_at: datetime


def hold(session: Session, project: Project, account: Account) -> list[HeldPost]:
    """What the person holds, the one on screen first, filled up to two and renewed."""
    now = project.now()
    claims = session.connection().execute(_CLAIMS, {"who": account.id}).all()
    held = [
        HeldPost(claim.post_id, claim.slot, claim.lane, claim.claimed_at)
        for claim in claims
        if _is_kept(session, claim, now)
    ]
    while len(held) < POSTS_HELD and (upcoming := _next_post(session, project, account, now)):
        # Strictly later than those held: posts taken in one moment would change places at the next look.
        at = max([now, *(one.claimed_at + TICK for one in held)])
        _claim(session, project, account, upcoming, now, claimed_at=at)
        held.append(HeldPost(upcoming.post_id, upcoming.slot, upcoming.lane, at))
    if held:
        first = {"on_post": held[0].post_id, "in_slot": held[0].slot}
        times = {"now": now, "until": _expiry(project, now)}
        session.connection().execute(_RENEW, {"who": account.id, **first, **times})
    return held


def put_first(session: Session, project: Project, account: Account, answer: Annotation) -> None:
    """Claim the post of a taken-back answer so that it comes before the posts already held.

    When somebody else has it open by now (a skip was taken back), it stays theirs.
    """
    now = project.now()
    held = list(session.scalars(claims_of(account.id)))
    theirs = select(Claim.post_id).where(
        Claim.post_id == answer.post_id, Claim.slot == answer.slot, Claim.expires_at > now
    )
    if session.scalar(theirs) is not None:
        return
    for claim in held[:1]:
        claim.shown_at = None  # its time begins anew when it comes back: what the first takes is not its own
    for claim in held[1:]:
        session.delete(claim)  # the prefetched post goes back to the queue
    session.flush()
    served = _NextPost(answer.post_id, answer.lane or _lane_of(session, answer.post_id), answer.slot)
    first = min([other.claimed_at for other in held], default=now) - TICK
    _claim(session, project, account, served, now, claimed_at=first, shown_at=now)


def note_answers(session: Session, post_ids: Collection[int]) -> None:
    """Bring `QueueEntry.is_answered` of these posts up to what their annotations and resolutions say."""
    session.flush()
    session.connection().execute(_NOTE, {"post_ids": list(post_ids)})


def note_answers_since(session: Session, annotation: int, resolution: int) -> None:
    """The same of all that was said after these numbers; near-copies of what has a label by now leave the queue."""
    session.flush()
    labelled = select(Annotation.post_id).where(Annotation.id > annotation)
    decided = select(Resolution.post_id).where(Resolution.id > resolution)
    answered = union(labelled, decided)
    connection = session.connection()
    connection.execute(
        update(QueueEntry).where(QueueEntry.post_id.in_(answered)).values(is_answered=has_answer())
    )
    groups = labelled_groups(since_annotation=annotation, since_resolution=resolution)
    copies = select(Post.id).where(Post.group_id.in_(groups), Post.id.not_in(answered))
    connection.execute(delete(QueueEntry).where(QueueEntry.post_id.in_(copies)))


def is_labelled(session: Session, post_id: int, *, by_another_than: int | None = None) -> bool:
    """Whether somebody's label of the post stands that counts for its split, or a lead's decision."""
    but = NOBODY if by_another_than is None else by_another_than
    return bool(session.connection().scalar(_IS_LABELLED, {"post_id": post_id, "but": but}))


def give_up(session: Session, post_id: int, slot: int) -> None:
    """End the lease on a post."""
    session.connection().execute(_GIVE_UP, {"on_post": post_id, "in_slot": slot})


def _is_kept(session: Session, claim: Row[*tuple[Any, ...]], now: datetime) -> bool:
    """A lease that ran out is taken up again, unless the post was labelled meanwhile."""
    if claim.expires_at > now or claim.slot > 0 or not is_labelled(session, claim.post_id):
        return True
    give_up(session, claim.post_id, claim.slot)
    return False


def _next_post(session: Session, project: Project, account: Account, now: datetime) -> _NextPost | None:
    """The next post for this person: lanes take turns, and one that has nothing passes its turn on."""
    connection, who = session.connection(), {"who": account.id}
    turn = connection.execute(_TURN, who).one()
    composition = project.settings.composition
    if not turn.has_champion:
        composition = at_cold_start(composition)
    for lane in preference(turn.turns, turns(composition)):
        if lane == SECOND_OPINION:
            post = _second_opinion(session, account.id, turn.turns, now)
        else:
            post = connection.scalar(_FREE, {**who, "lane": lane, "now": now})
        if post is not None:
            connection.execute(_TURN_OVER, who)
            return _NextPost(post, lane, slot=int(lane == SECOND_OPINION))
    return None


def _second_opinion(session: Session, person_id: int, turn: int, now: datetime) -> int | None:
    """One of the newest posts that only somebody else has labelled; which, nobody can foresee from their order."""
    posts = session.connection().scalars(_WANTED, {"who": person_id, "now": now}).all()
    if not posts:
        return None
    draw = int.from_bytes(sha256(f"{person_id} {turn}".encode()).digest()[:8])
    return posts[draw % len(posts)]


def _claim(
    session: Session,
    project: Project,
    account: Account,
    served: _NextPost,
    now: datetime,
    *,
    claimed_at: datetime,
    shown_at: datetime | None = None,
) -> None:
    """Take the lease; an expired one of somebody else is taken over, a live one never."""
    connection, slot = session.connection(), {"on_post": served.post_id, "in_slot": served.slot}
    for before in connection.execute(_OVER, {**slot, "who": account.id, "now": now}).all():
        if before.person_id != account.id and before.shown_at is not None:
            session.merge(
                LapsedClaim(
                    post_id=before.post_id,
                    person_id=before.person_id,
                    lane=before.lane,
                    shown_at=before.shown_at,
                )
            )
            session.flush()
        give_up(session, served.post_id, served.slot)
    values = {
        "post_id": served.post_id,
        "slot": served.slot,
        "person_id": account.id,
        "lane": served.lane,
        "claimed_at": claimed_at,
        "shown_at": shown_at,
        "expires_at": _expiry(project, now),
    }
    connection.execute(_TAKE, values)


def _lane_of(session: Session, post_id: int) -> str:
    """The lane a post would be served in, where its answer has none (it was imported)."""
    entry = session.get(QueueEntry, post_id)
    if entry is not None:
        return entry.lane
    split = select(PostGroup.split).join(Post, Post.group_id == PostGroup.id).where(Post.id == post_id)
    return UNCERTAIN if session.scalar(split) in {None, "pool"} else HELD_OUT


def _expiry(project: Project, now: datetime) -> datetime:
    return now + timedelta(minutes=project.settings.claim_minutes)
