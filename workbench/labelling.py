"""The annotator's loop: next post, submit, skip, undo, change one's mind.

A person holds at most two posts, the one on screen and the next. Nothing is ever overwritten: an
answer is a new row that supersedes the one before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from db.queries import (
    claims_of,
    free_queue_entries,
    is_current,
    post_card,
    queue_left,
    second_opinions_wanted,
    undoable,
)
from db.tables import Annotation, Champion, Claim, Post, QueueEntry
from trainer.config import LABELS
from trainer.lanes import HELD_OUT, SECOND_OPINION, UNCERTAIN, at_cold_start, preference, turns
from workbench.accounts import Account, Right, acting
from workbench.errors import LabellingError
from workbench.project import GUIDELINE_VERSION, LABEL_SET_ID, Project

HELD = 2
"""Posts a person holds: the one on screen and the one behind it."""

TICK = timedelta(microseconds=1)
BLIND_LANES = frozenset({HELD_OUT})
SECOND_OPINIONS_FROM = 200
"""Of so many newest labels one is drawn for a second opinion."""


@dataclass(frozen=True)
class Card:
    """A post as a person sees it. It carries nothing of what the model thinks."""

    post_id: int
    external_id: str
    text: str
    facts: Mapping[str, Any]
    near_copies: int
    claimed_at: datetime


@dataclass(frozen=True)
class Suggestion:
    """What the model had thought, told after the commit. `probabilities` by label name."""

    label: str
    confidence: float
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class Saved:
    """The acknowledgement of an answer."""

    annotation_id: int
    post_id: int
    label: str | None
    text: str
    lane: str | None
    suggestion: Suggestion | None
    is_second_opinion: bool


@dataclass(frozen=True)
class _Served:
    """A post, why it is served, and whether to a second person."""

    post_id: int
    lane: str
    slot: int = 0


def hold_posts(project: Project, account: Account) -> list[Card]:
    """The post to label now and the next one; fewer when the queue runs out.

    Leases are renewed. Two people never get the same post: the write lock is held from the first look.
    """
    with acting(project, account, Right.LABEL) as session:
        now = project.now()
        claims = list(session.scalars(claims_of(account.id, now)))
        while len(claims) < HELD and (found := _next_post(session, project, account, now, len(claims))):
            claim = _claim(session, project, account, found, now)
            # Strictly later than those held: posts taken in one moment would change places at the next look.
            claim.claimed_at = max([now, *(held.claimed_at + TICK for held in claims)])
            claims.append(claim)
        for claim in claims:
            claim.expires_at = _expiry(project, now)
        if claims and claims[0].shown_at is None:
            claims[0].shown_at = now
        return [_card(session, claim) for claim in claims]


def submit(project: Project, account: Account, post_id: int, label: str) -> Saved:
    """Save a person's label of the post they hold and give the post up.

    When the lease ran out and somebody else has the post or has labelled it, the answer is kept as a second
    opinion.

    Raises:
        LabellingError: no such label; this person was never shown the post; they have labelled it already
            (a double press: change the answer with `change`).
    """
    if label not in LABELS:
        raise LabellingError(
            "There is no label {label}. Use one of: {labels}.", label=label, labels=", ".join(LABELS)
        )
    return _answer(project, account, post_id, action="label", label=label)


def skip(project: Project, account: Account, post_id: int, reason: str | None = None) -> Saved:
    """Pass a post on to somebody else."""
    return _answer(project, account, post_id, action="skip", reason=reason)


def undo(project: Project, account: Account) -> int:
    """Take back the person's last standing answer and put its post in front of them again.

    Any number of steps, after a reload too. Returns the post's number. Raises LabellingError when there is
    nothing left to undo.
    """
    with acting(project, account, Right.LABEL) as session:
        last = session.scalar(undoable(account.id).limit(1))
        if last is None:
            raise LabellingError("There is nothing to undo.")
        now = project.now()
        session.add(
            Annotation(
                post_id=last.post_id,
                person_id=account.id,
                slot=last.slot,
                action="undo",
                label_set_id=LABEL_SET_ID,
                supersedes_id=last.id,
                lane=last.lane,
                saved_at=now,
            )
        )
        _put_first(session, project, account, last, now)
        return last.post_id


def change(project: Project, account: Account, annotation_id: int, label: str) -> Saved:
    """Replace one's own answer after it was saved; that the suggestion was visible by then is recorded.

    Raises LabellingError when the answer is not this person's or no longer stands.
    """
    if label not in LABELS:
        raise LabellingError(
            "There is no label {label}. Use one of: {labels}.", label=label, labels=", ".join(LABELS)
        )
    with acting(project, account, Right.LABEL) as session:
        last = session.scalar(
            select(Annotation).where(
                Annotation.id == annotation_id,
                Annotation.person_id == account.id,
                Annotation.action == "label",
                is_current(),
            )
        )
        if last is None:
            raise LabellingError("That answer has been changed already.")
        annotation = Annotation(
            post_id=last.post_id,
            person_id=account.id,
            slot=last.slot,
            action="label",
            label=label,
            label_set_id=LABEL_SET_ID,
            supersedes_id=last.id,
            lane=last.lane,
            inclusion_probability=last.inclusion_probability,
            guideline_version=GUIDELINE_VERSION,
            suggestion=last.suggestion,
            suggestion_confidence=last.suggestion_confidence,
            suggestion_round=last.suggestion_round,
            was_suggestion_visible=last.suggestion is not None,
            shown_at=last.shown_at,
            saved_at=project.now(),
        )
        session.add(annotation)
        session.flush()
        return _saved(session, annotation, None)


def labelled_today(session: Session, account: Account, since: datetime) -> int:
    """How many posts this person has labelled since a moment (their midnight)."""
    count = session.scalar(
        select(func.count())
        .select_from(Annotation)
        .where(
            Annotation.person_id == account.id,
            Annotation.action == "label",
            Annotation.saved_at >= since,
            is_current(),
        )
    )
    return count or 0


def left_for_team(session: Session) -> dict[str, int]:
    """Entries that nobody has labelled, by lane."""
    return dict(session.execute(queue_left()).all())


def release(project: Project, account: Account) -> None:
    """Give up what a person holds, when they sign out."""
    with project.database.write() as session:
        session.execute(delete(Claim).where(Claim.person_id == account.id))


def _answer(
    project: Project,
    account: Account,
    post_id: int,
    *,
    action: str,
    label: str | None = None,
    reason: str | None = None,
) -> Saved:
    with acting(project, account, Right.LABEL) as session:
        now = project.now()
        before = _last_of(session, account, post_id)
        if before is not None and before.action != "undo":
            raise LabellingError("You have answered this post already. Undo or change that answer.")
        mine = session.scalar(select(Claim).where(Claim.post_id == post_id, Claim.person_id == account.id))
        if mine is None and not _was_taken_over(session, account, post_id):
            raise LabellingError("That post is not on your desk. Answer the one you see.")
        entry = session.get(QueueEntry, post_id)
        is_second = mine is None or _is_labelled_by_another(session, account, post_id)
        annotation = Annotation(
            post_id=post_id,
            person_id=account.id,
            slot=1 if is_second else 0,
            action=action,
            label=label,
            label_set_id=LABEL_SET_ID,
            supersedes_id=before.id if before else None,
            lane=mine.lane if mine else None,
            inclusion_probability=entry.inclusion_probability
            if entry and mine and entry.lane == mine.lane
            else None,
            reason=reason,
            guideline_version=GUIDELINE_VERSION,
            shown_at=mine.shown_at if mine else None,
            saved_at=now,
        )
        suggestion = _suggestion(entry)
        if suggestion is not None and entry is not None:
            annotation.suggestion, annotation.suggestion_confidence = suggestion.label, suggestion.confidence
            annotation.suggestion_round = entry.round_number
        session.add(annotation)
        if mine is not None:
            session.delete(mine)
        session.flush()
        return _saved(session, annotation, suggestion)


def _next_post(
    session: Session, project: Project, account: Account, now: datetime, held: int
) -> _Served | None:
    """The next post for this person: lanes take turns, and one that has nothing passes its turn on."""
    answered = session.scalar(
        select(func.count())
        .select_from(Annotation)
        .where(Annotation.person_id == account.id, Annotation.origin == "person", Annotation.action != "undo")
    )
    composition = project.settings.composition
    if session.get(Champion, 1) is None:
        composition = at_cold_start(composition)
    turn = (answered or 0) + held
    for lane in preference(turn, turns(composition)):
        if lane == SECOND_OPINION:
            post = _second_opinion(session, account, now, turn)
        else:
            post = session.scalar(
                free_queue_entries(lane, account.id, now).with_only_columns(QueueEntry.post_id).limit(1)
            )
        if post is not None:
            return _Served(post, lane, slot=int(lane == SECOND_OPINION))
    return None


def _second_opinion(session: Session, account: Account, now: datetime, turn: int) -> int | None:
    """One of the newest posts that only somebody else has labelled; which, nobody can foresee from their order."""
    posts = session.scalars(second_opinions_wanted(account.id, now).limit(SECOND_OPINIONS_FROM)).all()
    if not posts:
        return None
    draw = int.from_bytes(sha256(f"{account.id} {turn}".encode()).digest()[:8])
    return posts[draw % len(posts)]


def _claim(session: Session, project: Project, account: Account, served: _Served, now: datetime) -> Claim:
    """Take the lease; an expired one of somebody else is taken over, a live one never."""
    is_over = or_(Claim.expires_at <= now, Claim.person_id == account.id)
    mine = delete(Claim).where(Claim.post_id == served.post_id, Claim.slot == served.slot, is_over)
    session.execute(mine)
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


def _put_first(session: Session, project: Project, account: Account, last: Annotation, now: datetime) -> None:
    """Claim the post of a taken-back answer so that it comes before the posts already held.

    When somebody else has it open by now (a skip was taken back), it stays theirs.
    """
    held = list(session.scalars(claims_of(account.id, now)))
    theirs = select(Claim.post_id).where(
        Claim.post_id == last.post_id, Claim.slot == last.slot, Claim.expires_at > now
    )
    if session.scalar(theirs) is not None:
        return
    for claim in held[1:]:
        session.delete(claim)  # the prefetched post goes back to the queue
    session.flush()
    claim = _claim(session, project, account, _Served(last.post_id, last.lane or UNCERTAIN, last.slot), now)
    claim.claimed_at = min([other.claimed_at for other in held], default=now) - TICK
    claim.shown_at = now


def _card(session: Session, claim: Claim) -> Card:
    row = session.execute(post_card(claim.post_id)).one()
    copies = 0
    if row.group_id is not None:
        copies = (
            session.scalar(select(func.count()).select_from(Post).where(Post.group_id == row.group_id)) or 1
        ) - 1
    return Card(claim.post_id, row.external_id, row.text, row.facts or {}, copies, claim.claimed_at)


def _saved(session: Session, annotation: Annotation, suggestion: Suggestion | None) -> Saved:
    text = session.execute(post_card(annotation.post_id)).one().text
    return Saved(
        annotation.id,
        annotation.post_id,
        annotation.label,
        text,
        annotation.lane,
        None if annotation.lane in BLIND_LANES else suggestion,
        annotation.slot == 1,
    )


def _suggestion(entry: QueueEntry | None) -> Suggestion | None:
    if entry is None or entry.normal is None or entry.suspicious is None or entry.violation is None:
        return None
    probabilities = {"normal": entry.normal, "suspicious": entry.suspicious, "violation": entry.violation}
    label = max(probabilities, key=probabilities.__getitem__)
    return Suggestion(label, probabilities[label], probabilities)


def _last_of(session: Session, account: Account, post_id: int) -> Annotation | None:
    """This person's standing row for a post; an `undo` row means they have none."""
    return session.scalar(
        select(Annotation)
        .where(Annotation.post_id == post_id, Annotation.person_id == account.id, is_current())
        .order_by(Annotation.id.desc())
        .limit(1)
    )


def _was_taken_over(session: Session, account: Account, post_id: int) -> bool:
    """Somebody else has the post now or has answered it, so this person's lease ran out."""
    claimed = session.scalar(
        select(Claim.post_id).where(Claim.post_id == post_id, Claim.person_id != account.id)
    )
    return claimed is not None or _is_labelled_by_another(session, account, post_id)


def _is_labelled_by_another(session: Session, account: Account, post_id: int) -> bool:
    found = session.scalar(
        select(Annotation.id)
        .where(
            Annotation.post_id == post_id,
            Annotation.person_id != account.id,
            Annotation.action == "label",
            is_current(),
        )
        .limit(1)
    )
    return found is not None


def _expiry(project: Project, now: datetime) -> datetime:
    return now + timedelta(minutes=project.settings.claim_minutes)
