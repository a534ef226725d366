"""Which post a person gets next, and the lease on it while they have it open.

A person holds at most two posts, the one on screen and the next.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from db.queries import (
    claims_of,
    free_queue_entries,
    has_answer,
    labels_of_post,
    second_opinions_wanted,
    standing_resolutions,
)
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
from trainer.lanes import HELD_OUT, SECOND_OPINION, UNCERTAIN, at_cold_start, preference, turns
from workbench.accounts import Account
from workbench.project import Project

HELD = 2
"""Posts a person holds: the one on screen and the one behind it."""
BLIND_LANES = frozenset({HELD_OUT})
"""What the model thinks of their posts is never told to who labels them."""
SECOND_OPINIONS_FROM = 200
"""Of so many newest labels one is drawn for a second opinion."""
TICK = timedelta(microseconds=1)
CHUNK = 2_000


@dataclass(frozen=True)
class _Served:
    """A post, why it is served, and whether to a second person."""

    post_id: int
    lane: str
    slot: int = 0


def hold(session: Session, project: Project, account: Account) -> list[Claim]:
    """The person's claims, the one on screen first, filled up to two and renewed."""
    now = project.now()
    claims = [claim for claim in session.scalars(claims_of(account.id)) if _is_kept(session, claim, now)]
    while len(claims) < HELD and (found := _next_post(session, project, account, now)):
        claim = _claim(session, project, account, found, now)
        # Strictly later than those held: posts taken in one moment would change places at the next look.
        claim.claimed_at = max([now, *(held.claimed_at + TICK for held in claims)])
        claims.append(claim)
    for claim in claims:
        claim.expires_at = _expiry(project, now)
    if claims and claims[0].shown_at is None:
        claims[0].shown_at = now
    return claims


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
    served = _Served(answer.post_id, answer.lane or _lane_of(session, answer.post_id), answer.slot)
    claim = _claim(session, project, account, served, now)
    claim.claimed_at = min([other.claimed_at for other in held], default=now) - TICK
    claim.shown_at = now


def note_answers(session: Session, post_ids: Collection[int]) -> None:
    """Bring `QueueEntry.is_answered` of these posts up to what their annotations and resolutions say."""
    session.flush()
    entries = update(QueueEntry).where(QueueEntry.post_id.in_(post_ids))
    session.execute(
        entries.values(is_answered=has_answer()), execution_options={"synchronize_session": False}
    )


def is_labelled(session: Session, post_id: int, *, by_another_than: int | None = None) -> bool:
    """Whether somebody's label of the post stands that counts for its split, or a lead's decision."""
    labels = labels_of_post(post_id)
    decided = standing_resolutions().where(Resolution.post_id == post_id).with_only_columns(Resolution.id)
    if by_another_than is not None:
        labels = labels.where(Annotation.person_id != by_another_than)
        decided = decided.where(Resolution.person_id != by_another_than)
    return any(session.scalar(query.limit(1)) is not None for query in (labels, decided))


def _is_kept(session: Session, claim: Claim, now: datetime) -> bool:
    """A lease that ran out is taken up again, unless the post was labelled meanwhile."""
    if claim.expires_at > now or claim.slot > 0 or not is_labelled(session, claim.post_id):
        return True
    session.delete(claim)
    session.flush()
    return False


def _next_post(session: Session, project: Project, account: Account, now: datetime) -> _Served | None:
    """The next post for this person: lanes take turns, and one that has nothing passes its turn on."""
    composition = project.settings.composition
    if session.get(Champion, 1) is None:
        composition = at_cold_start(composition)
    person = session.get_one(Person, account.id)
    for lane in preference(person.turns, turns(composition)):
        if lane == SECOND_OPINION:
            post = _second_opinion(session, person, now)
        else:
            post = session.scalar(
                free_queue_entries(lane, account.id, now).with_only_columns(QueueEntry.post_id).limit(1)
            )
        if post is not None:
            person.turns += 1
            return _Served(post, lane, slot=int(lane == SECOND_OPINION))
    return None


def _second_opinion(session: Session, person: Person, now: datetime) -> int | None:
    """One of the newest posts that only somebody else has labelled; which, nobody can foresee from their order."""
    posts = session.scalars(second_opinions_wanted(person.id, now).limit(SECOND_OPINIONS_FROM)).all()
    if not posts:
        return None
    draw = int.from_bytes(sha256(f"{person.id} {person.turns}".encode()).digest()[:8])
    return posts[draw % len(posts)]


def _claim(session: Session, project: Project, account: Account, served: _Served, now: datetime) -> Claim:
    """Take the lease; an expired one of somebody else is taken over, a live one never."""
    is_over = or_(Claim.expires_at <= now, Claim.person_id == account.id)
    held = select(Claim).where(Claim.post_id == served.post_id, Claim.slot == served.slot, is_over)
    for before in session.scalars(held):
        if before.person_id != account.id and before.shown_at is not None:
            session.merge(
                LapsedClaim(
                    post_id=before.post_id,
                    person_id=before.person_id,
                    lane=before.lane,
                    shown_at=before.shown_at,
                )
            )
        session.delete(before)
    session.flush()
    claim = Claim(
        post_id=served.post_id,
        slot=served.slot,
        person_id=account.id,
        lane=served.lane,
        claimed_at=now,
        expires_at=_expiry(project, now),
    )
    session.add(claim)
    session.flush()
    return claim


def _lane_of(session: Session, post_id: int) -> str:
    """The lane a post would be served in, where its answer has none (it was imported)."""
    entry = session.get(QueueEntry, post_id)
    if entry is not None:
        return entry.lane
    split = select(PostGroup.split).join(Post, Post.group_id == PostGroup.id).where(Post.id == post_id)
    return UNCERTAIN if session.scalar(split) in {None, "pool"} else HELD_OUT


def _expiry(project: Project, now: datetime) -> datetime:
    return now + timedelta(minutes=project.settings.claim_minutes)
