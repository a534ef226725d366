"""An annotator's actions on a post: label, skip, ask the lead, undo, change.

Answers are append-only: each is a new row that supersedes the one before it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from db.queries.checks import standing_checks
from db.queries.desk import on_desk, post_card, standing_copies, undoable, unlabelled_copies
from db.queries.serving import claims_of, is_open, releases, skipped_entries
from db.queries.standing import is_current
from db.tables import Annotation, CheckAnswer, Draft, LapsedClaim, Post, QueueEntry
from workbench.accounts import Account, Right, acting, reading
from workbench.errors import LabellingError
from workbench.labelling import checks
from workbench.labelling.cards import (
    LONGEST_NOTE,
    LONGEST_REASON,
    Card,
    Copy,
    Saved,
    cards_of,
    keep_note,
    refuse_unknown,
    suggestion_of,
)
from workbench.labelling.guidelines import version_in_force
from workbench.project import LABEL_SET_ID, Project
from workbench.queue import check_posts
from workbench.queue.claims import BLIND_LANES, HeldPost, give_up, hold, is_labelled, note_answers, put_first

RECENT = 10
"""Answers that `recent_answers` returns at most."""

# Built once and executed without ORM objects: these statements run at every key press.
_PERSON: ColumnElement[int] = bindparam("person_id")
_POST: ColumnElement[int] = bindparam("post_id")
_MINE = (Annotation.post_id == _POST, Annotation.person_id == _PERSON)
_LAST = (
    select(Annotation.id, Annotation.action, Annotation.was_suggestion_visible)
    .where(*_MINE, is_current())
    .order_by(Annotation.id.desc())
    .limit(1)
)
_ON_DESK = on_desk(_POST, _PERSON)
_UNLABELLED_COPIES = select(func.count()).select_from(
    unlabelled_copies(_POST).with_only_columns(Post.id).order_by(None).subquery()
)
_LEFT = select(func.count()).select_from(QueueEntry).where(is_open())
_SAVE = insert(Annotation).returning(Annotation.id)
_DISCARD = [
    delete(table).where(table.post_id == _POST, table.person_id == _PERSON) for table in (LapsedClaim, Draft)
]


def hold_posts(project: Project, account: Account, *, on_screen: int | None = None) -> list[Card]:
    """The post to label now and the next one; fewer at the end of the queue.

    Renews the leases. The write lock is held from the first read, so two annotators never get one post. A post
    `on_screen` that another annotator has taken over stays first, as late, until it is answered.
    """
    with acting(project, account, Right.LABEL) as session:
        held: list[HeldPost | LapsedClaim] = [*hold(session, project, account)]
        lapsed = session.get(LapsedClaim, (on_screen, account.id)) if on_screen is not None else None
        if lapsed is None or any(one.post_id == on_screen for one in held):
            return cards_of(session, project, account, held)
        late, *others = cards_of(session, project, account, [lapsed, *held])
        return [replace(late, is_late=True), *others]


def submit(project: Project, account: Account, post_id: int, label: str, *, note: str | None = None) -> Saved:
    """Store the label of a post that the annotator holds, and end its lease.

    If the lease expired and another annotator holds or has labelled the post, the answer becomes a second
    opinion. `note` is the current text of the note field; without it the draft is used. Raises LabellingError
    for an unknown label, a post that the annotator was not shown, or one they have answered already.
    """
    refuse_unknown(label)
    return _answer(project, account, post_id, note, action="label", label=label)


def skip(project: Project, account: Account, post_id: int, *, note: str | None = None) -> Saved:
    return _answer(project, account, post_id, note, action="skip")


def ask_lead(project: Project, account: Account, post_id: int, *, note: str | None = None) -> Saved:
    return _answer(project, account, post_id, note, action="skip", is_flagged=True)


def undo(project: Project, account: Account) -> int:
    """Withdraw the annotator's last standing answer and its propagated copies, and claim its post again.

    Can be repeated. Returns the post's number. Raises LabellingError if there is no answer to undo.
    """
    with acting(project, account, Right.LABEL) as session:
        last = _last(session, account)
        if last is None:
            raise LabellingError("There is nothing to undo.")
        if isinstance(last, CheckAnswer):
            return checks.take_back(session, project, account, last)
        taken_back = [last, *_propagated(session, last)]
        for answer in taken_back:
            session.add(_take_back(project, answer))
        keep_note(session, project, account, last.post_id, last.note or "")
        put_first(session, project, account, last.post_id, lane=last.lane, slot=last.slot)
        note_answers(session, [answer.post_id for answer in taken_back])
        return last.post_id


def change(project: Project, account: Account, annotation_id: int, label: str) -> Saved:
    """Replace the label of one's own answer, and of the near-copies that it was propagated to.

    Records that the suggestion was visible. Raises LabellingError if the answer is another person's or
    superseded.
    """
    refuse_unknown(label)
    return _amend(project, account, annotation_id, label=label, reason=None)


def give_reason(project: Project, account: Account, annotation_id: int, reason: str) -> Saved:
    return _amend(project, account, annotation_id, reason=reason[:LONGEST_REASON])


def flag(project: Project, account: Account, annotation_id: int) -> Saved:
    """Put an answered post on the lead's list; the answer stands. Raises LabellingError as `change` does."""
    return _amend(project, account, annotation_id, is_flagged=True)


def copies_of(project: Project, account: Account, annotation_id: int) -> list[Copy]:
    with reading(project, account, Right.LABEL) as session:
        answer = _standing(session, account, annotation_id)
        return [Copy(row.id, row.text) for row in session.execute(unlabelled_copies(answer.post_id))]


def propagate(project: Project, account: Account, annotation_id: int, post_ids: Collection[int]) -> Saved:
    """Give the answer's label to the near-copies among `post_ids` that have none. `undo` withdraws them too.

    Raises LabellingError as `change` does.
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
    with acting(project, account, Right.LABEL) as session:
        is_held = any(claim.post_id == post_id for claim in session.scalars(claims_of(account.id)))
        if is_held or session.get(LapsedClaim, (post_id, account.id)) is not None:
            keep_note(session, project, account, post_id, note)


def recent_answers(project: Project, account: Account) -> list[Saved]:
    """The annotator's last standing answers, the latest act first: `undo` withdraws the first one."""
    with reading(project, account, Right.LABEL) as session:
        given = session.scalars(undoable(account.id).limit(RECENT)).all()
        checked = session.scalars(standing_checks(account.id).limit(RECENT)).all()
        # Sorting is stable: of one moment, the answer to the check post counts as the later one, as in `_last`.
        both: list[Annotation | CheckAnswer] = [*checked, *given]
        latest = sorted(both, key=lambda answer: answer.saved_at, reverse=True)[:RECENT]
        return [
            checks.saved(session, project, answer)
            if isinstance(answer, CheckAnswer)
            else _saved(session, answer)
            for answer in latest
        ]


def bring_back_skipped(project: Project, account: Account) -> int:
    with acting(project, account, Right.LABEL) as session:
        skipped = session.scalars(skipped_entries(account.id).where(~Annotation.is_flagged)).all()
        for answer in skipped:
            session.add(_take_back(project, answer))
            keep_note(session, project, account, answer.post_id, answer.note or "")
        return len(skipped)


def count_left(session: Session) -> int:
    return session.connection().scalar(_LEFT) or 0


def release(project: Project, account: Account) -> None:
    with project.database.write() as session:
        for statement in releases(account.id):
            session.execute(statement)


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
        mine = {"post_id": post_id, "person_id": account.id}
        desk = session.connection().execute(_ON_DESK, mine).first()
        lane = None if desk is None else desk.lane or desk.lapsed_lane
        is_check = lane in check_posts.KINDS
        before = None if is_check else session.connection().execute(_LAST, mine).first()
        if before is not None and before.action != "undo":
            raise LabellingError("You have answered this post already. Undo or change that answer.")
        if desk is None or lane is None:
            if checks.is_answered(session, post_id, account.id):
                raise LabellingError("You have answered this post already. Undo or change that answer.")
            raise LabellingError("That post is not on your desk. Answer the one you see.")
        is_late = desk.lane is None
        given = {
            "action": action,
            "label": label,
            "note": (note if note is not None else desk.note or "").strip()[:LONGEST_NOTE] or None,
            "is_flagged": is_flagged,
            "shown_at": desk.lapsed_shown_at if is_late else desk.shown_at,
        }
        if is_check:
            saved = checks.save(session, project, account, post_id, lane, given)
        else:
            saved = _annotate(session, project, account, post_id, desk, before, given)
        if not is_late:
            give_up(session, post_id, desk.slot)
        for value, statement in zip((desk.lapsed_lane, desk.note), _DISCARD, strict=True):
            if value is not None:
                session.connection().execute(statement, mine)
        if not is_check:
            note_answers(session, [post_id])
        return replace(saved, is_late=is_late)


def _annotate(
    session: Session,
    project: Project,
    account: Account,
    post_id: int,
    desk: Row[*tuple[Any, ...]],
    before: Row[*tuple[Any, ...]] | None,
    given: Mapping[str, Any],
) -> Saved:
    """Append an annotation with the columns `given`. `before` is the annotation that it supersedes."""
    connection, mine = session.connection(), {"post_id": post_id, "person_id": account.id}
    lane, label = desk.lane or desk.lapsed_lane, given["label"]
    is_second = desk.lane is None or is_labelled(session, post_id, by_another_than=account.id)
    suggestion = suggestion_of(desk, lane)
    values = {
        **mine,
        **given,
        "slot": 1 if is_second else 0,
        "label_set_id": LABEL_SET_ID,
        "supersedes_id": before.id if before else None,
        "lane": lane,
        "inclusion_probability": desk.inclusion_probability if desk.queue_lane == lane else None,
        "guideline_version": version_in_force(session),
        "suggestion": suggestion.label if suggestion else None,
        "suggestion_confidence": suggestion.confidence if suggestion else None,
        "suggestion_round": suggestion.round_number if suggestion else None,
        "was_suggestion_visible": suggestion is not None
        and (project.settings.show_suggestion or (before is not None and before.was_suggestion_visible)),
        "saved_at": project.now(),
    }
    return Saved(
        connection.execute(_SAVE, values).scalar_one(),
        post_id,
        label,
        desk.text,
        lane,
        suggestion if label else None,
        is_second,
        is_flagged=given["is_flagged"],
        note=given["note"],
        copies=connection.scalar(_UNLABELLED_COPIES, mine) or 0 if label else 0,
        # A new answer has no propagated copies; `undo` has withdrawn those of an earlier one.
        propagated=0,
    )


def _last(session: Session, account: Account) -> Annotation | CheckAnswer | None:
    """The annotator's last standing answer, to a check post or another."""
    last, check = session.scalar(undoable(account.id).limit(1)), checks.last_standing(session, account.id)
    if last is None or check is None:
        return last or check
    return check if check.saved_at >= last.saved_at else last


def _amend(project: Project, account: Account, annotation_id: int, **values: Any) -> Saved:
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
    # The acknowledgement of a label always shows the suggestion.
    was_shown = answer.action == "label" and answer.suggestion is not None and answer.lane not in BLIND_LANES
    return _successor(
        project,
        answer,
        action="undo",
        label=None,
        note=None,
        reason=None,
        is_flagged=False,
        was_suggestion_visible=answer.was_suggestion_visible or was_shown,
    )


def _successor(project: Project, answer: Annotation, **changes: Any) -> Annotation:
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
        suggestion_of(entry, annotation.lane) if annotation.label else None,
        annotation.slot == 1,
        is_flagged=annotation.is_flagged,
        reason=annotation.reason,
        note=annotation.note,
        copies=session.scalar(copies) or 0 if annotation.label else 0,
        propagated=len(_propagated(session, annotation)),
    )
