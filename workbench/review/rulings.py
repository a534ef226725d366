"""Rulings: a lead settles a kind of disagreement once. The guidelines get a new version, and labels that it touches come
back for a look (`old_labels`). No label changes by itself.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from db.queries.rulings import all_rulings, decisions_under, outdated_posts, standing_rulings
from db.tables import Guideline, Post, PostText, Ruling, RulingPost, RulingWithdrawal
from trainer.labels import LABELS
from workbench.accounts import Account, Right, acting, reading
from workbench.audit import record
from workbench.errors import InputError
from workbench.labelling.cards import LONGEST_REASON, refuse_unknown
from workbench.labelling.guidelines import publish_with, text_in_force, version_in_force, without_rulings
from workbench.posts.query import LONGEST_QUERY
from workbench.project import LABEL_SET_ID, Project
from workbench.review.cases import LISTED
from workbench.review.resolutions import append_decision, refuse_decided
from workbench.review.scope import AT_MOST, Scope, Target, mark, touched

LONGEST_TITLE, LONGEST_KIND = 80, 1_000
SHOWN = 10
"""Posts of a preview, and examples of a listed ruling."""


@dataclass(frozen=True)
class Draft:
    """A ruling before it is made, from the case `case_post`. `examples` are other cases of the kind."""

    title: str
    kind: str
    label: str
    case_post: int
    reason: str | None = None
    words: str = ""
    labels: tuple[str, str] | None = None
    examples: frozenset[int] = frozenset()

    @property
    def scope(self) -> Scope:
        return Scope(self.words, self.labels, self.examples)


@dataclass(frozen=True)
class ShownPost:
    post_id: int
    external_id: str
    text: str


@dataclass(frozen=True)
class Preview:
    """How many labelled posts would come back for a look, without the case itself; more than `posts` if `is_cut`."""

    draft: Draft
    posts: int
    shown: Sequence[ShownPost]
    is_cut: bool


@dataclass(frozen=True)
class ListedRuling:
    """`decided` posts have the ruling's label by a decision under it, `kept` another one; `left` wait for a look."""

    id: int
    title: str
    kind: str
    label: str
    reason: str | None
    by: str
    at: datetime
    guideline_version: int
    is_in_force: bool
    decided: int
    kept: int
    left: int
    examples: Sequence[ShownPost]


def preview(project: Project, account: Account, draft: Draft) -> Preview:
    """Raises NotAllowedError if `account` is not a lead, InputError for an incomplete draft."""
    _refuse_incomplete(draft)
    with reading(project, account, Right.SET_GUIDELINES) as session:
        posts = _touched(session, draft)
        return Preview(
            draft, min(len(posts), AT_MOST), _shown(session, posts[:SHOWN]), is_cut=len(posts) > AT_MOST
        )


def settle(project: Project, account: Account, draft: Draft, *, instead_of: int | None = None) -> int:
    """Make the ruling, publish it with the guidelines and decide its case; returns its number.

    `instead_of` is the decision on the case that the lead has seen. Raises NotAllowedError if `account` is not a lead,
    InputError for an incomplete draft, LabellingError if the case was decided meanwhile.
    """
    _refuse_incomplete(draft)
    # The long look is over before the write lock is taken; what was answered since is looked at under it.
    with reading(project, account, Right.SET_GUIDELINES) as session:
        seen, posts = mark(session), _touched(session, draft)
    with acting(project, account, Right.SET_GUIDELINES) as session:
        refuse_decided(session, draft.case_post, instead_of)
        target = Target(draft.label, version_in_force(session) + 1)
        posts = [*touched(session, draft.scope, target, since=seen), *posts]
        ruling = _publish(session, project, account, draft)
        examples = {draft.case_post, *draft.examples}
        _keep_posts(session, ruling.id, examples, is_example=True)
        _keep_posts(session, ruling.id, [post for post in posts[:AT_MOST] if post not in examples])
        append_decision(
            session,
            project,
            account,
            draft.case_post,
            draft.label,
            "review",
            draft.title,
            ruling_id=ruling.id,
        )
        # Without its words, which may quote a post: the audit log is never deleted.
        version, count = ruling.guideline_version, len(posts)
        record(
            session,
            project,
            account.id,
            "make ruling",
            f"ruling {ruling.id}",
            label=draft.label,
            version=version,
            posts=count,
        )
        return ruling.id


def withdraw(project: Project, account: Account, ruling_id: int) -> None:
    """Publish the guidelines without the ruling; decisions that were made under it stay.

    Raises NotAllowedError if `account` is not a lead, InputError if the ruling is not in force.
    """
    with acting(project, account, Right.SET_GUIDELINES) as session:
        others = [one for one in session.scalars(standing_rulings()) if one.id != ruling_id]
        _in_force(session, ruling_id)
        text = without_rulings(text_in_force(session))
        version = publish_with(session, project, account, text, others)
        # The moment by which the version is known as one of a withdrawal.
        now = session.get_one(Guideline, version).created_at
        session.add(RulingWithdrawal(ruling_id=ruling_id, person_id=account.id, withdrawn_at=now))
        record(session, project, account.id, "withdraw ruling", f"ruling {ruling_id}", version=version)


def look_again(project: Project, account: Account, ruling_id: int) -> int:
    """Find labels that came in since or were too many; returns how many more come back for a look.

    Raises as `withdraw` does.
    """
    with reading(project, account, Right.SET_GUIDELINES) as session:
        ruling = _in_force(session, ruling_id)
        listed = session.execute(
            select(RulingPost.post_id, RulingPost.is_example).where(RulingPost.ruling_id == ruling_id)
        ).all()
        scope = Scope.from_dict(ruling.scope, [row.post_id for row in listed if row.is_example])
        target = Target(ruling.label, ruling.guideline_version, (ruling_id, ruling.ruled_at))
        posts = touched(session, scope, target, but={row.post_id for row in listed})
    with acting(project, account, Right.SET_GUIDELINES) as session:
        _in_force(session, ruling_id)
        before = set(session.scalars(select(RulingPost.post_id).where(RulingPost.ruling_id == ruling_id)))
        new = [post for post in posts[:AT_MOST] if post not in before]
        _keep_posts(session, ruling_id, new)
        record(session, project, account.id, "extend ruling", f"ruling {ruling_id}", posts=len(new))
        return len(new)


def listed_rulings(project: Project, account: Account) -> list[ListedRuling]:
    """All rulings, newest first. Raises NotAllowedError if `account` may not review."""
    with reading(project, account, Right.REVIEW) as session:
        rows = session.execute(all_rulings()).all()
        ids = [row[0].id for row in rows]
        decided: dict[int | None, Counter[str | None]] = {number: Counter() for number in ids}
        for number, label, count in session.execute(decisions_under(ids)):
            decided[number][label] += count
        left = _left(session)
        return [
            ListedRuling(
                ruling.id,
                ruling.title,
                ruling.kind,
                ruling.label,
                ruling.reason,
                by,
                ruling.ruled_at,
                ruling.guideline_version,
                is_in_force,
                decided[ruling.id][ruling.label],
                decided[ruling.id].total() - decided[ruling.id][ruling.label],
                left.get(ruling.id, 0),
                _examples(session, ruling.id),
            )
            for ruling, by, is_in_force in rows
        ]


def _refuse_incomplete(draft: Draft) -> None:
    if not draft.label:
        raise InputError("Choose the label that the ruling gives.")
    refuse_unknown(draft.label)
    for text, most in ((draft.title, LONGEST_TITLE), (draft.kind, LONGEST_KIND)):
        if not text.strip() or len(text) > most:
            raise InputError(
                "A ruling needs a title of 1 to {title} characters, and 1 to {kind} that describe the kind.",
                title=LONGEST_TITLE,
                kind=LONGEST_KIND,
            )
    if len(draft.words) > LONGEST_QUERY:
        raise InputError("The words of a search have at most {most} characters.", most=LONGEST_QUERY)
    if draft.labels is not None and (
        len(set(draft.labels)) != len(draft.labels) or not set(draft.labels) <= set(LABELS)
    ):
        raise InputError("Name two different labels that were given to one post.")
    if len(draft.examples) > LISTED:
        raise InputError("At most {most} cases can be chosen.", most=LISTED)


def _touched(session: Session, draft: Draft) -> list[int]:
    target = Target(draft.label, version_in_force(session) + 1)
    return touched(session, draft.scope, target, but={draft.case_post})


def _publish(session: Session, project: Project, account: Account, draft: Draft) -> Ruling:
    ruling = Ruling(
        title=" ".join(draft.title.split()),
        kind=draft.kind.strip(),
        label_set_id=LABEL_SET_ID,
        label=draft.label,
        reason=(draft.reason or "")[:LONGEST_REASON] or None,
        scope=draft.scope.to_dict(),
        person_id=account.id,
        ruled_at=project.now(),
    )
    text = without_rulings(text_in_force(session))
    ruling.guideline_version = publish_with(
        session, project, account, text, [*session.scalars(standing_rulings()), ruling]
    )
    session.add(ruling)
    session.flush()
    return ruling


def _keep_posts(session: Session, ruling_id: int, posts: Iterable[int], *, is_example: bool = False) -> None:
    rows = [
        {"ruling_id": ruling_id, "post_id": post, "is_example": is_example} for post in dict.fromkeys(posts)
    ]
    if rows:
        session.execute(insert(RulingPost), rows)


def _in_force(session: Session, ruling_id: int) -> Ruling:
    ruling = session.scalar(standing_rulings().where(Ruling.id == ruling_id))
    if ruling is None:
        raise InputError("There is no ruling {number} in force.", number=ruling_id)
    return ruling


def _left(session: Session) -> dict[int, int]:
    rows = outdated_posts().order_by(None).subquery()
    return dict(session.execute(select(rows.c.ruling_id, func.count()).group_by(rows.c.ruling_id)).all())


def _examples(session: Session, ruling_id: int) -> list[ShownPost]:
    posts = select(RulingPost.post_id).where(RulingPost.ruling_id == ruling_id, RulingPost.is_example)
    return _shown(session, session.scalars(posts.order_by(RulingPost.post_id.desc()).limit(SHOWN)).all())


def _shown(session: Session, posts: Sequence[int]) -> list[ShownPost]:
    rows = session.execute(
        select(Post.id, Post.external_id, PostText.text)
        .join(PostText, PostText.post_id == Post.id)
        .where(Post.id.in_(posts))
        .order_by(Post.id.desc())
    )
    return [ShownPost(*row) for row in rows]
