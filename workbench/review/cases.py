"""The lead's list: flagged posts and disagreements.

Names are hidden until the post has a decision, so that the lead judges reasons, not people.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from db.queries.checks import flagged_checks, questions_on_checks
from db.queries.review import disagreements, flagged_answers
from db.queries.standing import is_current, standing_resolutions
from db.tables import Annotation, CheckAnswer, Person, Post, PostGroup, PostText, Resolution
from workbench.accounts import Account, Right, reading
from workbench.labelling.cards import Suggestion, scored_suggestion
from workbench.project import Project
from workbench.review.resolutions import decision_on

LISTED = 200


@dataclass(frozen=True)
class Opinion:
    """`label` is None if the annotator asked instead of answering; `name` is None while it is hidden."""

    name: str | None
    label: str | None
    note: str | None
    reason: str | None
    said_at: datetime


@dataclass(frozen=True)
class OpenCase:
    """A post for a lead: flagged by an annotator (`is_flagged`), or with differing labels.

    `decision_id` is the standing decision, if the post was flagged again after it.
    """

    post_id: int
    external_id: str
    text: str
    is_flagged: bool
    opinions: Sequence[Opinion]
    decision_id: int | None = None

    def to_dict(self) -> dict[str, Any]:
        values = asdict(self)
        for opinion in values["opinions"]:
            del opinion["name"]
            opinion["said_at"] = opinion["said_at"].isoformat()
        return values


@dataclass(frozen=True)
class ResolvedCase:
    """A post with a decision, with the names and the suggestion that were hidden before.

    `suggestion` is of the adapter in use; None without one, and always for held-out posts.
    """

    post_id: int
    text: str
    label: str
    opinions: Sequence[Opinion]
    is_held_out: bool
    suggestion: Suggestion | None


def open_cases(project: Project, account: Account) -> list[OpenCase]:
    """Flagged posts, then disagreements, up to 200 of each, newest first.

    Raises NotAllowedError if `account` is not a lead.
    """
    with reading(project, account, Right.REVIEW) as session:
        flagged = {
            answer.post_id: (external_id, text)
            for query in (flagged_answers(), flagged_checks())
            for answer, _person, external_id, text in session.execute(query.limit(LISTED))
        }
        split = {
            row.id: (row.external_id, row.text) for row in session.execute(disagreements().limit(LISTED))
        }
        posts = {**flagged, **{post: row for post, row in split.items() if post not in flagged}}
        opinions = _opinions(session, posts, has_names=False)
        decided = standing_resolutions().where(Resolution.post_id.in_(list(posts)))
        decisions = {one.post_id: one.id for one in session.scalars(decided)}
        return [
            OpenCase(post, external_id, text, post in flagged, opinions[post], decisions.get(post))
            for post, (external_id, text) in posts.items()
        ]


def resolved_case(project: Project, account: Account, post_id: int) -> ResolvedCase | None:
    """None if the post has no decision, or was flagged again after it.

    Raises NotAllowedError if `account` is not a lead.
    """
    with reading(project, account, Right.REVIEW) as session:
        decision = decision_on(session, post_id)
        if decision is None or decision.label is None or is_asked(session, post_id):
            return None
        split = session.scalar(
            select(PostGroup.split).join(Post, Post.group_id == PostGroup.id).where(Post.id == post_id)
        )
        is_held_out = split not in {None, "pool"}
        return ResolvedCase(
            post_id,
            session.get_one(PostText, post_id).text,
            decision.label,
            _opinions(session, [post_id], has_names=True)[post_id],
            is_held_out,
            None if is_held_out else scored_suggestion(project, session, post_id),
        )


def is_asked(session: Session, post_id: int) -> bool:
    questions = (
        flagged_answers().where(Annotation.post_id == post_id),
        flagged_checks().where(CheckAnswer.post_id == post_id),
    )
    return any(session.execute(query.limit(1)).first() is not None for query in questions)


def _opinions(session: Session, posts: Collection[int], *, has_names: bool) -> dict[int, list[Opinion]]:
    """Labels and questions; of the answers to check posts, which are no votes, only the questions."""
    opinions: dict[int, list[Opinion]] = {post: [] for post in posts}
    labelled = (
        select(Annotation, Person.name)
        .join(Person, Person.id == Annotation.person_id)
        .where(
            Annotation.post_id.in_(posts),
            or_(Annotation.action == "label", Annotation.is_flagged & (Annotation.action != "undo")),
            is_current(),
        )
        .order_by(Annotation.id)
    )
    asked = questions_on_checks(posts)
    for answer, name in (*session.execute(labelled), *session.execute(asked)):
        opinions[answer.post_id].append(
            Opinion(name if has_names else None, answer.label, answer.note, answer.reason, answer.saved_at)
        )
    return opinions
