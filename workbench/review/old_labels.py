"""Labels from before a ruling that say something else: each is kept or changed by a lead, and none by itself."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from db.queries.review import asked_of_lead
from db.queries.rulings import outdated_posts
from db.queries.standing import current_labels, standing_resolutions
from db.tables import Annotation, Post, PostGroup, PostText, Resolution, Ruling, RulingPost
from workbench.accounts import Account, Right, acting, reading
from workbench.errors import InputError
from workbench.project import Project
from workbench.review import resolutions
from workbench.review.bulk_labels import AT_MOST, give_label

LISTED = 200


@dataclass(frozen=True)
class OldLabel:
    """A post under the newest ruling that it contradicts. `labels` are the decision on it, or its distinct answers.

    `may_be_many`: it can be settled with others in one step. Not so are held-out posts, posts with a decision of their
    own, with several labels, or with an open question.
    """

    post_id: int
    external_id: str
    text: str
    labels: Sequence[str]
    decision_id: int | None
    ruling_id: int
    title: str
    ruled: str
    may_be_many: bool


def old_labels(project: Project, account: Account, *, most: int = LISTED) -> list[OldLabel]:
    """The newest ruling first. Raises NotAllowedError if `account` is not a lead."""
    with reading(project, account, Right.REVIEW) as session:
        return _read(session, _outdated(session, most))


def count_old_labels(project: Project, account: Account) -> int:
    with reading(project, account, Right.REVIEW) as session:
        posts = outdated_posts().order_by(None).with_only_columns(RulingPost.post_id).distinct()
        return session.scalar(select(func.count()).select_from(posts.subquery())) or 0


def settle(
    project: Project,
    account: Account,
    post_id: int,
    label: str,
    *,
    ruling_id: int,
    instead_of: int | None = None,
) -> None:
    """Keep or change the label of one post. Raises LabellingError if it has another decision than `instead_of`."""
    resolutions.resolve(
        project, account, post_id, label, occasion="ruling", instead_of=instead_of, ruling_id=ruling_id
    )


def settle_many(
    project: Project, account: Account, ruling_id: int, post_ids: Collection[int], *, keeps: bool
) -> int:
    """Keep the labels of these posts, or give them that of the ruling; returns their number.

    Those that changed meanwhile stay as they are. One step for each label: `bulk_labels.take_back` withdraws it. Raises
    InputError if none is left,
    or for more than AT_MOST.
    """
    if len(post_ids) > AT_MOST:
        raise InputError("At most {most} posts can be labelled in one go.", most=AT_MOST)
    with acting(project, account, Right.REVIEW) as session:
        rows = {post: ruling for post, ruling in _outdated(session).items() if post in set(post_ids)}
        posts = [one for one in _read(session, rows) if one.may_be_many and one.ruling_id == ruling_id]
        if not posts:
            raise InputError("None of these posts is left to label.")
        by_label: dict[str, list[int]] = defaultdict(list)
        for one in posts:
            by_label[one.labels[0] if keeps else one.ruled].append(one.post_id)
        for label, ids in by_label.items():
            give_label(session, project, account, ids, label, ruling_id=ruling_id, ruling=ruling_id)
        return len(posts)


def _outdated(session: Session, most: int | None = None) -> dict[int, int]:
    """The ruling by post."""
    rulings: dict[int, int] = {}
    for row in session.execute(outdated_posts()):
        rulings.setdefault(row.post_id, row.ruling_id)
        if len(rulings) == most:
            break
    return rulings


def _read(session: Session, rulings: dict[int, int]) -> list[OldLabel]:
    ruled = {
        one.id: one for one in session.scalars(select(Ruling).where(Ruling.id.in_(set(rulings.values()))))
    }
    labels = _labels(session, rulings)
    standing = standing_resolutions().where(Resolution.post_id.in_(rulings))
    decisions = {one.post_id: one for one in session.scalars(standing)}
    asked = set(session.scalars(asked_of_lead()))
    posts = {
        row.id: row
        for row in session.execute(
            select(Post.id, Post.external_id, PostText.text, PostGroup.split)
            .join(PostText, PostText.post_id == Post.id)
            .join(PostGroup, PostGroup.id == Post.group_id)
            .where(Post.id.in_(rulings))
        )
    }
    return [
        _old_label(posts[post], ruled[number], labels[post], decisions.get(post), is_asked=post in asked)
        for post, number in rulings.items()
    ]


def _labels(session: Session, posts: Iterable[int]) -> dict[int, list[str]]:
    """Distinct current answers."""
    labels: dict[int, list[str]] = defaultdict(list)
    for answer in session.scalars(current_labels().where(Annotation.post_id.in_(list(posts)))):
        if answer.label is not None and answer.label not in labels[answer.post_id]:
            labels[answer.post_id].append(answer.label)
    return labels


def _old_label(
    post: Row[*tuple[Any, ...]],
    ruling: Ruling,
    labels: Sequence[str],
    decision: Resolution | None,
    *,
    is_asked: bool,
) -> OldLabel:
    is_plain = decision is None and len(labels) == 1 and not is_asked
    return OldLabel(
        post.id,
        post.external_id,
        post.text,
        labels if decision is None or decision.label is None else [decision.label],
        None if decision is None else decision.id,
        ruling.id,
        ruling.title,
        ruling.label,
        may_be_many=is_plain and post.split == "pool",
    )
