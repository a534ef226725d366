"""The lead's list: posts somebody asked about, and posts people judge differently.

Who said what is told only of a post that is decided: a name would weigh more than a reason.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from db.queries.review import disagreements, flagged_answers
from db.queries.standing import is_current, standing_resolutions
from db.tables import Annotation, Person, Post, PostGroup, PostText, Resolution
from trainer.labels import LABELS
from workbench.accounts import Account, Right, reading
from workbench.labelling.answers import Suggestion
from workbench.project import Project
from workbench.review.resolutions import decision_on
from workbench.rounds.champion import champion_number
from workbench.scores.round_scores import RoundScores

LISTED = 200


@dataclass(frozen=True)
class Opinion:
    """What one person said; `label` is None where they asked instead of answering, `name` while it is not told."""

    name: str | None
    label: str | None
    note: str | None
    reason: str | None
    said_at: datetime


@dataclass(frozen=True)
class OpenCase:
    """A post a lead should look at. `is_flagged`: somebody asked; else its opinions differ.

    `decision_id` is that of the decision that stands, where somebody asked anew after it.
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
    """A post a lead has decided, with all that was kept back until then.

    `suggestion` is what the adapter in use makes of it; None before there is one, and of held-out posts always.
    """

    post_id: int
    text: str
    label: str
    opinions: Sequence[Opinion]
    is_held_out: bool
    suggestion: Suggestion | None


def open_cases(project: Project, account: Account) -> list[OpenCase]:
    """Flagged posts first, then disagreements, the newest of each first; at most 200 of each.

    Raises NotAllowedError for somebody who is no lead.
    """
    with reading(project, account, Right.REVIEW) as session:
        flagged = {
            annotation.post_id: (external_id, text)
            for annotation, _person, external_id, text in session.execute(flagged_answers().limit(LISTED))
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
    """A decided post with names and the model's view; None when it is not decided, or open again.

    Raises NotAllowedError for somebody who is no lead.
    """
    with reading(project, account, Right.REVIEW) as session:
        decision = decision_on(session, post_id)
        if decision is None or decision.label is None or _is_asked(session, post_id):
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
            None if is_held_out else _suggestion(project, session, post_id),
        )


def _is_asked(session: Session, post_id: int) -> bool:
    """Somebody asks a lead about the post, since the decision if there is one."""
    return (
        session.execute(flagged_answers().where(Annotation.post_id == post_id).limit(1)).first() is not None
    )


def _opinions(session: Session, posts: Collection[int], *, has_names: bool) -> dict[int, list[Opinion]]:
    opinions: dict[int, list[Opinion]] = {post: [] for post in posts}
    rows = session.execute(
        select(Annotation, Person.name)
        .join(Person, Person.id == Annotation.person_id)
        .where(
            Annotation.post_id.in_(posts),
            or_(Annotation.action == "label", Annotation.is_flagged & (Annotation.action != "undo")),
            is_current(),
        )
        .order_by(Annotation.id)
    )
    for annotation, name in rows:
        opinions[annotation.post_id].append(
            Opinion(
                name if has_names else None,
                annotation.label,
                annotation.note,
                annotation.reason,
                annotation.saved_at,
            )
        )
    return opinions


def _suggestion(project: Project, session: Session, post_id: int) -> Suggestion | None:
    number = champion_number(session)
    probabilities = None if number is None else RoundScores.of(project, number).score_of(post_id)
    if probabilities is None:
        return None
    by_label = {name: float(share) for name, share in zip(LABELS, probabilities, strict=True)}
    label = max(by_label, key=by_label.__getitem__)
    return Suggestion(label, by_label[label], by_label, number)
