"""Comments on posts that annotators have asked about."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, CompoundSelect, Select, exists, func, or_, select, union
from sqlalchemy.orm import InstrumentedAttribute, aliased

from db.tables import Annotation, CheckAnswer, Comment, CommentReader, Person

# Module-level: an alias costs a millisecond, and `unread_by` runs at every key press.
_LATER, _OWN, _ANSWERER = aliased(Comment), aliased(Comment), aliased(Person)


def askers(post_id: int) -> CompoundSelect[int]:
    """People who have ever put the post on the lead's list."""
    return union(
        select(Annotation.person_id).where(Annotation.post_id == post_id, Annotation.is_flagged),
        select(CheckAnswer.person_id).where(CheckAnswer.post_id == post_id, CheckAnswer.is_flagged),
    )


def is_of(
    person_id: int | ColumnElement[int], post_id: ColumnElement[int] | InstrumentedAttribute[int] | int
) -> ColumnElement[bool]:
    """The person has asked about the post or has commented on it."""
    # Not the bare column: SQLite would search all answers of the person, and not the few on the post.
    asked = exists().where(
        Annotation.post_id == post_id, Annotation.person_id + 0 == person_id, Annotation.is_flagged
    )
    checked = exists().where(
        CheckAnswer.post_id == post_id, CheckAnswer.person_id + 0 == person_id, CheckAnswer.is_flagged
    )
    written = exists().where(_OWN.post_id == post_id, _OWN.person_id == person_id)
    return or_(
        asked.correlate_except(Annotation),
        checked.correlate_except(CheckAnswer),
        written.correlate_except(_OWN),
    )


def comments_on(post_ids: Iterable[int]) -> Select[Comment, str, str]:
    """(comment, name of its author, their role), oldest first."""
    return (
        select(Comment, Person.name, Person.role)
        .join(Person, Person.id == Comment.person_id)
        .where(Comment.post_id.in_(list(post_ids)))
        .order_by(Comment.id)
    )


def unread_by(person_id: int | ColumnElement[int]) -> Select[int, int]:
    """(post_id, newest comment of another person that this one has not read), of the posts that concern them."""
    return (
        select(CommentReader.post_id, func.max(Comment.id).label("newest"))
        .join(Comment, Comment.post_id == CommentReader.post_id)
        .where(
            CommentReader.person_id == person_id,
            Comment.id > CommentReader.read_up_to,
            Comment.person_id != person_id,
            is_of(person_id, CommentReader.post_id),
        )
        .group_by(CommentReader.post_id)
    )


def unanswered(person_id: int, answering_roles: Iterable[str]) -> Select[int, int]:
    """(post_id, newest comment that waits), of comments that no person in these roles has answered or this one read."""
    roles = list(answering_roles)
    answered = (
        exists()
        .where(
            _LATER.post_id == Comment.post_id,
            _LATER.id > Comment.id,
            _ANSWERER.id == _LATER.person_id,
            _ANSWERER.role.in_(roles),
        )
        .correlate(Comment)
    )
    is_read = exists().where(
        CommentReader.person_id == person_id,
        CommentReader.post_id == Comment.post_id,
        CommentReader.read_up_to >= Comment.id,
    )
    return (
        select(Comment.post_id, func.max(Comment.id).label("newest"))
        .join(Person, Person.id == Comment.person_id)
        .where(Person.role.not_in(roles), ~answered, ~is_read)
        .group_by(Comment.post_id)
    )


def discussed_with(person_id: int) -> Select[int]:
    """Posts with comments that concern this person, the newest comment first."""
    return (
        select(CommentReader.post_id)
        .join(Comment, Comment.post_id == CommentReader.post_id)
        .where(CommentReader.person_id == person_id, is_of(person_id, CommentReader.post_id))
        .group_by(CommentReader.post_id)
        .order_by(func.max(Comment.id).desc())
    )
