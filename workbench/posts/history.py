"""The whole history of one post, for leads."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries.listing import annotations_of
from db.queries.review import decisions
from db.queries.rounds import promotions, rounds_by_number
from db.tables import Annotation, Post, PostFacts, PostGroup, PostText, Resolution, Round
from trainer.labels import LABELS
from workbench.accounts import Account, Right, reading
from workbench.errors import InputError
from workbench.imports.facts import meaning_of
from workbench.posts.blindness import still_blind
from workbench.posts.search import ListedImport, import_of
from workbench.posts.thread import Around, around
from workbench.project import Project
from workbench.rounds.champion import champion_number
from workbench.scores.round_scores import RoundScores

COPIES_LISTED = 20
DIGITS = 18
"""Limit for a post's number: an integer column holds no more."""

Kind = Literal[
    "labelled", "skipped", "took back", "changed", "added to", "given", "brought in", "decided", "withdrew"
]
"""The kind of an event: `given` is a label propagated from a near-copy, `brought in` a label from a file,
`decided` a lead's decision, `withdrew` the end of one.
"""


@dataclass(frozen=True)
class Event:
    """`was` is the label that the event changes or takes back; `who` is None while the post is blind."""

    at: datetime
    who: str | None
    kind: Kind
    label: str | None = None
    was: str | None = None
    lane: str | None = None
    reason: str | None = None
    note: str | None = None
    source: str | None = None
    is_flagged: bool = False
    is_second_opinion: bool = False
    suggestion: str | None = None
    occasion: str | None = None
    bulk: int | None = None
    from_post: str | None = None


@dataclass(frozen=True)
class RoundScore:
    """`probabilities` in the order of LABELS; `first_used` is None if the round was never in use."""

    number: int
    probabilities: Sequence[float]
    is_in_use: bool
    first_used: datetime | None


@dataclass(frozen=True)
class Copy:
    external_id: str
    text: str


@dataclass(frozen=True)
class History:
    """`split` is None before the post is prepared.

    `is_blind`: scores and annotators are hidden until the post has its blind answer or a lead's decision.
    """

    post_id: int
    external_id: str
    text: str
    facts: Mapping[str, str]
    split: str | None
    is_set_aside: bool
    is_blind: bool
    came_with: ListedImport
    events: Sequence[Event]
    scores: Sequence[RoundScore]
    copies: Sequence[Copy]
    copies_in_all: int
    around: Around

    def to_dict(self) -> dict[str, Any]:
        values = asdict(self)
        values["came_with"]["started_at"] = self.came_with.started_at.isoformat()
        for event in values["events"]:
            event["at"] = event["at"].isoformat()
        for score in values["scores"]:
            score["probabilities"] = dict(zip(LABELS, score["probabilities"], strict=True))
            score["first_used"] = score["first_used"] and score["first_used"].isoformat()
        return values


def history_of(project: Project, account: Account, post: str | int) -> History:
    """The history of a post, by its internal number or the forum's id.

    Raises InputError if there is no such post, NotAllowedError if `account` is not a lead.
    """
    with reading(project, account, Right.REVIEW) as session:
        stored = _post(session, post)
        text = session.get_one(PostText, stored.id).text
        facts = session.get(PostFacts, stored.id)
        group = session.get(PostGroup, stored.group_id) if stored.group_id is not None else None
        answers = [(row[0], row[1]) for row in session.execute(annotations_of(stored.id))]
        is_held_out = group is not None and group.split != "pool"
        is_blind = is_held_out and bool(still_blind(session, [stored.id], account.id))
        events = sorted(
            [*_answers(session, answers), *_decisions(session, stored.id)], key=lambda event: event.at
        )
        copies, in_all = _copies(session, stored)
        return History(
            stored.id,
            stored.external_id,
            text,
            # A column of unknown meaning could hold a moderator's verdict, so it is hidden.
            {name: str(value) for name, value in (facts.facts if facts else {}).items() if meaning_of(name)},
            group.split if group else None,
            stored.is_quarantined,
            is_blind,
            import_of(session, stored.import_id),
            [replace(event, who=None, suggestion=None) for event in events] if is_blind else events,
            [] if is_blind else _scores(session, project, stored.id),
            copies,
            in_all,
            around(session, stored.id),
        )


def number_of(project: Project, account: Account, external_id: str) -> int | None:
    """The number here of the post with this id in the forum.

    Raises NotAllowedError if `account` is not a lead.
    """
    with reading(project, account, Right.REVIEW) as session:
        return session.scalar(select(Post.id).where(Post.external_id == external_id))


LARGEST_BITS = 64
"""Of an SQLite integer, with its sign."""


def post_number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) <= DIGITS else None


def _post(session: Session, wanted: str | int) -> Post:
    row = None
    if isinstance(wanted, str):
        row = session.scalar(select(Post).where(Post.external_id == wanted))
    number = post_number(wanted) if isinstance(wanted, str) else wanted
    if row is None and number is not None and number.bit_length() < LARGEST_BITS:
        row = session.get(Post, number)
    if row is None:
        raise InputError("There is no post {post}.", post=wanted)
    return row


def _answers(session: Session, answers: Sequence[tuple[Annotation, str]]) -> list[Event]:
    by_id = {answer.id: answer for answer, _who in answers}
    return [_answer(session, answer, who, by_id.get(answer.supersedes_id or 0)) for answer, who in answers]


def _answer(session: Session, answer: Annotation, who: str, before: Annotation | None) -> Event:
    return Event(
        answer.saved_at,
        who,
        _kind(answer, before),
        answer.label,
        was=before.label if before is not None and before.label != answer.label else None,
        lane=answer.lane,
        reason=answer.reason,
        note=answer.note,
        source=answer.source,
        is_flagged=answer.is_flagged,
        is_second_opinion=answer.slot > 0,
        suggestion=answer.suggestion,
        from_post=_origin(session, answer),
    )


def _kind(answer: Annotation, before: Annotation | None) -> Kind:
    if answer.action == "undo":
        return "took back"
    if answer.origin == "propagated":
        return "given"
    if answer.origin == "import":
        return "brought in"
    if before is not None and before.action != "undo":
        return "added to" if before.label == answer.label else "changed"
    return "labelled" if answer.action == "label" else "skipped"


def _origin(session: Session, answer: Annotation) -> str | None:
    if answer.propagated_from_id is None:
        return None
    return session.scalar(
        select(Post.external_id)
        .join(Annotation, Annotation.post_id == Post.id)
        .where(Annotation.id == answer.propagated_from_id)
    )


def _decisions(session: Session, post_id: int) -> list[Event]:
    events: list[Event] = []
    before: Resolution | None = None
    for one, who in session.execute(decisions([post_id])):
        was = before.label if before is not None and before.label != one.label else None
        kind: Kind = "decided" if one.label else "withdrew"
        events.append(
            Event(
                one.decided_at,
                who,
                kind,
                one.label,
                was,
                reason=one.reason,
                occasion=one.occasion,
                bulk=one.bulk_id,
            )
        )
        before = one
    return events


def _scores(session: Session, project: Project, post_id: int) -> list[RoundScore]:
    champion = champion_number(session)
    first_used = {
        move.round_number: move.promoted_at for move in session.scalars(promotions())
    }  # newest first, so the earliest promotion wins
    listed = []
    for number in session.scalars(rounds_by_number().with_only_columns(Round.number)):
        scores = RoundScores.of(project, number).read_of(np.array([post_id], dtype=np.int64))
        if len(scores.post_ids):
            probabilities = [float(value) for value in scores.probabilities[0]]
            listed.append(RoundScore(number, probabilities, number == champion, first_used.get(number)))
    return listed


def _copies(session: Session, post: Post) -> tuple[list[Copy], int]:
    if post.group_id is None:
        return [], 0
    is_copy = (Post.group_id == post.group_id, Post.id != post.id)
    rows = session.execute(
        select(Post.external_id, PostText.text)
        .join(PostText, PostText.post_id == Post.id)
        .where(*is_copy)
        .order_by(Post.id)
        .limit(COPIES_LISTED)
    )
    copies = [Copy(row.external_id, row.text) for row in rows]
    return copies, session.scalar(select(func.count()).select_from(Post).where(*is_copy)) or 0
