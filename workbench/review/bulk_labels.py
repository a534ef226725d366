"""Labelling many posts in one step by a lead: with a preview, one audit entry, and one undo.

Only unlabelled posts of the pool that wait for no lead are included; held-out posts need blind labels. The
label is a lead's decision (`Resolution`), and no answer changes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.bulk import IDS_AT_ONCE
from db.queries.review import asked_of_lead, bulk_decisions, standing_of_bulk
from db.queries.standing import is_labelled, is_of_pool
from db.tables import AuditEntry, Post, PostGroup, Resolution
from trainer.chunks import in_chunks
from trainer.labels import LABELS
from workbench.accounts import Account, Right, acting, reading
from workbench.audit import record
from workbench.errors import InputError
from workbench.posts.search import LOOKED_THROUGH, Filter, ListedPost, find, posts_of
from workbench.project import LABEL_SET_ID, Project
from workbench.queue.claims import note_answers

AT_MOST = 1_000
LISTED = 10
LABELLED, TAKEN_BACK = "label many", "take back many"


@dataclass(frozen=True)
class PreviewedPost:
    post_id: int
    external_id: str
    text: str


@dataclass(frozen=True)
class Preview:
    """The posts that one step would label.

    `posts` come newest first. `labelled` posts have a label already, `held_out` ones are reserved for evaluation and `asked` ones wait for
    a lead: all three stay as they are. `is_cut`: more posts may match; these are the newest.
    """

    wanted: Filter
    posts: Sequence[PreviewedPost]
    labelled: int
    held_out: int
    is_cut: bool
    asked: int = 0

    @property
    def post_ids(self) -> Sequence[int]:
        return [post.post_id for post in self.posts]


@dataclass(frozen=True)
class Bulk:
    id: int
    by: str
    label: str
    at: datetime
    posts: int
    standing: int

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "at": self.at.isoformat()}


def preview(project: Project, account: Account, wanted: Filter, *, at_most: int = AT_MOST) -> Preview:
    """The newest matching posts, up to `at_most`, and which of them would be labelled.

    Raises NotAllowedError if `account` is not a lead.
    """
    with reading(project, account, Right.REVIEW):
        pass
    page = find(project, account, wanted, most=at_most, look_through=LOOKED_THROUGH)
    return _preview(project, wanted, page.posts, is_cut=page.after is not None)


def preview_of(project: Project, account: Account, post_ids: Sequence[int], wanted: Filter) -> Preview:
    """The given posts, and which of them would be labelled; `wanted` is the search that they were chosen from.

    Raises NotAllowedError if `account` is not a lead.
    """
    with reading(project, account, Right.REVIEW):
        pass
    chosen = sorted(set(post_ids), reverse=True)[:AT_MOST]
    return _preview(
        project, wanted, posts_of(project, account, chosen), is_cut=len(chosen) < len(set(post_ids))
    )


def _preview(project: Project, wanted: Filter, posts: Sequence[ListedPost], *, is_cut: bool) -> Preview:
    with project.database.read() as session:
        asked = set(session.scalars(asked_of_lead()))
        may_be = set(_free(session, [post.post_id for post in posts]))
    unlabelled = [post for post in posts if not post.is_held_out and not post.standing]
    free = [post for post in unlabelled if post.post_id in may_be]
    held_out = sum(post.is_held_out for post in posts)
    return Preview(
        wanted,
        [PreviewedPost(post.post_id, post.external_id, post.text) for post in free],
        labelled=len(posts) - len(unlabelled) - held_out,
        held_out=held_out,
        asked=sum(post.post_id in asked for post in unlabelled),
        is_cut=is_cut,
    )


def label_all(
    project: Project,
    account: Account,
    seen: Preview,
    label: str,
    *,
    ticked: Collection[int] | None = None,
) -> Bulk:
    """Label the ticked posts of a preview (by default all), without those labelled since.

    Raises NotAllowedError if `account` is not a lead; InputError for an unknown label, too many posts, or none
    left.
    """
    if label not in LABELS:
        raise InputError(
            "There is no label {label}. Use one of: {labels}.", label=label, labels=", ".join(LABELS)
        )
    chosen = [post_id for post_id in seen.post_ids if ticked is None or post_id in ticked]
    if len(chosen) > AT_MOST:
        raise InputError("At most {most} posts can be labelled in one go.", most=AT_MOST)
    with acting(project, account, Right.REVIEW) as session:
        free = _free(session, chosen)
        if not free:
            raise InputError("None of these posts is left to label.")
        wanted = _without_text(seen.wanted)
        bulk_id, decided_at = give_label(session, project, account, free, label, wanted=wanted)
        return Bulk(bulk_id, account.name, label, decided_at, len(free), len(free))


def give_label(
    session: Session,
    project: Project,
    account: Account,
    post_ids: Sequence[int],
    label: str,
    *,
    ruling_id: int | None = None,
    **detail: object,
) -> tuple[int, datetime]:
    """Append a decision for each post, all under one audit entry by which they can be taken back: its number, and when."""
    bulk_id = record(session, project, account.id, LABELLED, label, posts=len(post_ids), **detail)
    now = project.now()
    session.add_all(
        Resolution(
            post_id=post_id,
            person_id=account.id,
            label_set_id=LABEL_SET_ID,
            label=label,
            occasion="bulk",
            decided_at=now,
            bulk_id=bulk_id,
            ruling_id=ruling_id,
        )
        for post_id in post_ids
    )
    for chunk in in_chunks(post_ids, IDS_AT_ONCE):
        note_answers(session, chunk)
    return bulk_id, now


def take_back(project: Project, account: Account, bulk_id: int) -> int:
    """Withdraw the standing decisions of one step; later decisions on single posts stay.

    Returns the number of posts. Raises InputError if there is nothing to withdraw, NotAllowedError if `account`
    is not a lead.
    """
    with acting(project, account, Right.REVIEW) as session:
        entry = session.get(AuditEntry, bulk_id)
        standing = session.scalars(standing_of_bulk(bulk_id)).all()
        if entry is None or entry.action != LABELLED or not standing:
            raise InputError("There is nothing of {number} to take back.", number=bulk_id)
        now = project.now()
        session.add_all(
            Resolution(
                post_id=one.post_id,
                person_id=account.id,
                label_set_id=LABEL_SET_ID,
                label=None,
                occasion="bulk",
                decided_at=now,
                bulk_id=bulk_id,
            )
            for one in standing
        )
        record(session, project, account.id, TAKEN_BACK, str(bulk_id), posts=len(standing))
        for chunk in in_chunks([one.post_id for one in standing], IDS_AT_ONCE):
            note_answers(session, chunk)
        return len(standing)


def newest(project: Project, account: Account) -> list[Bulk]:
    with reading(project, account, Right.REVIEW) as session:
        return [Bulk(*row) for row in session.execute(bulk_decisions(LISTED))]


def _without_text(wanted: Filter) -> dict[str, Any]:
    """The filter with its text hashed: it may quote a post, and the audit log is never deleted."""
    values = wanted.to_dict()
    if "text" in values:
        values["text"] = sha256(wanted.text.encode()).hexdigest()
    return values


def _free(session: Session, post_ids: Sequence[int]) -> list[int]:
    return [
        post_id
        for chunk in in_chunks(post_ids, IDS_AT_ONCE)
        for post_id in session.scalars(
            select(Post.id)
            .join(PostGroup, PostGroup.id == Post.group_id)
            .where(Post.id.in_(chunk), is_of_pool(), Post.is_quarantined.is_(False))
            .where(~is_labelled(), Post.id.not_in(asked_of_lead()))
            .order_by(Post.id)
        )
    ]
