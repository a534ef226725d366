"""What an annotator sees: posts to label, and the answer just saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, delete
from sqlalchemy.orm import Session

from db.queries.desk import cards as card_rows
from db.tables import Draft, LapsedClaim, QueueEntry
from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.errors import LabellingError
from workbench.project import Project
from workbench.queue import check_posts
from workbench.queue.claims import BLIND_LANES, HeldPost
from workbench.rounds.champion import champion_number
from workbench.scores.round_scores import RoundScores

LONGEST_NOTE = 2_000
LONGEST_REASON = 40

_PERSON: ColumnElement[int] = bindparam("person_id")
_CARDS = card_rows(_PERSON, bindparam("post_ids", expanding=True))


@dataclass(frozen=True)
class Suggestion:
    label: str
    confidence: float
    probabilities: Mapping[str, float]
    round_number: int | None = None


@dataclass(frozen=True)
class Card:
    """A post as the annotator sees it; `suggestion` only if the settings show it before the answer.

    `is_late`: the lease expired and another annotator holds the post, so the answer becomes a second opinion.
    """

    post_id: int
    external_id: str
    text: str
    facts: Mapping[str, Any]
    near_copies: int
    note: str = ""
    suggestion: Suggestion | None = None
    is_late: bool = False


@dataclass(frozen=True)
class Saved:
    """A stored answer, and the actions that are still possible on it.

    `annotation_id` is that of a check answer if `is_check`. `suggestion` is None for a skip, as the post may come
    back to be labelled. `copies` counts near-copies without a label, `propagated` those that carry this answer.
    """

    annotation_id: int
    post_id: int
    label: str | None
    text: str
    lane: str | None
    suggestion: Suggestion | None
    is_second_opinion: bool
    is_late: bool = False
    is_flagged: bool = False
    reason: str | None = None
    note: str | None = None
    copies: int = 0
    propagated: int = 0
    is_check: bool = False


@dataclass(frozen=True)
class Copy:
    post_id: int
    text: str


def refuse_unknown(label: str) -> None:
    if label not in LABELS:
        raise LabellingError(
            "There is no label {label}. Use one of: {labels}.", label=label, labels=", ".join(LABELS)
        )


def cards_of(
    session: Session, project: Project, account: Account, held: Sequence[HeldPost | LapsedClaim]
) -> list[Card]:
    if not held:
        return []
    asked = {"person_id": account.id, "post_ids": [one.post_id for one in held]}
    rows = {row.post_id: row for row in session.connection().execute(_CARDS, asked)}
    return [_card(session, project, one.lane, rows[one.post_id]) for one in held]


def suggestion_of(entry: QueueEntry | Row[*tuple[Any, ...]] | None, lane: str | None) -> Suggestion | None:
    if lane in BLIND_LANES or entry is None:
        return None
    if entry.normal is None or entry.suspicious is None or entry.violation is None:
        return None
    return _suggestion((entry.normal, entry.suspicious, entry.violation), entry.round_number)


def scored_suggestion(project: Project, session: Session, post_id: int) -> Suggestion | None:
    """What the adapter in use says of a post, also of one that is not in the queue."""
    number = champion_number(session)
    probabilities = None if number is None else RoundScores.of(project, number).score_of(post_id)
    return None if probabilities is None else _suggestion(tuple(map(float, probabilities)), number)


def keep_note(session: Session, project: Project, account: Account, post_id: int, note: str) -> None:
    session.execute(delete(Draft).where(Draft.person_id == account.id, Draft.post_id == post_id))
    if note.strip():
        draft = Draft(person_id=account.id, post_id=post_id, note=note[:LONGEST_NOTE], saved_at=project.now())
        session.add(draft)


def _card(session: Session, project: Project, lane: str, row: Row[*tuple[Any, ...]]) -> Card:
    suggestion = None
    if project.settings.show_suggestion:
        suggestion = suggestion_of(session.get(QueueEntry, row.post_id), lane)
        if suggestion is None and lane in check_posts.KINDS:
            suggestion = scored_suggestion(project, session, row.post_id)
    return Card(
        row.post_id, row.external_id, row.text, row.facts or {}, row.copies, row.note or "", suggestion
    )


def _suggestion(probabilities: Sequence[float], round_number: int | None) -> Suggestion:
    by_label = dict(zip(LABELS, probabilities, strict=True))
    label = max(by_label, key=by_label.__getitem__)
    return Suggestion(label, by_label[label], by_label, round_number)
