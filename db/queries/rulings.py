"""Rulings, and the labels from before them that say something else."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    union,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased

from db.queries.standing import counts_for_its_split, is_current, is_decided, is_resolved
from db.tables import Annotation, Person, Post, PostGroup, Resolution, Ruling, RulingPost, RulingWithdrawal

Number = int | ColumnElement[int] | InstrumentedAttribute[int]
Moment = datetime | ColumnElement[datetime] | InstrumentedAttribute[datetime]
Text = str | ColumnElement[str] | InstrumentedAttribute[str]

_SERVED, _ONE, _OTHER = (aliased(Annotation) for _ in range(3))


def is_in_force() -> ColumnElement[bool]:
    withdrawn = exists().where(RulingWithdrawal.ruling_id == Ruling.id)
    return ~withdrawn.correlate_except(RulingWithdrawal)


def standing_rulings() -> Select[Ruling]:
    return select(Ruling).where(is_in_force()).order_by(Ruling.id)


def all_rulings() -> Select[Ruling, str, bool]:
    """(ruling, who made it, whether it is in force), newest first."""
    return (
        select(Ruling, Person.name, is_in_force())
        .join(Person, Person.id == Ruling.person_id)
        .order_by(Ruling.id.desc())
    )


def is_outdated(
    label: Text, version: Number, made: tuple[Number, Moment] | None = None
) -> ColumnElement[bool]:
    """The post counts by another label, of an older version of the guidelines. Needs `Post` and `PostGroup` outside.

    `made` is the number and the time of the ruling, None for one that is not made yet. A decision made under it or a
    later one is not outdated, nor is one made since; one that only stands again has no ruling. Of an undecided
    held-out post only labels count that a lead may replace: it was served blind.
    """
    decided = exists().where(Resolution.post_id == Post.id, is_decided(), Resolution.label != label)
    if made is not None:
        ruling_id, ruled_at = made
        without_ruling = Resolution.ruling_id.is_(None)
        stands_again = and_(Resolution.occasion == "ruling", without_ruling)
        decided = decided.where(
            or_(without_ruling, Resolution.ruling_id < ruling_id),
            or_(Resolution.decided_at <= ruled_at, stands_again),
        )
    answered = exists().where(
        Annotation.post_id == Post.id,
        Annotation.action == "label",
        is_current(),
        counts_for_its_split(),
        Annotation.label != label,
        or_(Annotation.guideline_version.is_(None), Annotation.guideline_version < version),
    )
    later = aliased(Annotation)
    served = exists().where(
        _SERVED.post_id == Post.id,
        _SERVED.lane == "held_out",
        _SERVED.action != "undo",
        ~exists().where(later.supersedes_id == _SERVED.id),
    )
    may_be_judged = or_(PostGroup.split == "pool", served.correlate(Post))
    return and_(
        Post.is_quarantined.is_(False),
        or_(
            decided.correlate_except(Resolution),
            and_(~is_resolved(Post.id), may_be_judged, answered.correlate_except(Annotation)),
        ),
    )


def given_both(labels: tuple[str, str]) -> ColumnElement[bool]:
    """People have given the post both labels. Needs `Post` outside."""
    return and_(*(_is_given(one, label) for one, label in zip((_ONE, _OTHER), labels, strict=True)))


def _is_given(answer: type[Annotation], label: str) -> ColumnElement[bool]:
    later = aliased(Annotation)
    return (
        exists()
        .where(
            answer.post_id == Post.id,
            answer.label == label,
            answer.source.is_(None),
            ~exists().where(later.supersedes_id == answer.id),
        )
        .correlate(Post)
    )


def labelled_otherwise(
    label: str, *, since_annotation: int = 0, since_resolution: int = 0
) -> CompoundSelect[int]:
    """Posts that may be outdated: with any answer or decision of another label, superseded or not."""
    answered = select(Annotation.post_id).where(
        Annotation.label.is_not(None), Annotation.label != label, Annotation.id > since_annotation
    )
    decided = select(Resolution.post_id).where(
        Resolution.label.is_not(None), Resolution.label != label, Resolution.id > since_resolution
    )
    return union(answered, decided)


def outdated_posts(ruling_id: int | None = None) -> Select[int, int]:
    """(ruling, post) of the labels that still differ from a ruling in force, the newest ruling first."""
    rows = (
        select(RulingPost.ruling_id, RulingPost.post_id)
        .join(Ruling, Ruling.id == RulingPost.ruling_id)
        .join(Post, Post.id == RulingPost.post_id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(
            is_in_force(), is_outdated(Ruling.label, Ruling.guideline_version, (Ruling.id, Ruling.ruled_at))
        )
        .order_by(RulingPost.ruling_id.desc(), RulingPost.post_id.desc())
    )
    return rows if ruling_id is None else rows.where(RulingPost.ruling_id == ruling_id)


def decisions_under(ruling_ids: Iterable[int]) -> Select[int | None, str | None, int]:
    """(ruling, label, number) of the decisions in force that were made under each ruling."""
    return (
        select(Resolution.ruling_id, Resolution.label, func.count())
        .where(Resolution.ruling_id.in_(list(ruling_ids)), is_decided())
        .group_by(Resolution.ruling_id, Resolution.label)
    )
