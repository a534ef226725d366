"""Claims: the lease on a post while an annotator has it open, and the choice of the next post.

An annotator holds at most two posts, the one on screen and the next. Posts of a board that is assigned to people are
served to these people only, who are served them before others of the same lane.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    case,
    delete,
    exists,
    insert,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.orm import Session

from db.queries.assigning.boards import boards_of
from db.queries.serving import (
    claims_of,
    first_of_boards,
    free_entries,
    front_of_boards,
    has_answer,
    second_opinions_wanted,
)
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
from trainer.selection.lanes import (
    HELD_OUT,
    SECOND_OPINION,
    UNCERTAIN,
    Composition,
    at_cold_start,
    preference,
    turns,
    with_second_opinions,
)
from workbench.accounts import Account
from workbench.project import Project
from workbench.queue import check_posts

POSTS_HELD = 2
BLIND_LANES = frozenset({HELD_OUT})
"""Lanes whose posts never show the model's scores to their annotators."""
SECOND_OPINIONS_FROM = 200
"""A second opinion is drawn among this many newest labels."""
HELD_OUT_AHEAD = 50
"""Held-out posts served beyond one that waits for the people of its board: at most so many posts of a slow board are
missing in the sample, which is drawn at random from all boards.
"""
TICK = timedelta(microseconds=1)

# Built once and executed without ORM objects: these statements run at every key press, and SQLAlchemy's
# overhead is longer than the statements.
_PERSON: ColumnElement[int] = bindparam("who")
_NOW = bindparam("now", type_=Claim.expires_at.type)
_CLAIMS = claims_of(_PERSON).with_only_columns(
    Claim.post_id, Claim.slot, Claim.lane, Claim.claimed_at, Claim.expires_at
)
_TURN = select(
    Person.turns,
    Person.second_opinion_share,
    exists().where(Champion.id == 1).label("has_champion"),
    boards_of(_PERSON).exists().label("has_boards"),
).where(Person.id == _PERSON)
_TURN_OVER = update(Person).where(Person.id == _PERSON).values(turns=Person.turns + 1)
_LANE: ColumnElement[str] = bindparam("lane")
_FREE = free_entries(_LANE, _PERSON, _NOW).limit(1).with_only_columns(QueueEntry.position, QueueEntry.post_id)
_FREE_OF_BOARDS = first_of_boards(_LANE, _PERSON, _NOW)
_FRONT = select(front_of_boards(_LANE))
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
NO_PERSON = -1
"""0 is the account of commands."""


@dataclass(frozen=True)
class _NextPost:
    post_id: int
    lane: str
    slot: int = 0


@dataclass(frozen=True)
class HeldPost:
    post_id: int
    slot: int
    lane: str
    claimed_at: datetime


def hold(session: Session, project: Project, account: Account) -> list[HeldPost]:
    """The account's posts, the one on screen first; filled up to two, leases renewed."""
    now = project.now()
    claims = session.connection().execute(_CLAIMS, {"who": account.id}).all()
    held = [
        HeldPost(claim.post_id, claim.slot, claim.lane, claim.claimed_at)
        for claim in claims
        if _is_kept(session, account, claim, now)
    ]
    while len(held) < POSTS_HELD and (upcoming := _next_post(session, project, account, now)):
        # Strictly later than the held posts: equal times would make the order unstable.
        at = max([now, *(one.claimed_at + TICK for one in held)])
        _claim(session, project, account, upcoming, now, claimed_at=at)
        held.append(HeldPost(upcoming.post_id, upcoming.slot, upcoming.lane, at))
    if held:
        first = {"on_post": held[0].post_id, "in_slot": held[0].slot}
        times = {"now": now, "until": _expiry(project, now)}
        session.connection().execute(_RENEW, {"who": account.id, **first, **times})
    return held


def put_first(
    session: Session, project: Project, account: Account, post_id: int, *, lane: str | None, slot: int
) -> None:
    """Claim the post of a withdrawn answer, before the posts already held.

    If another annotator has it open by now (after a skip), that claim stays.
    """
    now = project.now()
    held = list(session.scalars(claims_of(account.id)))
    live_claim = select(Claim.post_id).where(
        Claim.post_id == post_id, Claim.slot == slot, Claim.expires_at > now
    )
    if session.scalar(live_claim) is not None:
        return
    for claim in held[:1]:
        # Its time restarts when it is first again: the time spent on the other post must not count.
        claim.shown_at = None
    for claim in held:
        # The prefetched post goes back to the queue. So does another claim on this post: a check post may be
        # one that the annotator labels too.
        if claim is not held[0] or claim.post_id == post_id:
            session.delete(claim)
    session.flush()
    served = _NextPost(post_id, lane or _lane_of(session, post_id), slot)
    first = min([other.claimed_at for other in held], default=now) - TICK
    _claim(session, project, account, served, now, claimed_at=first, shown_at=now)


def note_answers(session: Session, post_ids: Collection[int]) -> None:
    session.flush()
    session.connection().execute(_NOTE, {"post_ids": list(post_ids)})


def note_answers_since(session: Session, annotation: int, resolution: int) -> None:
    """Update `QueueEntry.is_answered` from all annotations and resolutions with ids above these.

    Near-copies of posts labelled since then leave the queue.
    """
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
    """Whether a standing label counts for the post's split, or a lead's decision stands."""
    but = NO_PERSON if by_another_than is None else by_another_than
    return bool(session.connection().scalar(_IS_LABELLED, {"post_id": post_id, "but": but}))


def give_up(session: Session, post_id: int, slot: int) -> None:
    session.connection().execute(_GIVE_UP, {"on_post": post_id, "in_slot": slot})


def _is_kept(session: Session, account: Account, claim: Row[*tuple[Any, ...]], now: datetime) -> bool:
    """An expired lease is renewed, unless the post has been labelled meanwhile.

    A check post leaves the desk when its label is withdrawn, because then it may be served to be labelled.
    """
    if claim.lane in check_posts.KINDS:
        if check_posts.expected_label(session, claim.lane, claim.post_id, account.id) is not None:
            return True
        give_up(session, claim.post_id, claim.slot)
        return False
    if claim.expires_at > now or claim.slot > 0 or not is_labelled(session, claim.post_id):
        return True
    give_up(session, claim.post_id, claim.slot)
    return False


def _next_post(session: Session, project: Project, account: Account, now: datetime) -> _NextPost | None:
    connection, who = session.connection(), {"who": account.id}
    turn = connection.execute(_TURN, who).one()
    for lane in preference(turn.turns, turns(_composition(project, turn))):
        if lane == SECOND_OPINION:
            post = _second_opinion(session, account.id, turn.turns, now)
        else:
            post = _of_queue(connection, {**who, "lane": lane, "now": now}, has_boards=turn.has_boards)
        if post is not None:
            connection.execute(_TURN_OVER, who)
            if check := check_posts.check_post(session, project, account.id, turn.turns, now):
                return _NextPost(check.post_id, check.kind, slot=check_posts.SLOT)
            return _NextPost(post, lane, slot=int(lane == SECOND_OPINION))
    return None


def _composition(project: Project, turn: Row[*tuple[Any, ...]]) -> Composition:
    composition = project.settings.composition
    if not turn.has_champion:
        composition = at_cold_start(composition)
    if turn.second_opinion_share is None:
        return composition
    return with_second_opinions(composition, turn.second_opinion_share)


def _of_queue(connection: Connection, wanted: Mapping[str, Any], *, has_boards: bool) -> int | None:
    """The first free post of a lane, of the person's boards before others.

    Held-out posts keep their random order, in which boards have no precedence.
    """
    of_boards = connection.execute(_FREE_OF_BOARDS, wanted).first() if has_boards else None
    if wanted["lane"] != HELD_OUT:
        entry = of_boards or connection.execute(_FREE, wanted).first()
        return None if entry is None else int(entry.post_id)
    entries = [entry for entry in (of_boards, connection.execute(_FREE, wanted).first()) if entry is not None]
    if not entries:
        return None
    entry, front = min(entries, key=lambda entry: entry.position), connection.scalar(_FRONT, wanted)
    is_too_far = front is not None and entry.position > front + HELD_OUT_AHEAD
    return None if is_too_far else int(entry.post_id)


def _second_opinion(session: Session, person_id: int, turn: int, now: datetime) -> int | None:
    """A random post among the newest labelled by others only, so that the choice is not predictable."""
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
    """Take the lease. Another person's expired lease is replaced, a valid one never."""
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
    """The lane in which the post would be served, for answers without a lane (imported ones)."""
    entry = session.get(QueueEntry, post_id)
    if entry is not None:
        return entry.lane
    split = select(PostGroup.split).join(Post, Post.group_id == PostGroup.id).where(Post.id == post_id)
    return UNCERTAIN if session.scalar(split) in {None, "pool"} else HELD_OUT


def _expiry(project: Project, now: datetime) -> datetime:
    return now + timedelta(minutes=project.settings.claim_minutes)
