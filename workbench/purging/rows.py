"""Removal of posts from the database, with all dependent rows."""

from collections import Counter
from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, delete, exists, func, insert, select, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from db import search
from db.bulk import IDS_AT_ONCE
from db.tables import (
    Annotation,
    Base,
    CheckAnswer,
    Claim,
    Comment,
    CommentReader,
    Draft,
    Explanation,
    GivenVerdict,
    Import,
    LapsedClaim,
    NearCopyKey,
    Post,
    PostFacts,
    PostGroup,
    PostText,
    QueueEntry,
    RejectedRow,
    Resolution,
    RulingPost,
)
from trainer.chunks import in_chunks
from trainer.reading.rejects import RejectCode
from trainer.texts.duplicates import band_keys
from trainer.texts.normalisation import group_key
from workbench.project import Project
from workbench.purging.criterion import Criterion, rejected_rows

OF_POST: Sequence[tuple[str, type[Base], InstrumentedAttribute[int]]] = (
    ("claims", Claim, Claim.post_id),
    ("lapsed claims", LapsedClaim, LapsedClaim.post_id),
    ("drafts", Draft, Draft.post_id),
    ("comments", Comment, Comment.post_id),
    ("readers of comments", CommentReader, CommentReader.post_id),
    ("explanations", Explanation, Explanation.post_id),
    ("queue entries", QueueEntry, QueueEntry.post_id),
    ("verdicts", GivenVerdict, GivenVerdict.post_id),
    ("posts of rulings", RulingPost, RulingPost.post_id),
    ("check answers", CheckAnswer, CheckAnswer.post_id),
    ("resolutions", Resolution, Resolution.post_id),
    ("annotations", Annotation, Annotation.post_id),
    ("facts", PostFacts, PostFacts.post_id),
    ("texts", PostText, PostText.post_id),
    ("posts", Post, Post.id),
)
"""Tables with rows of a post, in an order that satisfies the foreign keys."""


def count(project: Project, posts: Sequence[int], criterion: Criterion) -> dict[str, int]:
    counts: Counter[str] = Counter()
    with project.database.read() as session:
        for some in in_chunks(posts, IDS_AT_ONCE):
            for name, table, column in OF_POST:
                query = select(func.count()).select_from(table).where(column.in_(some))
                counts[name] += session.scalar(query) or 0
            counts["near-copy keys"] += (
                session.scalar(select(func.count()).select_from(NearCopyKey).where(_is_key_of(session, some)))
                or 0
            )
        rejected = set(rejected_rows(session, criterion))
        for some in in_chunks(posts, IDS_AT_ONCE):
            rows = select(RejectedRow.import_id, RejectedRow.line).where(_has_taken_id(session, some))
            rejected |= {(row.import_id, row.line) for row in session.execute(rows)}
    return {**counts, "unreadable rows": len(rejected)}


def delete_posts(session: Session, posts: Sequence[int]) -> Counter[str]:
    counts: Counter[str] = Counter()
    groups = set(session.scalars(select(Post.group_id).where(Post.id.in_(posts))))
    counts["near-copy keys"] += _delete_keys(session, posts)
    counts["unreadable rows"] += _run_delete(session, RejectedRow, _has_taken_id(session, posts))
    search.forget(session, posts)
    brought = select(Post.import_id, func.count()).where(Post.id.in_(posts)).group_by(Post.import_id)
    for number, count in session.execute(brought).all():
        rest = func.max(0, Import.accepted - count)
        session.execute(update(Import).where(Import.id == number).values(accepted=rest))
    with _history_open(session):
        source = aliased(Annotation)
        from_gone = select(source.id).where(source.post_id.in_(posts))
        # Labels propagated to near-copies stay, without the reference to their origin.
        session.execute(
            update(Annotation)
            .where(Annotation.propagated_from_id.in_(from_gone), Annotation.post_id.not_in(posts))
            .values(propagated_from_id=None),
            execution_options={"synchronize_session": False},
        )
        for name, table, column in OF_POST:
            counts[name] += _run_delete(session, table, column.in_(posts))
    is_empty = ~exists().where(Post.group_id == PostGroup.id)
    _run_delete(session, PostGroup, PostGroup.id.in_(groups - {None}), is_empty)
    return counts


def _run_delete(session: Session, table: type[Base], *where: ColumnElement[bool]) -> int:
    deleted = session.execute(delete(table).where(*where), execution_options={"synchronize_session": False})
    return int(deleted.rowcount)  # type: ignore[attr-defined]


class _history_open:  # noqa: N801 - reads as what it is in a with statement
    """Suspends, within the transaction, the triggers that forbid deleting what people have said."""

    def __init__(self, session: Session) -> None:
        self._connection = session.connection()

    def __enter__(self) -> None:
        triggers = self._connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            " AND tbl_name IN ('annotation', 'check_answer', 'resolution', 'comment')"
        ).all()
        self._triggers = [row.sql for row in triggers]
        for row in triggers:
            self._connection.exec_driver_sql(f'DROP TRIGGER "{row.name}"')

    def __exit__(self, *_: object) -> None:
        for sql in self._triggers:
            self._connection.exec_driver_sql(sql)


def _is_key_of(session: Session, posts: Sequence[int]) -> ColumnElement[bool]:
    """Stored keys of these posts, by the hashes of their texts: the table has no index by post."""
    texts = dict(
        session.execute(select(PostText.post_id, PostText.text).where(PostText.post_id.in_(posts))).all()
    )
    keys = {int(key) for row in band_keys(list(texts.values())) for key in row} if texts else set()
    return NearCopyKey.key.in_(keys) & NearCopyKey.post_id.in_(posts)


def _delete_keys(session: Session, posts: Sequence[int]) -> int:
    """Remove the posts from the near-copy index. A remaining post with an equal text inherits the keys."""
    is_theirs = _is_key_of(session, posts)
    stored = session.execute(select(NearCopyKey.key, NearCopyKey.post_id).where(is_theirs)).all()
    heirs = _heirs(session, {row.post_id for row in stored})
    _run_delete(session, NearCopyKey, is_theirs)
    inherited = {(row.key, heirs[row.post_id]) for row in stored if row.post_id in heirs}
    pairs = tuple_(NearCopyKey.key, NearCopyKey.post_id)
    if inherited:
        present = set(
            session.execute(select(NearCopyKey.key, NearCopyKey.post_id).where(pairs.in_(inherited)))
        )
        new = [
            {"key": key, "post_id": post} for key, post in sorted(inherited - {tuple(row) for row in present})
        ]
        if new:
            session.connection().execute(insert(NearCopyKey), new)
    return len(stored)


def _heirs(session: Session, posts: Collection[int]) -> dict[int, int]:
    mine = dict(
        session.execute(select(PostText.post_id, PostText.text).where(PostText.post_id.in_(posts))).all()
    )
    groups = select(Post.group_id).where(Post.id.in_(posts))
    others = session.execute(
        select(PostText.post_id, PostText.text)
        .join(Post, Post.id == PostText.post_id)
        .where(Post.group_id.in_(groups), Post.id.not_in(posts), Post.is_quarantined.is_(False))
        .order_by(Post.id.desc())
    )
    readers = {group_key(row.text): row.post_id for row in others}
    return {post: readers[key] for post, text in mine.items() if (key := group_key(text)) in readers}


def _has_taken_id(session: Session, posts: Sequence[int]) -> ColumnElement[bool]:
    """Rows rejected because their id belongs to one of these posts with another text."""
    names = session.scalars(select(Post.external_id).where(Post.id.in_(posts)))
    return (RejectedRow.code == RejectCode.OTHER_TEXT) & RejectedRow.external_id.in_(names.all())


def delete_rejected(project: Project, criterion: Criterion) -> Counter[str]:
    with project.database.read() as session:
        rows = rejected_rows(session, criterion)
    for some in in_chunks(rows, IDS_AT_ONCE):
        with project.database.write() as session:
            _run_delete(session, RejectedRow, tuple_(RejectedRow.import_id, RejectedRow.line).in_(some))
    return Counter({"unreadable rows": len(rows)})
