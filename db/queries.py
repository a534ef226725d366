"""Queries are nouns: each returns a `Select` for its caller to run."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    Subquery,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    union,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased

from db.tables import (
    Annotation,
    AuditEntry,
    Claim,
    Draft,
    Explanation,
    Import,
    LapsedClaim,
    NearCopyKey,
    Person,
    Policy,
    Post,
    PostFacts,
    PostGroup,
    PostText,
    Promotion,
    QueueEntry,
    Resolution,
    Round,
)

# Made once: an alias costs a millisecond, and this is asked several times at every key press.
_LATER = aliased(Annotation)
_NEWER = aliased(Resolution)
_OTHER = aliased(Post)


def is_current() -> ColumnElement[bool]:
    """An annotation nothing has superseded."""
    return ~exists().where(_LATER.supersedes_id == Annotation.id)


def labels_of_post(post_id: int | ColumnElement[int]) -> Select[Annotation]:
    """A post's standing labels, as far as they count for its split."""
    return (
        select(Annotation)
        .join(Post, Post.id == Annotation.post_id)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(
            Annotation.post_id == post_id, Annotation.action == "label", is_current(), counts_for_its_split()
        )
    )


def current_labels() -> Select[Annotation]:
    """Every person's standing label of every post."""
    return select(Annotation).where(Annotation.action == "label", is_current())


def is_decided() -> ColumnElement[bool]:
    """A lead's decision that stands: none of its post is newer, and it was not taken back."""
    newer = exists().where(_NEWER.post_id == Resolution.post_id, _NEWER.id > Resolution.id)
    return and_(Resolution.label.is_not(None), ~newer.correlate(Resolution))


def is_resolved(post_id: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """A lead's decision on this post stands: it counts in every split, whatever people said."""
    return exists().where(Resolution.post_id == post_id, is_decided()).correlate_except(Resolution)


def standing_resolutions() -> Select[Resolution]:
    """Every lead's decision that stands, one a post at most."""
    return select(Resolution).where(is_decided())


def counts_for_its_split() -> ColumnElement[bool]:
    """A label with a source (a moderation log: chosen, not drawn) trains, but does not judge.

    Needs `PostGroup` among the tables. A held-out post that has only such labels still waits for a blind one.
    """
    return or_(PostGroup.split.is_(None), PostGroup.split == "pool", Annotation.source.is_(None))


def is_of_pool() -> ColumnElement[bool]:
    """The group is the pool's; needs `PostGroup` among the tables, found by what is joined with it.

    Most groups are. SQLite does not know, and would begin with all of them from the index: hence not the bare column.
    """
    return PostGroup.split.concat("") == "pool"


def is_labelled() -> ColumnElement[bool]:
    """The post has a standing label that counts for its split, or is resolved; needs `Post` and `PostGroup` outside."""
    said = exists().where(
        Annotation.post_id == Post.id, Annotation.action == "label", is_current(), counts_for_its_split()
    )
    return or_(said.correlate(Post, PostGroup), is_resolved(Post.id))


def has_answer() -> ColumnElement[bool]:
    """The same for a queue entry, whose lane tells whether its post is held out: what `is_answered` repeats."""
    said = exists().where(
        Annotation.post_id == QueueEntry.post_id,
        Annotation.action == "label",
        is_current(),
        or_(QueueEntry.lane != "held_out", Annotation.source.is_(None)),
    )
    return or_(said, is_resolved(QueueEntry.post_id))


def is_open() -> ColumnElement[bool]:
    """A queue entry nobody has answered, in the words of its partial index."""
    return ~QueueEntry.is_answered


def known_posts(external_ids: Sequence[str]) -> Select[str, bytes]:
    """external_id and text_hash of those of the posts that are stored; any number of ids."""
    return select(Post.external_id, Post.text_hash).where(Post.external_id.in_(_any_of(external_ids)))


def _any_of(values: Iterable[str | int]) -> Select[Any]:
    """As a subquery: thousands of parameters take longer to write down than their rows to find."""
    return select(func.json_each(json.dumps(list(values))).table_valued("value").c.value)


def unprepared_posts() -> Select[int, str]:
    """Id and text of the posts without a group, oldest first; unfinished imports left out."""
    return (
        select(Post.id, PostText.text)
        .join(PostText, PostText.post_id == Post.id)
        .where(Post.group_id.is_(None))
        .order_by(Post.id)
    )


def near_copy_candidates(keys: Iterable[int], most: int) -> Select[int, int, str, int | None, str]:
    """Prepared posts that share an LSH key: key, post_id, text, group_id, split; the first `most` of each key."""
    place = func.row_number().over(partition_by=NearCopyKey.key, order_by=NearCopyKey.post_id)
    ranked = (
        select(NearCopyKey.key, NearCopyKey.post_id, place.label("place"))
        .where(NearCopyKey.key.in_(_any_of(keys)))
        .subquery()
    )
    return (
        select(ranked.c.key, ranked.c.post_id, PostText.text, Post.group_id, PostGroup.split)
        .join(Post, Post.id == ranked.c.post_id)
        .join(PostText, PostText.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(ranked.c.place <= most)
        .order_by(ranked.c.post_id)
    )


def unindexed_posts(after: int) -> Select[int, str, dict[str, Any] | None]:
    """Id, text and facts of the prepared posts with an id above `after`, in order of id."""
    return (
        select(Post.id, PostText.text, PostFacts.facts)
        .join(PostText, PostText.post_id == Post.id)
        .outerjoin(PostFacts, PostFacts.post_id == Post.id)
        .where(Post.group_id.is_not(None), Post.id > after)
        .order_by(Post.id)
    )


def prepared_texts(after: int = 0) -> Select[int, str]:
    """Id and text of every prepared post with an id above `after`, in order of id."""
    return (
        select(Post.id, PostText.text)
        .join(PostText, PostText.post_id == Post.id)
        .where(Post.group_id.is_not(None), Post.id > after)
        .order_by(Post.id)
    )


def texts_to_pick_from(after: int) -> Select[int, str, str, bool]:
    """id, text, split and whether it is labelled of every prepared post with an id above `after`, in order of id."""
    return (
        select(Post.id, PostText.text, PostGroup.split, is_labelled().label("is_labelled"))
        .join(PostText, PostText.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(Post.id > after)
        .order_by(Post.id)
    )


def grouped_posts(after: int) -> Select[int, int | None, int]:
    """Id, group and import of the prepared posts with an id above `after`, quarantined ones left out, by id."""
    return (
        select(Post.id, Post.group_id, Post.import_id)
        .where(Post.id > after, Post.group_id.is_not(None), Post.is_quarantined.is_(False))
        .order_by(Post.id)
    )


def groups_of_split(split: str) -> Select[int]:
    """id of a split's groups: all from its index."""
    return select(PostGroup.id).where(PostGroup.split == split)


def keys_of_split(split: str) -> Select[int, bytes, int | None]:
    """id, key and stratum of a split's groups."""
    return select(PostGroup.id, PostGroup.key, PostGroup.stratum).where(PostGroup.split == split)


def first_posts(groups: Iterable[int]) -> Select[int | None, int]:
    """These groups and the oldest post of each."""
    return (
        select(Post.group_id, func.min(Post.id))
        .where(Post.group_id.in_(list(groups)))
        .group_by(Post.group_id)
    )


def strata_sizes() -> Select[str, int | None, int]:
    """split, stratum, number of groups of the held-out splits."""
    return (
        select(PostGroup.split, PostGroup.stratum, func.count())
        .where(PostGroup.split != "pool")
        .group_by(PostGroup.split, PostGroup.stratum)
    )


RECENT = 5_000
"""Annotations looked at for a second opinion: the time to find one must not grow with the years."""


def second_opinions_wanted(
    person_id: int | ColumnElement[int], now: datetime | ColumnElement[datetime]
) -> Select[int]:
    """Pool posts that exactly one person has labelled of late, somebody else, newest first.

    Those somebody holds, and those a lead has resolved, are left out. The split is looked up for each and not
    joined: SQLite would begin with every group of the pool.
    """
    other = aliased(Annotation)
    another = (
        exists()
        .where(
            other.post_id == Annotation.post_id,
            other.person_id != Annotation.person_id,
            other.action.in_(("label", "skip")),
            ~exists().where(_LATER.supersedes_id == other.id),
        )
        .correlate(Annotation)
    )
    held = exists().where(Claim.post_id == Annotation.post_id, Claim.slot == 1, Claim.expires_at > now)
    split = (
        select(PostGroup.split)
        .join(Post, Post.group_id == PostGroup.id)
        .where(Post.id == Annotation.post_id)
        .correlate(Annotation)
        .scalar_subquery()
    )
    return (
        select(Annotation.post_id)
        .where(
            Annotation.id > select(func.max(Annotation.id) - RECENT).scalar_subquery(),
            Annotation.action == "label",
            Annotation.origin == "person",
            Annotation.person_id != person_id,
            split == "pool",
            is_current(),
            ~another,
            ~held,
            ~is_resolved(Annotation.post_id),
        )
        .order_by(Annotation.id.desc())
    )


def labelled_groups(*, since_annotation: int = 0, since_resolution: int = 0) -> CompoundSelect[int | None]:
    """Groups of which some post has a standing label that counts for their split, or is resolved, with a higher number."""
    said = (
        select(Post.group_id)
        .join(Annotation, Annotation.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(
            Annotation.id > since_annotation,
            Annotation.action == "label",
            is_current(),
            counts_for_its_split(),
        )
    )
    decided = (
        select(Post.group_id)
        .join(Resolution, Resolution.post_id == Post.id)
        .where(Resolution.id > since_resolution, is_decided())
    )
    return union(said, decided)


def labelled_posts() -> CompoundSelect[int]:
    """Posts with anybody's standing label, or resolved."""
    said = select(Annotation.post_id).where(Annotation.action == "label", is_current())
    return union(said, select(Resolution.post_id).where(is_decided()))


def labelled_since(moment: datetime) -> CompoundSelect[int]:
    """Posts that were given a label that stands, or resolved, after a moment."""
    said = current_labels().with_only_columns(Annotation.post_id).where(Annotation.saved_at > moment)
    decided = standing_resolutions().with_only_columns(Resolution.post_id)
    return union(said, decided.where(Resolution.decided_at > moment))


def newest_pool_labels(most: int) -> Select[str, str]:
    """label, text of the newest labels of pool posts: a lead's decision, else what people said."""
    said = (
        select(Annotation.post_id, Annotation.label, Annotation.saved_at.label("at"))
        .join(Post, Post.id == Annotation.post_id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(
            Annotation.action == "label",
            is_current(),
            is_of_pool(),
            ~is_resolved(Annotation.post_id),
        )
        .order_by(Annotation.id.desc())
        .limit(most)
        .subquery()
    )
    decided = (
        select(Resolution.post_id, Resolution.label, Resolution.decided_at.label("at"))
        .join(Post, Post.id == Resolution.post_id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(is_decided(), is_of_pool())
        .order_by(Resolution.id.desc())
        .limit(most)
        .subquery()
    )
    both = union_all(select(said), select(decided)).subquery()
    return (
        select(both.c.label, PostText.text)
        .join(PostText, PostText.post_id == both.c.post_id)
        .order_by(both.c.at.desc())
        .limit(most)
    )


def free_queue_entries(
    lane: str | ColumnElement[str],
    person_id: int | ColumnElement[int],
    now: datetime | ColumnElement[datetime],
) -> Select[QueueEntry]:
    """Entries of a lane in order, without those somebody holds or this person has skipped."""
    held = exists().where(Claim.post_id == QueueEntry.post_id, Claim.slot == 0, Claim.expires_at > now)
    skipped = exists().where(
        Annotation.post_id == QueueEntry.post_id,
        Annotation.action == "skip",
        Annotation.person_id == person_id,
        is_current(),
    )
    return (
        select(QueueEntry)
        .where(QueueEntry.lane == lane, is_open(), ~held, ~skipped)
        .order_by(QueueEntry.position)
    )


def queue_left() -> Select[str, int]:
    """lane, number of entries nobody has answered."""
    return select(QueueEntry.lane, func.count()).where(is_open()).group_by(QueueEntry.lane)


def live_claims(now: datetime) -> Select[int]:
    """Posts that somebody has open."""
    return select(Claim.post_id).where(Claim.expires_at > now)


def claims_of(person_id: int | ColumnElement[int]) -> Select[Claim]:
    """What a person holds, the one on screen first; a lease that ran out is theirs until somebody takes it over."""
    return select(Claim).where(Claim.person_id == person_id).order_by(Claim.claimed_at, Claim.post_id)


def holders(now: datetime) -> Select[int, str, int, datetime]:
    """Who has waiting posts open: person, name, number of posts, when the last lease ends."""
    return (
        select(Person.id, Person.name, func.count(), func.max(Claim.expires_at))
        .join(Claim, Claim.person_id == Person.id)
        .join(QueueEntry, QueueEntry.post_id == Claim.post_id)
        .where(is_open(), Claim.slot == 0, Claim.expires_at > now)
        .group_by(Person.id)
        .order_by(Person.name)
    )


def flagged_answers() -> Select[Annotation, Person, str, str]:
    """What was put on the lead's list and waits there: annotation, person, external_id, text; newest first.

    A lead's decision takes a post off it, until somebody asks anew.
    """
    before = aliased(Annotation)
    asked_before = (
        exists().where(before.id == Annotation.supersedes_id, before.is_flagged).correlate(Annotation)
    )
    decided_since = exists().where(
        Resolution.post_id == Annotation.post_id,
        is_decided(),
        or_(Resolution.decided_at >= Annotation.saved_at, asked_before),
    )
    return (
        select(Annotation, Person, Post.external_id, PostText.text)
        .join(Person, Person.id == Annotation.person_id)
        .join(Post, Post.id == Annotation.post_id)
        .join(PostText, PostText.post_id == Post.id)
        .where(
            Annotation.is_flagged,
            Annotation.action != "undo",
            is_current(),
            ~decided_since.correlate_except(Resolution),
        )
        .order_by(Annotation.id.desc())
    )


def asked_of_lead() -> Select[int]:
    """Posts that wait for a lead because somebody asked."""
    return flagged_answers().with_only_columns(Annotation.post_id).order_by(None)


def disagreements() -> Select[int, str, str]:
    """post_id, external_id, text of posts to which people gave different labels and no lead one; newest judgement first."""
    return (
        select(Post.id, Post.external_id, PostText.text)
        .join(PostText, PostText.post_id == Post.id)
        .join(Annotation, Annotation.post_id == Post.id)
        .where(
            Post.id.in_(select(Annotation.post_id).where(Annotation.slot == 1)),
            Annotation.action == "label",
            Annotation.source.is_(None),
            is_current(),
            ~is_resolved(Annotation.post_id),
        )
        .group_by(Post.id, Post.external_id, PostText.text)
        .having(func.count(Annotation.label.distinct()) > 1)
        .order_by(func.max(Annotation.id).desc())
    )


def judged_by_several() -> Select[int, str | None]:
    """post_id, label of what people say here of posts that two or more of them have judged, a post's rows together."""
    theirs = (Annotation.action == "label", Annotation.origin == "person", is_current())
    several = (
        select(Annotation.post_id)
        .where(*theirs)
        .group_by(Annotation.post_id)
        .having(func.count(Annotation.person_id.distinct()) > 1)
    )
    return (
        select(Annotation.post_id, Annotation.label)
        .where(*theirs, Annotation.post_id.in_(several))
        .order_by(Annotation.post_id)
    )


def first_thoughts_on_suggestions() -> Select[Annotation]:
    """Labels that corrected nothing, of posts for which there was a suggestion, seen or not."""
    return select(Annotation).where(
        Annotation.action == "label",
        Annotation.origin == "person",
        Annotation.suggestion.is_not(None),
        is_first_thought(),
    )


def skipped_entries(person_id: int) -> Select[Annotation]:
    """A person's standing skips of posts that still wait in the queue, questions to the lead among them."""
    return (
        select(Annotation)
        .join(QueueEntry, QueueEntry.post_id == Annotation.post_id)
        .where(is_open(), Annotation.person_id == person_id, Annotation.action == "skip", is_current())
    )


def unlabelled_copies(post_id: int | ColumnElement[int]) -> Select[int, str]:
    """Id and text of a post's near-copies that nobody has labelled or resolved, set aside ones left out."""
    group = select(Post.group_id).where(Post.id == post_id).scalar_subquery()
    labelled = exists().where(Annotation.post_id == Post.id, Annotation.action == "label", is_current())
    return (
        select(Post.id, PostText.text)
        .join(PostText, PostText.post_id == Post.id)
        .where(
            Post.group_id == group,
            Post.id != post_id,
            Post.is_quarantined.is_(False),
            ~labelled,
            ~is_resolved(Post.id),
        )
        .order_by(Post.id)
    )


def standing_copies(annotation_ids: Iterable[int]) -> Select[Annotation]:
    """Labels that near-copies were given from these annotations, as far as they stand."""
    return select(Annotation).where(
        Annotation.propagated_from_id.in_(list(annotation_ids)), Annotation.action == "label", is_current()
    )


def unexplained_posts(round_number: int, now: datetime) -> Select[int, str]:
    """Id and text of the posts people hold with a score of this round and no explanation yet, newest claim first.

    Never a held-out one: what the model makes of it is told to nobody. It is asked every second, and nothing is
    joined, since SQLite would rather begin with all texts or all of the pool than with the few claims.
    """
    text = select(PostText.text).where(PostText.post_id == Claim.post_id).scalar_subquery()
    split = (
        select(PostGroup.split)
        .join(Post, Post.group_id == PostGroup.id)
        .where(Post.id == Claim.post_id)
        .scalar_subquery()
    )
    scored = exists().where(
        QueueEntry.post_id == Claim.post_id,
        QueueEntry.round_number == round_number,
        QueueEntry.lane != "held_out",
    )
    explained = exists().where(Explanation.post_id == Claim.post_id, Explanation.round_number == round_number)
    return (
        select(Claim.post_id, text.label("text"))
        .where(Claim.expires_at > now, Claim.lane != "held_out", split == "pool", scored, ~explained)
        .group_by(Claim.post_id)
        .order_by(func.max(Claim.claimed_at).desc(), Claim.post_id)
    )


def post_card(post_id: int) -> Select[str, str, dict[str, Any] | None, int | None]:
    """external_id, text, facts, group_id of one post."""
    return (
        select(Post.external_id, PostText.text, PostFacts.facts, Post.group_id)
        .join(PostText, PostText.post_id == Post.id)
        .outerjoin(PostFacts, PostFacts.post_id == Post.id)
        .where(Post.id == post_id)
    )


def cards(person_id: int | ColumnElement[int], post_ids: ColumnElement[int]) -> Select[*tuple[Any, ...]]:
    """post_id, external_id, text, facts, copies (near-copies of it) and note (this person's draft) of some posts."""
    copies = select(func.count()).where(_OTHER.group_id == Post.group_id, _OTHER.id != Post.id)
    note = select(Draft.note).where(Draft.post_id == Post.id, Draft.person_id == person_id)
    return (
        select(
            Post.id.label("post_id"),
            Post.external_id,
            PostText.text,
            PostFacts.facts,
            copies.correlate(Post).scalar_subquery().label("copies"),
            note.correlate(Post).scalar_subquery().label("note"),
        )
        .join(PostText, PostText.post_id == Post.id)
        .outerjoin(PostFacts, PostFacts.post_id == Post.id)
        .where(Post.id.in_(post_ids))
    )


def on_desk(
    post_id: int | ColumnElement[int], person_id: int | ColumnElement[int]
) -> Select[*tuple[Any, ...]]:
    """All that an answer to a post takes with it, one row a claim: none of it need be there but the post.

    Its text; slot, lane and shown_at of this person's claim and of their lapsed one; the note of their draft; its
    place in the queue.
    """
    return (
        select(
            PostText.text,
            Claim.slot,
            Claim.lane,
            Claim.shown_at,
            LapsedClaim.lane.label("lapsed_lane"),
            LapsedClaim.shown_at.label("lapsed_shown_at"),
            Draft.note,
            QueueEntry.lane.label("queue_lane"),
            QueueEntry.round_number,
            QueueEntry.normal,
            QueueEntry.suspicious,
            QueueEntry.violation,
            QueueEntry.inclusion_probability,
        )
        .join(Post, Post.id == PostText.post_id)
        .outerjoin(Claim, and_(Claim.post_id == Post.id, Claim.person_id == person_id))
        .outerjoin(LapsedClaim, and_(LapsedClaim.post_id == Post.id, LapsedClaim.person_id == person_id))
        .outerjoin(Draft, and_(Draft.post_id == Post.id, Draft.person_id == person_id))
        .outerjoin(QueueEntry, QueueEntry.post_id == Post.id)
        .where(Post.id == post_id)
    )


def thread_posts(thread_key: int | ColumnElement[int]) -> Select[str, str, dict[str, Any]]:
    """external_id, text, facts of the posts of a thread, unfinished imports left out.

    Order and limit by `PostFacts.post_id`: the index holds a thread's posts in that order.
    """
    return (
        select(Post.external_id, PostText.text, PostFacts.facts)
        .join(Post, Post.id == PostFacts.post_id)
        .join(PostText, PostText.post_id == PostFacts.post_id)
        .where(PostFacts.thread_key == thread_key)
    )


def undoable(person_id: int) -> Select[Annotation]:
    """What a person did that still stands, newest first."""
    return (
        select(Annotation)
        .where(
            Annotation.person_id == person_id,
            Annotation.action != "undo",
            Annotation.origin == "person",
            is_current(),
        )
        .order_by(Annotation.id.desc())
    )


def answers_given(
    person_id: int | ColumnElement[int], since: datetime | ColumnElement[datetime]
) -> Select[Annotation]:
    """A person's own labels and skips since a moment, those that were changed or taken back later included."""
    return select(Annotation).where(
        Annotation.person_id == person_id,
        Annotation.saved_at >= since,
        Annotation.action != "undo",
        Annotation.origin == "person",
    )


def acts_of(person_id: int, since: datetime) -> Select[*tuple[Any, ...]]:
    """Everything a person did to posts themselves since a moment, in order of time, beside what it took the place of.

    `saved` and `shown` are seconds since 1970.
    """
    before = aliased(Annotation)
    return (
        select(
            Annotation.action,
            Annotation.label,
            Annotation.origin,
            Annotation.is_flagged,
            epoch(Annotation.saved_at).label("saved"),
            epoch(Annotation.shown_at).label("shown"),
            before.action.label("action_before"),
            before.label.label("label_before"),
            before.is_flagged.label("was_flagged"),
        )
        .outerjoin(before, before.id == Annotation.supersedes_id)
        .where(
            Annotation.person_id == person_id,
            Annotation.saved_at >= since,
            Annotation.origin != "import",
        )
        .order_by(Annotation.saved_at, Annotation.id)
    )


def skipped_unlabelled() -> Select[int]:
    """Posts somebody has skipped, without asking a lead, and nobody has labelled; set aside ones left out."""
    return (
        select(Annotation.post_id)
        .join(Post, Post.id == Annotation.post_id)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(
            Annotation.action == "skip",
            Annotation.is_flagged.is_(False),
            is_current(),
            Post.is_quarantined.is_(False),
            ~is_labelled(),
        )
        .distinct()
    )


def is_first_thought() -> ColumnElement[bool]:
    """The annotation does not correct an answer: a correction keeps the moment its post was shown first."""
    before = aliased(Annotation)
    return or_(
        Annotation.supersedes_id.is_(None),
        exists().where(before.id == Annotation.supersedes_id, before.action == "undo"),
    )


def epoch(moment: InstrumentedAttribute[Any]) -> ColumnElement[float]:
    """Seconds since 1970, to the millisecond: many are read in a tenth of the time that dates take."""
    return func.unixepoch(moment, "subsec")


def labels_by_split() -> Select[str, str | None, int]:
    """split, label, number of posts of that label, each counted once, as far as it counts for its split.

    By its resolved label, else what most say; people beat a log, a tie goes to the more severe label, as in exports. The
    split of a new post is `unprepared`.
    """
    split = func.coalesce(PostGroup.split, literal("unprepared"))
    # The labels' own order, a to z, is that of their severity.
    votes = (
        select(
            Annotation.post_id,
            Annotation.label,
            func.row_number()
            .over(
                partition_by=Annotation.post_id,
                order_by=(Annotation.source.is_(None).desc(), func.count().desc(), Annotation.label.desc()),
            )
            .label("place"),
        )
        .join(Post, Post.id == Annotation.post_id)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(
            Annotation.action == "label",
            is_current(),
            counts_for_its_split(),
            ~is_resolved(Annotation.post_id),
        )
        .group_by(Annotation.post_id, Annotation.source.is_(None), Annotation.label)
        .subquery()
    )
    said = select(votes.c.post_id, votes.c.label).where(votes.c.place == 1)
    told = union_all(said, select(Resolution.post_id, Resolution.label).where(is_decided())).subquery()
    return (
        select(split, told.c.label, func.count())
        .join(Post, Post.id == told.c.post_id)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(Post.is_quarantined.is_(False))
        .group_by(split, told.c.label)
    )


def training_rows() -> Select[*tuple[Any, ...]]:
    """Every standing label with its post, group and split, ordered so that exports are the same twice."""
    return (
        select(
            Post.id.label("post_id"),
            Post.external_id,
            PostText.text,
            Post.group_id,
            PostGroup.key.label("group_key"),
            PostGroup.split,
            PostGroup.stratum,
            Annotation.label,
            Annotation.person_id,
            Annotation.lane,
            Annotation.source,
            Annotation.saved_at,
        )
        .join(Post, Post.id == Annotation.post_id)
        .join(PostText, PostText.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(Annotation.action == "label", is_current(), Post.is_quarantined.is_(False))
        .order_by(Post.id, Annotation.id)
    )


def compared_posts(post_ids: Iterable[int]) -> Select[int, str, str, str | None]:
    """id, external_id, text and one standing label a row, or none, of these posts; only those of the pool.

    Of a post a lead has decided on, that label.
    """
    standing, decided = current_labels().subquery(), standing_resolutions().subquery()
    label = func.coalesce(decided.c.label, standing.c.label).label("label")
    return (
        select(Post.id, Post.external_id, PostText.text, label)
        .join(PostText, PostText.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .outerjoin(standing, standing.c.post_id == Post.id)
        .outerjoin(decided, decided.c.post_id == Post.id)
        .where(Post.id.in_(list(post_ids)), is_of_pool())
        .order_by(standing.c.id)
    )


def served_blind(post_id: int) -> Select[int]:
    """The standing answers, skips among them, of people who were served this post as a held-out one."""
    return select(Annotation.id).where(
        Annotation.post_id == post_id,
        Annotation.lane == "held_out",
        Annotation.action != "undo",
        is_current(),
    )


def posts_of_import(import_id: int, after: int) -> Select[int, str, str | None]:
    """Id, external_id and split of an import's posts above `after`, in order of id, which the index has."""
    return (
        select(Post.id, Post.external_id, PostGroup.split)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(Post.import_id == import_id, Post.id > after)
        .order_by(Post.id)
    )


def resolved_rows() -> Select[*tuple[Any, ...]]:
    """Every standing decision of a lead with its post, group and split: what `training_rows` gives way to.

    The lane is that in which the post was served last.
    """
    served = (
        select(Annotation.lane)
        .where(Annotation.post_id == Post.id, Annotation.lane.is_not(None))
        .order_by(Annotation.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(
            Post.id.label("post_id"),
            Post.external_id,
            PostText.text,
            Post.group_id,
            PostGroup.key.label("group_key"),
            PostGroup.split,
            PostGroup.stratum,
            served.label("lane"),
            Resolution.label,
            Resolution.person_id,
            Resolution.decided_at,
        )
        .join(Post, Post.id == Resolution.post_id)
        .join(PostText, PostText.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(is_decided(), Post.is_quarantined.is_(False))
        .order_by(Post.id)
    )


def answered_by(post_ids: Iterable[int], person_id: int) -> Select[int]:
    """Those of these posts that a person has answered here, as it stands."""
    return select(Annotation.post_id).where(
        Annotation.post_id.in_(list(post_ids)),
        Annotation.person_id == person_id,
        Annotation.origin == "person",
        Annotation.action != "undo",
        is_current(),
    )


def labels_of(post_ids: Iterable[int]) -> Select[int, str | None, str | None]:
    """post_id, label, source of the standing labels of these posts."""
    return select(Annotation.post_id, Annotation.label, Annotation.source).where(
        Annotation.post_id.in_(list(post_ids)), Annotation.action == "label", is_current()
    )


def newest_resolutions(post_ids: Iterable[int]) -> Select[int, str | None]:
    """post_id, label of what a lead decided last on these posts; no label where it was taken back."""
    newest = (
        select(func.max(Resolution.id))
        .where(Resolution.post_id.in_(list(post_ids)))
        .group_by(Resolution.post_id)
    )
    return select(Resolution.post_id, Resolution.label).where(Resolution.id.in_(newest))


def rounds_by_number() -> Select[Round]:
    """All rounds, newest first."""
    return select(Round).order_by(Round.number.desc())


def policies() -> Select[Policy]:
    """Versions of the thresholds, newest first."""
    return select(Policy).order_by(Policy.version.desc())


def promotions() -> Select[Promotion]:
    """Moves of the champion pointer, newest first."""
    return select(Promotion).order_by(Promotion.id.desc())


def newest_posts(before: int | None = None) -> Select[int]:
    """Numbers of the posts, newest first, those below `before`."""
    posts = select(Post.id).order_by(Post.id.desc())
    return posts if before is None else posts.where(Post.id < before)


def judged_posts(
    *,
    label: str | None,
    person_id: int | None,
    lane: str | None,
    round_number: int | None,
    before: int | None,
    most: int,
) -> Select[int]:
    """Numbers of `most` posts for which one standing answer has all that is asked for, newest post first.

    Where only a label is asked for, a lead's decision is an answer; where only a lane or a round is, so is a place
    in the queue (a held-out one's tells nothing).
    """
    asked = {
        Annotation.label: label,
        Annotation.person_id: person_id,
        Annotation.lane: lane,
        Annotation.suggestion_round: round_number,
    }
    answers = select(Annotation.post_id).where(
        *(column == value for column, value in asked.items() if value is not None),
        Annotation.action != "undo",
        is_current(),
    )
    found = [answers]
    if person_id is None and lane is None and round_number is None:
        found.append(select(Resolution.post_id).where(Resolution.label == label))
    if person_id is None and label is None:
        waiting = select(QueueEntry.post_id).where(is_open(), QueueEntry.lane != "held_out")
        if lane is not None:
            waiting = waiting.where(QueueEntry.lane == lane)
        if round_number is not None:
            waiting = waiting.where(QueueEntry.round_number == round_number)
        found.append(waiting)
    # Each from its own index and no further than wanted: a union of all would be sorted first.
    newest = (_newest_of(one, before, most) for one in found)
    posts = union(*(select(one.c.post_id) for one in newest)).subquery()
    return select(posts.c.post_id).order_by(posts.c.post_id.desc()).limit(most)


def _newest_of(posts: Select[int], before: int | None, most: int) -> Subquery:
    post_id: ColumnElement[int] = posts.selected_columns[0]
    some = posts if before is None else posts.where(post_id < before)
    return some.distinct().order_by(post_id.desc()).limit(most).subquery()


def listed_posts(post_ids: Iterable[int]) -> Select[int, str, str, dict[str, Any] | None, str | None]:
    """id, external_id, text, facts, split of these posts, newest first; the split of a new post is null."""
    return (
        select(Post.id, Post.external_id, PostText.text, PostFacts.facts, PostGroup.split)
        .join(PostText, PostText.post_id == Post.id)
        .outerjoin(PostFacts, PostFacts.post_id == Post.id)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(Post.id.in_(list(post_ids)))
        .order_by(Post.id.desc())
    )


def standing_answers(post_ids: Iterable[int]) -> Select[Annotation, str]:
    """The answers to these posts that stand, and who gave them; the oldest first."""
    return (
        select(Annotation, Person.name)
        .join(Person, Person.id == Annotation.person_id)
        .where(Annotation.post_id.in_(list(post_ids)), Annotation.action != "undo", is_current())
        .order_by(Annotation.id)
    )


def decisions(post_ids: Iterable[int]) -> Select[Resolution, str]:
    """All that leads decided on these posts, and who; the oldest first, so the last of a post stands."""
    return (
        select(Resolution, Person.name)
        .join(Person, Person.id == Resolution.person_id)
        .where(Resolution.post_id.in_(list(post_ids)))
        .order_by(Resolution.id)
    )


def annotations_of(post_id: int) -> Select[Annotation, str]:
    """Every annotation a post ever had, and whose; the oldest first."""
    return (
        select(Annotation, Person.name)
        .join(Person, Person.id == Annotation.person_id)
        .where(Annotation.post_id == post_id)
        .order_by(Annotation.id)
    )


def bulk_decisions(most: int) -> Select[int, str, str, datetime, int, int]:
    """id, who, label, when, of how many posts, how many of them still stand; the newest first."""
    later = aliased(Resolution)
    stands = ~exists().where(later.post_id == Resolution.post_id, later.id > Resolution.id)
    return (
        select(
            AuditEntry.id,
            Person.name,
            AuditEntry.subject,
            AuditEntry.at,
            func.count(Resolution.post_id.distinct()),
            func.count(Resolution.id).filter(stands),
        )
        .join(Person, Person.id == AuditEntry.person_id)
        .join(Resolution, Resolution.bulk_id == AuditEntry.id)
        .where(Resolution.label.is_not(None))
        .group_by(AuditEntry.id)
        .order_by(AuditEntry.id.desc())
        .limit(most)
    )


def standing_of_bulk(bulk_id: int) -> Select[Resolution]:
    """Decisions made in one go that still stand: nobody has decided on the post since."""
    later = aliased(Resolution)
    return select(Resolution).where(
        Resolution.bulk_id == bulk_id,
        Resolution.label.is_not(None),
        ~exists().where(later.post_id == Resolution.post_id, later.id > Resolution.id),
    )


def import_spans() -> Select[int, str, datetime, int, int]:
    """id, file, time, first and last post of each finished import that has some still: its posts have numbers in a row."""
    posts = [
        select(edge(Post.id)).where(Post.import_id == Import.id).scalar_subquery()
        for edge in (func.min, func.max)
    ]
    return (
        select(Import.id, Import.file_name, Import.started_at, *posts)
        .where(Import.state == "prepared", exists().where(Post.import_id == Import.id))
        .order_by(Import.id)
    )


def sampled_posts(post_ids: Iterable[int]) -> Select[int, str]:
    """Id and text of those of the posts that are in the pool."""
    return (
        select(Post.id, PostText.text)
        .join(PostText, PostText.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(Post.id.in_(list(post_ids)), is_of_pool())
    )
