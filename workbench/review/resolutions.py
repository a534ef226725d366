"""A lead's decision on a post, which training and exports use instead of the annotators' labels.

Decisions are append-only, and so are their withdrawals; the annotations stay.
"""

from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.queries.serving import served_blind
from db.queries.standing import standing_resolutions
from db.tables import Post, PostGroup, Resolution
from workbench.accounts import Account, Right, acting
from workbench.errors import LabellingError
from workbench.labelling.cards import refuse_unknown
from workbench.project import LABEL_SET_ID, Project
from workbench.queue.claims import note_answers

Occasion = Literal["review", "doubt", "bulk", "ruling"]
"""Where a decision was made: on the lead's list, among the doubtful labels, in bulk, or among the labels that a ruling
touches."""
LONGEST_REASON = 400


def resolve(
    project: Project,
    account: Account,
    post_id: int,
    label: str,
    *,
    occasion: Occasion = "review",
    reason: str | None = None,
    may_replace: bool = False,
    instead_of: int | None = None,
    ruling_id: int | None = None,
) -> None:
    """Decide the label of a post, which then counts as labelled in every split.

    A standing decision is replaced only if `may_replace`, or if it is `instead_of`, the id that the lead has
    seen. `ruling_id`: the ruling that the decision is made under. Raises LabellingError for an unknown label or post, a post with another decision, one that is not
    prepared, or a held-out post that was never served; NotAllowedError if `account` is not a lead.
    """
    refuse_unknown(label)
    with acting(project, account, Right.REVIEW) as session:
        if not may_replace:
            refuse_decided(session, post_id, instead_of)
        append_decision(session, project, account, post_id, label, occasion, reason, ruling_id=ruling_id)


def take_back(project: Project, account: Account, post_id: int) -> None:
    """Withdraw the decision on a post, by any lead; the annotations count again.

    Raises LabellingError if no decision stands, NotAllowedError if `account` is not a lead.
    """
    with acting(project, account, Right.REVIEW) as session:
        standing = decision_on(session, post_id)
        if standing is None:
            raise LabellingError("There is no decision on this post to take back.")
        _append(session, project, account, post_id, None, standing.occasion)


def undo(project: Project, account: Account, occasion: Occasion) -> int:
    """Withdraw the lead's own last standing decision of an occasion. Can be repeated.

    A bulk decision that it replaced stands again, unless that was withdrawn since; so does any decision that was
    replaced under a ruling. Returns the post's number.
    Raises LabellingError if there is no decision to undo.
    """
    with acting(project, account, Right.REVIEW) as session:
        last = last_decision(session, account, occasion)
        if last is None:
            raise LabellingError("There is nothing to undo.")
        before = _replaced(session, last)
        if before is None:
            _append(session, project, account, last.post_id, None, occasion)
        else:
            # "ruling" without a ruling marks that it stands again: its label is as old as it was.
            again = occasion if occasion == "ruling" else before.occasion
            _append(
                session,
                project,
                account,
                last.post_id,
                before.label,
                again,
                before.reason,
                bulk_id=before.bulk_id,
            )
        return last.post_id


def decision_on(session: Session, post_id: int) -> Resolution | None:
    return session.scalar(standing_resolutions().where(Resolution.post_id == post_id))


def last_decision(session: Session, account: Account, occasion: Occasion) -> Resolution | None:
    mine = standing_resolutions().where(Resolution.person_id == account.id, Resolution.occasion == occasion)
    if occasion == "ruling":
        # Without a ruling it is a decision that stands again.
        mine = mine.where(Resolution.ruling_id.is_not(None))
    return session.scalar(mine.order_by(Resolution.id.desc()).limit(1))


def post_called(session: Session, external_id: str) -> int:
    post_id = session.scalar(select(Post.id).where(Post.external_id == external_id))
    if post_id is None:
        raise LabellingError("There is no post {id}.", id=external_id)
    return post_id


def refuse_decided(session: Session, post_id: int, instead_of: int | None = None) -> None:
    standing = decision_on(session, post_id)
    if standing is not None and standing.id != instead_of:
        raise LabellingError("This post has been decided meanwhile. Nothing was changed.")


def append_decision(
    session: Session,
    project: Project,
    account: Account,
    post_id: int,
    label: str,
    occasion: Occasion,
    reason: str | None = None,
    *,
    ruling_id: int | None = None,
) -> None:
    """Raises LabellingError for a post that cannot be judged."""
    if session.get(Post, post_id) is None:
        raise LabellingError("There is no post {id}.", id=post_id)
    _refuse_unjudgeable(session, post_id)
    _append(session, project, account, post_id, label, occasion, reason, ruling_id=ruling_id)


def _replaced(session: Session, decision: Resolution) -> Resolution | None:
    """The decision that stands again without this one."""
    earlier = select(Resolution).where(Resolution.post_id == decision.post_id, Resolution.id < decision.id)
    before = session.scalar(earlier.order_by(Resolution.id.desc()).limit(1))
    if before is None or before.label is None:
        return None
    if before.bulk_id is None:
        return before if decision.occasion == "ruling" else None
    ended = select(Resolution.id).where(Resolution.bulk_id == before.bulk_id, Resolution.label.is_(None))
    return before if session.scalar(ended.limit(1)) is None else None


def _refuse_unjudgeable(session: Session, post_id: int) -> None:
    """A decision is a judgement too: on a held-out post that was not drawn, it would count as a random one."""
    post = session.get_one(Post, post_id)
    if post.group_id is None:
        raise LabellingError(
            "Post {id} is still being prepared. Decide on it in a moment.", id=post.external_id
        )
    split = session.get_one(PostGroup, post.group_id).split
    if split != "pool" and session.scalar(served_blind(post_id).limit(1)) is None:
        raise LabellingError(
            "Post {id} is kept for checking the model. It is decided only after an annotator was served it.",
            id=post.external_id,
        )


def _append(
    session: Session,
    project: Project,
    account: Account,
    post_id: int,
    label: str | None,
    occasion: str,
    reason: str | None = None,
    bulk_id: int | None = None,
    ruling_id: int | None = None,
) -> None:
    session.add(
        Resolution(
            post_id=post_id,
            person_id=account.id,
            label_set_id=LABEL_SET_ID,
            label=label,
            occasion=occasion,
            reason=(reason or "").strip()[:LONGEST_REASON] or None,
            decided_at=project.now(),
            bulk_id=bulk_id,
            ruling_id=ruling_id,
        )
    )
    note_answers(session, [post_id])
