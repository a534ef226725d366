"""Check posts: which can be served to whom, and the answers to them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    and_,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from db.queries.assigning.boards import is_others
from db.queries.people import epoch
from db.queries.review import asked_of_lead, flagged
from db.queries.standing import is_current, is_decided, is_resolved
from db.tables import (
    Annotation,
    CheckAnswer,
    Claim,
    Guideline,
    LapsedClaim,
    Person,
    Post,
    PostGroup,
    Resolution,
    Ruling,
    RulingPost,
    RulingWithdrawal,
)

# Module-level, as an alias costs a millisecond.
_LATER = aliased(CheckAnswer)
_COPY = aliased(Post)


def is_current_check() -> ColumnElement[bool]:
    return ~exists().where(_LATER.supersedes_id == CheckAnswer.id)


def settled_posts() -> Select[int]:
    """Posts of the pool whose case a lead has settled one by one, newest first, without those in question again."""
    return (
        select(Resolution.post_id)
        .join(Post, Post.id == Resolution.post_id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(
            # A literal: with a bound value SQLite does not use the partial index.
            Resolution.occasion == literal_column("'review'"),
            is_decided(),
            _is_checkable(),
            Resolution.post_id.not_in(asked_of_lead()),
            Resolution.post_id.not_in(asked_in_checks()),
        )
        .order_by(Resolution.id.desc())
    )


def gold_posts(person_id: int, now: datetime) -> Select[int]:
    """Settled posts that this person has neither settled nor answered nor been served, without those of other people's boards."""
    answered = exists().where(Annotation.post_id == Resolution.post_id, Annotation.person_id == person_id)
    return settled_posts().where(
        Resolution.person_id != person_id,
        ~answered,
        _is_unseen(Resolution.post_id, person_id, now),
        ~is_others(Resolution.post_id.expression, person_id),
    )


def own_posts(person_id: int, until: datetime, now: datetime) -> Select[int]:
    """Posts of the pool that this person labelled until a moment under the guidelines in force, newest first.

    Resolved posts are left out: their label is not the person's any more; so are those of other people's boards. Rulings since then do not matter, except to
    the posts that they touch.
    """
    touched = exists().where(
        RulingPost.post_id == Annotation.post_id,
        Ruling.id == RulingPost.ruling_id,
        Ruling.guideline_version > Annotation.guideline_version,
    )
    return (
        select(Annotation.post_id)
        .join(Post, Post.id == Annotation.post_id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(
            Annotation.person_id == person_id,
            Annotation.saved_at <= until,
            Annotation.action == "label",
            Annotation.origin == "person",
            Annotation.is_flagged.is_(False),
            Annotation.guideline_version >= _newest_of_leads(),
            ~touched,
            is_current(),
            _is_checkable(),
            ~is_resolved(Annotation.post_id),
            _is_unseen(Annotation.post_id, person_id, now),
            ~is_others(Annotation.post_id.expression, person_id),
        )
        .order_by(Annotation.saved_at.desc())
    )


def _newest_of_leads() -> ScalarSelect[int | None]:
    """The newest version that is not the one before with a ruling more or less."""
    by_ruling = select(Ruling.guideline_version)
    by_withdrawal = select(RulingWithdrawal.withdrawn_at)
    return (
        select(func.max(Guideline.version))
        .where(Guideline.version.not_in(by_ruling), Guideline.created_at.not_in(by_withdrawal))
        .scalar_subquery()
    )


def _is_checkable() -> ColumnElement[bool]:
    """No held-out post, whose scores are hidden, and no near-copies, to which an answer could be given."""
    has_copy = exists().where(_COPY.group_id == Post.group_id, _COPY.id != Post.id)
    return and_(PostGroup.split.concat("") == "pool", Post.is_quarantined.is_(False), ~has_copy)


def _is_unseen(post_id: Any, person_id: int, now: datetime) -> ColumnElement[bool]:
    """Never served as a check post to the person, nor on their desk or as a check on another's."""
    answered = exists().where(CheckAnswer.post_id == post_id, CheckAnswer.person_id == person_id)
    is_theirs = or_(Claim.person_id == person_id, and_(Claim.slot == 2, Claim.expires_at > now))
    claimed = exists().where(Claim.post_id == post_id, is_theirs)
    lapsed = exists().where(LapsedClaim.post_id == post_id, LapsedClaim.person_id == person_id)
    return ~or_(answered, claimed, lapsed)


def expected_gold(post_id: int) -> Select[str | None]:
    return select(Resolution.label).where(Resolution.post_id == post_id, is_decided())


def expected_own(post_id: int, person_id: int) -> Select[str | None]:
    return (
        select(Annotation.label)
        .where(
            Annotation.post_id == post_id,
            Annotation.person_id == person_id,
            Annotation.action == "label",
            is_current(),
        )
        .order_by(Annotation.id.desc())
    )


def standing_checks(person_id: int) -> Select[CheckAnswer]:
    """Answers of the person that are not withdrawn, newest first."""
    return (
        select(CheckAnswer)
        .where(CheckAnswer.person_id == person_id, CheckAnswer.action != "undo", is_current_check())
        .order_by(CheckAnswer.saved_at.desc(), CheckAnswer.id.desc())
    )


def last_check(post_id: int, person_id: int) -> Select[CheckAnswer]:
    """The newest answer of the person to a post, withdrawn or not."""
    return select(CheckAnswer).where(
        CheckAnswer.post_id == post_id, CheckAnswer.person_id == person_id, is_current_check()
    )


def flagged_checks() -> Select[CheckAnswer, Person, str, str]:
    """Check answers that wait for a lead, as `flagged_answers` are."""
    return flagged(CheckAnswer).where(is_current_check())


def asked_in_checks() -> Select[int]:
    return flagged_checks().with_only_columns(CheckAnswer.post_id).order_by(None)


def questions_on_checks(post_ids: Iterable[int]) -> Select[CheckAnswer, str]:
    """Answers with a question to a lead, settled or not, and the names of those who asked."""
    return (
        select(CheckAnswer, Person.name)
        .join(Person, Person.id == CheckAnswer.person_id)
        .where(
            CheckAnswer.post_id.in_(list(post_ids)),
            CheckAnswer.is_flagged,
            CheckAnswer.action != "undo",
            is_current_check(),
        )
        .order_by(CheckAnswer.id)
    )


def check_acts_of(person_id: int, since: datetime) -> Select[*tuple[Any, ...]]:
    """The columns of `acts_of`, of answers to check posts; their `origin` is `check`."""
    before = aliased(CheckAnswer)
    return (
        select(
            CheckAnswer.action,
            CheckAnswer.label,
            literal("check").label("origin"),
            CheckAnswer.is_flagged,
            epoch(CheckAnswer.saved_at).label("saved"),
            epoch(CheckAnswer.shown_at).label("shown"),
            before.action.label("action_before"),
            before.label.label("label_before"),
            before.is_flagged.label("was_flagged"),
        )
        .outerjoin(before, before.id == CheckAnswer.supersedes_id)
        .where(CheckAnswer.person_id == person_id, CheckAnswer.saved_at >= since)
        .order_by(CheckAnswer.saved_at, CheckAnswer.id)
    )


def labelled_checks(person_id: int, since: datetime, until: datetime) -> Select[*tuple[Any, ...]]:
    """post_id, kind, expected, label, was_suggestion_visible and saved_at of the labels of check posts, by post.

    All labels of an answer that stands, also those that were changed later; those without an expected label are
    left out.
    """
    standing, superseding = aliased(CheckAnswer), aliased(CheckAnswer)
    stands = exists().where(
        standing.post_id == CheckAnswer.post_id,
        standing.person_id == CheckAnswer.person_id,
        standing.action == "label",
        ~exists().where(superseding.supersedes_id == standing.id),
    )
    return (
        select(
            CheckAnswer.post_id,
            CheckAnswer.kind,
            CheckAnswer.expected,
            CheckAnswer.label,
            CheckAnswer.was_suggestion_visible,
            CheckAnswer.saved_at,
        )
        .where(
            CheckAnswer.person_id == person_id,
            CheckAnswer.saved_at >= since,
            CheckAnswer.saved_at < until,
            CheckAnswer.action == "label",
            CheckAnswer.expected.is_not(None),
            stands,
        )
        .order_by(CheckAnswer.post_id, CheckAnswer.id)
    )
