"""Answers to check posts. They measure the annotator and change no label, vote, case or count.

The annotator cannot tell a check post from a second opinion, so each action on an answer exists here too.
Answers are append-only, as annotations are.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from db.queries.checks import last_check, standing_checks
from db.queries.desk import post_card
from db.tables import CheckAnswer, QueueEntry
from trainer.selection.lanes import SECOND_OPINION
from workbench.accounts import Account, Right, acting
from workbench.errors import LabellingError
from workbench.labelling.cards import (
    LONGEST_REASON,
    Saved,
    Suggestion,
    keep_note,
    refuse_unknown,
    scored_suggestion,
    suggestion_of,
)
from workbench.labelling.guidelines import version_in_force
from workbench.project import LABEL_SET_ID, Project
from workbench.queue import check_posts
from workbench.queue.claims import put_first


def save(
    session: Session, project: Project, account: Account, post_id: int, kind: str, given: Mapping[str, Any]
) -> Saved:
    """Store an answer to a check post on the annotator's desk: `given` has the columns of the answer itself.

    The caller ends the lease.
    """
    before = session.scalar(last_check(post_id, account.id))
    suggestion = _suggestion(session, project, post_id, given["label"])
    was_visible = project.settings.show_suggestion or (before is not None and before.was_suggestion_visible)
    answer = CheckAnswer(
        post_id=post_id,
        person_id=account.id,
        kind=kind,
        label_set_id=LABEL_SET_ID,
        expected=check_posts.expected_label(session, kind, post_id, account.id),
        supersedes_id=None if before is None else before.id,
        guideline_version=version_in_force(session),
        was_suggestion_visible=suggestion is not None and was_visible,
        saved_at=project.now(),
        **given,
    )
    session.add(answer)
    session.flush()
    return saved(session, project, answer)


def is_answered(session: Session, post_id: int, person_id: int) -> bool:
    last = session.scalar(last_check(post_id, person_id))
    return last is not None and last.action != "undo"


def last_standing(session: Session, person_id: int) -> CheckAnswer | None:
    return session.scalar(standing_checks(person_id).limit(1))


def take_back(session: Session, project: Project, account: Account, answer: CheckAnswer) -> int:
    """Withdraw an answer and put its post on the desk again. Returns the post's number."""
    was_shown = _suggestion(session, project, answer.post_id, answer.label) is not None
    undone = {"action": "undo", "label": None, "note": None, "reason": None, "is_flagged": False}
    is_visible = answer.was_suggestion_visible or was_shown
    session.add(_successor(project, answer, **undone, was_suggestion_visible=is_visible))
    keep_note(session, project, account, answer.post_id, answer.note or "")
    put_first(session, project, account, answer.post_id, lane=answer.kind, slot=check_posts.SLOT)
    return answer.post_id


def change(project: Project, account: Account, answer_id: int, label: str) -> Saved:
    """Raises LabellingError as `change` of annotations does."""
    refuse_unknown(label)
    with acting(project, account, Right.LABEL) as session:
        last = _standing(session, account, answer_id)
        if last.action != "label":
            raise LabellingError("A skipped post has no answer to change. Press U to have it again.")
        if last.label == label:
            return saved(session, project, last)
        was_shown = _suggestion(session, project, last.post_id, last.label) is not None
        values = {"label": label, "reason": None, "guideline_version": version_in_force(session)}
        return _append(session, project, last, **values, was_suggestion_visible=was_shown)


def give_reason(project: Project, account: Account, answer_id: int, reason: str) -> Saved:
    with acting(project, account, Right.LABEL) as session:
        return _append(
            session, project, _standing(session, account, answer_id), reason=reason[:LONGEST_REASON]
        )


def flag(project: Project, account: Account, answer_id: int) -> Saved:
    """Put the post on the lead's list, though its label stands: the annotator may have found a mistake."""
    with acting(project, account, Right.LABEL) as session:
        return _append(session, project, _standing(session, account, answer_id), is_flagged=True)


def saved(session: Session, project: Project, answer: CheckAnswer) -> Saved:
    """As an answer to a second opinion is acknowledged."""
    return Saved(
        answer.id,
        answer.post_id,
        answer.label,
        session.execute(post_card(answer.post_id)).one().text,
        SECOND_OPINION,
        _suggestion(session, project, answer.post_id, answer.label),
        is_second_opinion=True,
        is_flagged=answer.is_flagged,
        reason=answer.reason,
        note=answer.note,
        is_check=True,
    )


def _append(session: Session, project: Project, last: CheckAnswer, **changes: Any) -> Saved:
    amended = _successor(project, last, **changes)
    session.add(amended)
    session.flush()
    return saved(session, project, amended)


def _successor(project: Project, answer: CheckAnswer, **changes: Any) -> CheckAnswer:
    columns = (column.name for column in CheckAnswer.__table__.columns if column.name != "id")
    values = {name: getattr(answer, name) for name in columns}
    values |= {"supersedes_id": answer.id, "saved_at": project.now()}
    return CheckAnswer(**(values | changes))


def _standing(session: Session, account: Account, answer_id: int) -> CheckAnswer:
    answer = session.scalar(standing_checks(account.id).where(CheckAnswer.id == answer_id))
    if answer is None:
        raise LabellingError("That answer has been changed already.")
    return answer


def _suggestion(session: Session, project: Project, post_id: int, label: str | None) -> Suggestion | None:
    """None for a skip, as the post may come back to be labelled."""
    if label is None:
        return None
    entry: QueueEntry | Row[*tuple[Any, ...]] | None = session.get(QueueEntry, post_id)
    return suggestion_of(entry, SECOND_OPINION) or scored_suggestion(project, session, post_id)
