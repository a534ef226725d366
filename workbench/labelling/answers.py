"""What an annotator does with a post: label, skip, ask the lead, undo, change one's mind.

Nothing is ever overwritten: an answer is a new row that supersedes the one before it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from db.queries.desk import cards, on_desk, post_card, standing_copies, undoable, unlabelled_copies
from db.queries.serving import claims_of, is_open, skipped_entries
from db.queries.standing import is_current
from db.tables import Annotation, Claim, Draft, LapsedClaim, Post, QueueEntry
from trainer.labels import LABELS
from workbench.accounts import Account, Right, acting, reading
from workbench.errors import LabellingError
from workbench.labelling.guidelines import version_in_force
from workbench.project import LABEL_SET_ID, Project
from workbench.queue.claims import BLIND_LANES, HeldPost, give_up, hold, is_labelled, note_answers, put_first

LONGEST_NOTE = 2_000
LONGEST_REASON = 40

# Built once, and read without an object for each row: they are asked at every key press.
_PERSON: ColumnElement[int] = bindparam("person_id")
_POST: ColumnElement[int] = bindparam("post_id")
_MINE = (Annotation.post_id == _POST, Annotation.person_id == _PERSON)
_LAST = (
    select(Annotation.id, Annotation.action, Annotation.was_suggestion_visible)
    .where(*_MINE, is_current())
    .order_by(Annotation.id.desc())
    .limit(1)
)
_CARDS = cards(_PERSON, bindparam("post_ids", expanding=True))
_ON_DESK = on_desk(_POST, _PERSON)
_UNLABELLED_COPIES = select(func.count()).select_from(
    unlabelled_copies(_POST).with_only_columns(Post.id).order_by(None).subquery()
)
_LEFT = select(func.count()).select_from(QueueEntry).where(is_open())
_SAVE = insert(Annotation).returning(Annotation.id)
_LET_GO = [
    delete(table).where(table.post_id == _POST, table.person_id == _PERSON) for table in (LapsedClaim, Draft)
]


@dataclass(frozen=True)
class Suggestion:
    """What the model thinks of a post. `probabilities` by label name."""

    label: str
    confidence: float
    probabilities: Mapping[str, float]
    round_number: int | None = None


@dataclass(frozen=True)
class Card:
    """A post as a person sees it. `suggestion` only where the settings show it before the answer.

    `is_late`: the time for it ran out and somebody else has it, so the answer will be a second opinion.
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
    """The acknowledgement of an answer, and all that the person may still do about it.

    `suggestion` is told with a label only: a post that was passed on may come back to be labelled. `copies` of its near-copies have no label yet, `propagated` carry this answer.
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


@dataclass(frozen=True)
class Copy:
    """A near-copy that has no label."""

    post_id: int
    text: str


def hold_posts(project: Project, account: Account, *, on_screen: int | None = None) -> list[Card]:
    """The post to label now and the next one; fewer when the queue runs out.

    Leases are renewed. Two people never get the same post: the write lock is held from the first look. A post that
    is `on_screen` when somebody takes it over stays first, as late, until it is answered.
    """
    with acting(project, account, Right.LABEL) as session:
        held: list[HeldPost | LapsedClaim] = [*hold(session, project, account)]
        lapsed = session.get(LapsedClaim, (on_screen, account.id)) if on_screen is not None else None
        if lapsed is None or any(one.post_id == on_screen for one in held):
            return _cards(session, project, account, held)
        late, *others = _cards(session, project, account, [lapsed, *held])
        return [replace(late, is_late=True), *others]


def submit(project: Project, account: Account, post_id: int, label: str, *, note: str | None = None) -> Saved:
    """Save a person's label of the post they hold and give the post up.

    When the lease ran out and somebody else has the post or has labelled it, the answer is kept as a second
    opinion. `note`: what stands in the note's field now; without it the draft is taken.

    Raises:
        LabellingError: no such label; this person was never shown the post; they have labelled it already
            (a double press: change the answer with `change`).
    """
    refuse_unknown(label)
    return _answer(project, account, post_id, note, action="label", label=label)


def skip(project: Project, account: Account, post_id: int, *, note: str | None = None) -> Saved:
    """Pass a post on to somebody else."""
    return _answer(project, account, post_id, note, action="skip")


def ask_lead(project: Project, account: Account, post_id: int, *, note: str | None = None) -> Saved:
    """Put a post on the lead's list instead of answering it."""
    return _answer(project, account, post_id, note, action="skip", is_flagged=True)


def undo(project: Project, account: Account) -> int:
    """Take back the person's last standing answer, its near-copies' too, and put its post in front of them again.

    Any number of steps, after a reload too. Returns the post's number. Raises LabellingError when there is
    nothing left to undo.
    """
    with acting(project, account, Right.LABEL) as session:
        last = session.scalar(undoable(account.id).limit(1))
        if last is None:
            raise LabellingError("There is nothing to undo.")
        taken_back = [last, *_propagated(session, last)]
        for answer in taken_back:
            session.add(_take_back(project, answer))
        _keep_draft(session, project, account, last.post_id, last.note or "")
        put_first(session, project, account, last)
        note_answers(session, [answer.post_id for answer in taken_back])
        return last.post_id


def change(project: Project, account: Account, annotation_id: int, label: str) -> Saved:
    """Replace one's own answer after it was saved; that the suggestion was visible by then is recorded.

    Near-copies that were given the answer follow. Raises LabellingError when the answer is not this person's
    or no longer stands.
    """
    refuse_unknown(label)
    return _amend(project, account, annotation_id, label=label, reason=None)


def give_reason(project: Project, account: Account, annotation_id: int, reason: str) -> Saved:
    """Say why, after a violation or a skip was saved. Raises LabellingError as `change` does."""
    return _amend(project, account, annotation_id, reason=reason[:LONGEST_REASON])


def flag(project: Project, account: Account, annotation_id: int) -> Saved:
    """Put an answered post on the lead's list, the answer stands. Raises LabellingError as `change` does."""
    return _amend(project, account, annotation_id, is_flagged=True)


def copies_of(project: Project, account: Account, annotation_id: int) -> list[Copy]:
    """The near-copies that `propagate` can give this label, for the person to see before it does."""
    with reading(project, account, Right.LABEL) as session:
        answer = _standing(session, account, annotation_id)
        return [Copy(row.id, row.text) for row in session.execute(unlabelled_copies(answer.post_id))]


def propagate(project: Project, account: Account, annotation_id: int, post_ids: Collection[int]) -> Saved:
    """Give a label to those of the near-copies that still have none, each recorded with where it comes from.

    Undo takes them back with the answer. Raises LabellingError as `change` does.
    """
    with acting(project, account, Right.LABEL) as session:
        answer = _standing(session, account, annotation_id)
        if answer.label is None:
            raise LabellingError("Only a label can be given to near-copies.")
        wanted = set(post_ids)
        copies = [row.id for row in session.execute(unlabelled_copies(answer.post_id)) if row.id in wanted]
        for copy in copies:
            session.add(_propagation(project, answer, copy))
        note_answers(session, copies)
        return _saved(session, answer)


def keep_draft(project: Project, account: Account, post_id: int, note: str) -> None:
    """Keep the note that a person is writing about a post they hold. An empty one is let go."""
    with acting(project, account, Right.LABEL) as session:
        is_held = any(claim.post_id == post_id for claim in session.scalars(claims_of(account.id)))
        if is_held or session.get(LapsedClaim, (post_id, account.id)) is not None:
            _keep_draft(session, project, account, post_id, note)


def last_answer(project: Project, account: Account) -> Saved | None:
    """What `undo` would take back: the line about the previous post, after a reload too."""
    with project.database.read() as session:
        last = session.scalar(undoable(account.id).limit(1))
        return None if last is None else _saved(session, last)


def bring_back_skipped(project: Project, account: Account) -> int:
    """Serve again what this person skipped and nobody has answered. Returns how many posts."""
    with acting(project, account, Right.LABEL) as session:
        skipped = session.scalars(skipped_entries(account.id).where(~Annotation.is_flagged)).all()
        for answer in skipped:
            session.add(_take_back(project, answer))
            _keep_draft(session, project, account, answer.post_id, answer.note or "")
        return len(skipped)


def count_left(session: Session) -> int:
    """Entries that nobody has labelled."""
    return session.connection().scalar(_LEFT) or 0


def release(project: Project, account: Account) -> None:
    """Give up what a person holds, when they sign out."""
    with project.database.write() as session:
        for table in (Claim, LapsedClaim):
            session.execute(delete(table).where(table.person_id == account.id))


def refuse_unknown(label: str) -> None:
    """Raises LabellingError for what is no label of ours."""
    if label not in LABELS:
        raise LabellingError(
            "There is no label {label}. Use one of: {labels}.", label=label, labels=", ".join(LABELS)
        )


def _answer(
    project: Project,
    account: Account,
    post_id: int,
    note: str | None,
    *,
    action: str,
    label: str | None = None,
    is_flagged: bool = False,
) -> Saved:
    with acting(project, account, Right.LABEL) as session:
        connection, mine = session.connection(), {"post_id": post_id, "person_id": account.id}
        before = connection.execute(_LAST, mine).first()
        if before is not None and before.action != "undo":
            raise LabellingError("You have answered this post already. Undo or change that answer.")
        desk = connection.execute(_ON_DESK, mine).first()
        if desk is None or (desk.lane is None and desk.lapsed_lane is None):
            raise LabellingError("That post is not on your desk. Answer the one you see.")
        is_late = desk.lane is None
        lane = desk.lapsed_lane if is_late else desk.lane
        is_second = is_late or is_labelled(session, post_id, by_another_than=account.id)
        written = (note if note is not None else desk.note or "").strip()[:LONGEST_NOTE] or None
        suggestion = _suggestion(desk, lane)
        values = {
            **mine,
            "slot": 1 if is_second else 0,
            "action": action,
            "label_set_id": LABEL_SET_ID,
            "label": label,
            "supersedes_id": before.id if before else None,
            "lane": lane,
            "inclusion_probability": desk.inclusion_probability if desk.queue_lane == lane else None,
            "note": written,
            "is_flagged": is_flagged,
            "guideline_version": version_in_force(session),
            "suggestion": suggestion.label if suggestion else None,
            "suggestion_confidence": suggestion.confidence if suggestion else None,
            "suggestion_round": suggestion.round_number if suggestion else None,
            "was_suggestion_visible": suggestion is not None
            and (project.settings.show_suggestion or (before is not None and before.was_suggestion_visible)),
            "shown_at": desk.lapsed_shown_at if is_late else desk.shown_at,
            "saved_at": project.now(),
        }
        number = connection.execute(_SAVE, values).scalar_one()
        if not is_late:
            give_up(session, post_id, desk.slot)
        for value, statement in zip((desk.lapsed_lane, desk.note), _LET_GO, strict=True):
            if value is not None:
                connection.execute(statement, mine)
        note_answers(session, [post_id])
        return Saved(
            number,
            post_id,
            label,
            desk.text,
            lane,
            suggestion if label else None,
            is_second,
            is_late=is_late,
            is_flagged=is_flagged,
            note=written,
            copies=connection.scalar(_UNLABELLED_COPIES, mine) or 0 if label else 0,
            # Nothing comes from an answer that is new; undo has taken back what came from one before it.
            propagated=0,
        )


def _amend(project: Project, account: Account, annotation_id: int, **values: Any) -> Saved:
    """A new row for one's own standing answer, the same but for `values`; propagated ones follow."""
    with acting(project, account, Right.LABEL) as session:
        last = _standing(session, account, annotation_id)
        if "label" in values:
            if last.action != "label":
                raise LabellingError("A skipped post has no answer to change. Press U to have it again.")
            if last.label == values["label"]:
                return _saved(session, last)
            values["guideline_version"] = version_in_force(session)
            values["was_suggestion_visible"] = last.suggestion is not None and last.lane not in BLIND_LANES
        copies = _propagated(session, last)
        amended = _successor(project, last, **values)
        session.add(amended)
        session.flush()
        for copy in copies:
            if copy.label != amended.label:
                session.add(_propagation(project, amended, copy.post_id, supersedes_id=copy.id))
        return _saved(session, amended)


def _take_back(project: Project, answer: Annotation) -> Annotation:
    """The row that undoes an answer. Whoever gave a label has been told what the model thinks of its post."""
    was_told = answer.action == "label" and answer.suggestion is not None and answer.lane not in BLIND_LANES
    return _successor(
        project,
        answer,
        action="undo",
        label=None,
        note=None,
        reason=None,
        is_flagged=False,
        was_suggestion_visible=answer.was_suggestion_visible or was_told,
    )


def _successor(project: Project, answer: Annotation, **changes: Any) -> Annotation:
    """A row that takes the place of `answer`: what was asked and shown stays, `changes` apart."""
    values = {
        "post_id": answer.post_id,
        "person_id": answer.person_id,
        "slot": answer.slot,
        "action": answer.action,
        "label_set_id": answer.label_set_id,
        "label": answer.label,
        "origin": answer.origin,
        "propagated_from_id": answer.propagated_from_id,
        "lane": answer.lane,
        "inclusion_probability": answer.inclusion_probability,
        "note": answer.note,
        "reason": answer.reason,
        "is_flagged": answer.is_flagged,
        "guideline_version": answer.guideline_version,
        "suggestion": answer.suggestion,
        "suggestion_confidence": answer.suggestion_confidence,
        "suggestion_round": answer.suggestion_round,
        "was_suggestion_visible": answer.was_suggestion_visible,
        "shown_at": answer.shown_at,
        "supersedes_id": answer.id,
        "saved_at": project.now(),
    }
    return Annotation(**(values | changes))


def _propagation(
    project: Project, answer: Annotation, post_id: int, supersedes_id: int | None = None
) -> Annotation:
    return Annotation(
        post_id=post_id,
        person_id=answer.person_id,
        action="label",
        label_set_id=answer.label_set_id,
        label=answer.label,
        origin="propagated",
        propagated_from_id=answer.id,
        lane=answer.lane,
        guideline_version=answer.guideline_version,
        supersedes_id=supersedes_id,
        saved_at=project.now(),
    )


def _propagated(session: Session, answer: Annotation) -> Sequence[Annotation]:
    """Standing labels of near-copies that come from this answer, or from what it has amended."""
    chain, earlier = [answer.id], answer.supersedes_id
    while earlier is not None:
        chain.append(earlier)
        earlier = session.scalar(select(Annotation.supersedes_id).where(Annotation.id == earlier))
    return session.scalars(standing_copies(chain)).all()


def _standing(session: Session, account: Account, annotation_id: int) -> Annotation:
    annotation = session.scalar(
        select(Annotation).where(
            Annotation.id == annotation_id,
            Annotation.person_id == account.id,
            Annotation.action != "undo",
            is_current(),
        )
    )
    if annotation is None:
        raise LabellingError("That answer has been changed already.")
    return annotation


def _cards(
    session: Session, project: Project, account: Account, held: Sequence[HeldPost | LapsedClaim]
) -> list[Card]:
    if not held:
        return []
    asked = {"person_id": account.id, "post_ids": [one.post_id for one in held]}
    rows = {row.post_id: row for row in session.connection().execute(_CARDS, asked)}
    return [_card(session, project, one.lane, rows[one.post_id]) for one in held]


def _card(session: Session, project: Project, lane: str, row: Row[*tuple[Any, ...]]) -> Card:
    suggestion = None
    if project.settings.show_suggestion:
        suggestion = _suggestion(session.get(QueueEntry, row.post_id), lane)
    return Card(
        row.post_id, row.external_id, row.text, row.facts or {}, row.copies, row.note or "", suggestion
    )


def _saved(session: Session, annotation: Annotation) -> Saved:
    session.flush()
    row = session.execute(post_card(annotation.post_id)).one()
    entry = session.get(QueueEntry, annotation.post_id)
    copies = select(func.count()).select_from(unlabelled_copies(annotation.post_id).subquery())
    return Saved(
        annotation.id,
        annotation.post_id,
        annotation.label,
        row.text,
        annotation.lane,
        _suggestion(entry, annotation.lane) if annotation.label else None,
        annotation.slot == 1,
        is_flagged=annotation.is_flagged,
        reason=annotation.reason,
        note=annotation.note,
        copies=session.scalar(copies) or 0 if annotation.label else 0,
        propagated=len(_propagated(session, annotation)),
    )


def _suggestion(entry: QueueEntry | Row[*tuple[Any, ...]] | None, lane: str | None) -> Suggestion | None:
    """What the model thought when the queue was filled; nothing of a blind lane's posts."""
    if lane in BLIND_LANES or entry is None:
        return None
    if entry.normal is None or entry.suspicious is None or entry.violation is None:
        return None
    probabilities = dict(zip(LABELS, (entry.normal, entry.suspicious, entry.violation), strict=True))
    label = max(probabilities, key=probabilities.__getitem__)
    return Suggestion(label, probabilities[label], probabilities, entry.round_number)


def _keep_draft(session: Session, project: Project, account: Account, post_id: int, note: str) -> None:
    session.execute(delete(Draft).where(Draft.person_id == account.id, Draft.post_id == post_id))
    if note.strip():
        draft = Draft(person_id=account.id, post_id=post_id, note=note[:LONGEST_NOTE], saved_at=project.now())
        session.add(draft)
