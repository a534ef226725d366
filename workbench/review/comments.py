"""Comments between an annotator and the leads on a post that the annotator has asked about.

Annotators see the comments on the posts that they have asked about, and no other annotator's name. The names of
annotators are hidden from leads as in `cases`: until the post has a decision.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import Session

from db.queries.comments import askers, comments_on, discussed_with, is_of, unanswered, unread_by
from db.queries.standing import is_resolved
from db.tables import Comment, CommentReader, Post, PostGroup, PostText
from workbench.accounts import RIGHTS, Account, Right, acting, reading
from workbench.errors import InputError, NotAllowedError
from workbench.posts.blindness import still_blind
from workbench.project import Project
from workbench.review.cases import is_asked

LONGEST = 2_000
LISTED = 50
"""Discussions that wait, at most."""
READ_LISTED = 5
"""Discussions without anything new that an annotator still sees."""

# Built once: it runs at every key press.
_UNREAD = select(func.count()).select_from(unread_by(bindparam("person_id")).subquery())


@dataclass(frozen=True)
class Remark:
    """`role` is that of the author; `name` is None while it is hidden."""

    is_mine: bool
    role: str
    name: str | None
    text: str
    at: datetime


@dataclass(frozen=True)
class Discussion:
    """The comments on a post, oldest first. `waits_from` is the newest comment that waits for the reader, 0 for none."""

    post_id: int
    external_id: str
    text: str
    remarks: Sequence[Remark]
    waits_from: int = 0


def say(project: Project, account: Account, post_id: int, text: str) -> None:
    """Append a comment; sent twice in a row it is stored once.

    Raises InputError for an empty or overlong text or a post without a question, NotAllowedError if the post was
    asked about by others and `account` is not a lead.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise InputError("A comment needs 1 to {most} characters.", most=LONGEST)
    with acting(project, account, _right_of(account)) as session:
        asked = _refuse_outsider(session, account, post_id)
        last = session.scalar(
            select(Comment).where(Comment.post_id == post_id).order_by(Comment.id.desc()).limit(1)
        )
        if last is not None and (last.person_id, last.text) == (account.id, text):
            return
        comment = Comment(post_id=post_id, person_id=account.id, text=text, at=project.now())
        session.add(comment)
        session.flush()
        for person_id in asked - {account.id}:
            _keep_reader(session, person_id, post_id, 0)
        _keep_reader(session, account.id, post_id, comment.id)


def discussion_of(project: Project, account: Account, post_id: int) -> Discussion:
    """Raises InputError and NotAllowedError as `say` does."""
    with reading(project, account, _right_of(account)) as session:
        _refuse_outsider(session, account, post_id)
        waiting = _waiting(session, account)
        return _read(session, account, [post_id], waiting)[0]


def waiting_discussions(project: Project, account: Account) -> list[Discussion]:
    """Those with a comment that waits for this person, newest first: for an annotator one that they have not read,
    for a lead one of an annotator that no lead has answered and this one has not read."""
    with reading(project, account, _right_of(account)) as session:
        waiting = _waiting(session, account)
        newest = sorted(waiting, key=waiting.__getitem__, reverse=True)
        return _read(session, account, newest[:LISTED], waiting)


def discussions(project: Project, account: Account) -> list[Discussion]:
    """Those that wait for this person, then a few others that concern them."""
    waiting = waiting_discussions(project, account)
    with reading(project, account, _right_of(account)) as session:
        shown = {one.post_id for one in waiting}
        posts = session.scalars(discussed_with(account.id).limit(len(shown) + READ_LISTED))
        return waiting + _read(
            session, account, [post for post in posts if post not in shown][:READ_LISTED], {}
        )


def count_waiting(session: Session, account: Account) -> int:
    if not account.may(Right.REVIEW):
        return session.connection().scalar(_UNREAD, {"person_id": account.id}) or 0
    return session.scalar(select(func.count()).select_from(_waiting_rows(account).subquery())) or 0


def mark_read(project: Project, account: Account, post_id: int, up_to: int) -> None:
    """`up_to` is the last comment that was shown: one that came later still waits."""
    with acting(project, account, _right_of(account)) as session:
        _refuse_outsider(session, account, post_id)
        _keep_reader(session, account.id, post_id, up_to)


def _right_of(account: Account) -> Right:
    return Right.REVIEW if account.may(Right.REVIEW) else Right.LABEL


def _refuse_outsider(session: Session, account: Account, post_id: int) -> set[int]:
    """Returns the people who have asked about the post."""
    asked = set(session.scalars(askers(post_id)))
    if account.may(Right.REVIEW):
        if not asked:
            raise InputError("Comments are for posts that an annotator has asked about.")
    elif not session.scalar(select(is_of(account.id, post_id))):
        raise NotAllowedError("Only the annotator who asked about a post, and the leads, see its comments.")
    return asked


def _keep_reader(session: Session, person_id: int, post_id: int, up_to: int) -> None:
    reader = session.get(CommentReader, (person_id, post_id))
    if reader is None:
        session.add(CommentReader(person_id=person_id, post_id=post_id, read_up_to=up_to))
    else:
        reader.read_up_to = max(reader.read_up_to, up_to)


def _waiting_rows(account: Account) -> Select[int, int]:
    if not account.may(Right.REVIEW):
        return unread_by(account.id)
    return unanswered(account.id, _reviewing_roles())


def _waiting(session: Session, account: Account) -> dict[int, int]:
    return {row.post_id: row.newest for row in session.execute(_waiting_rows(account))}


def _reviewing_roles() -> list[str]:
    return [role for role, rights in RIGHTS.items() if Right.REVIEW in rights]


def _read(
    session: Session, account: Account, posts: Sequence[int], waiting: dict[int, int]
) -> list[Discussion]:
    remarks: dict[int, list[Remark]] = {post: [] for post in posts}
    named = _named(session, account, posts)
    for comment, name, role in session.execute(comments_on(posts)):
        is_named = role in _reviewing_roles() or comment.post_id in named
        remark = Remark(
            comment.person_id == account.id, role, name if is_named else None, comment.text, comment.at
        )
        remarks[comment.post_id].append(remark)
    rows = session.execute(
        select(Post.id, Post.external_id, PostText.text)
        .join(PostText, PostText.post_id == Post.id)
        .where(Post.id.in_(posts))
    )
    texts = {row.id: (row.external_id, row.text) for row in rows}
    return [
        Discussion(post, *texts[post], remarks[post], waiting.get(post, 0)) for post in posts if post in texts
    ]


def _named(session: Session, account: Account, posts: Iterable[int]) -> set[int]:
    """Posts whose annotators this person may know."""
    if not account.may(Right.REVIEW):
        return set()
    decided = session.scalars(select(Post.id).where(Post.id.in_(list(posts)), is_resolved(Post.id))).all()
    split = select(Post.id).join(PostGroup, PostGroup.id == Post.group_id)
    held_out = session.scalars(split.where(Post.id.in_(decided), PostGroup.split != "pool")).all()
    blind = still_blind(session, held_out, account.id)
    return {post for post in decided if post not in blind and not is_asked(session, post)}
