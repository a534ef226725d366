"""The tables. Annotations, check answers, resolutions, rulings, comments, thresholds, decisions about terms, promotions and
audit entries are append-only.

A post row is narrow, because there may be ten million; its text and the forum's other columns are in separate
tables. Model scores are Parquet files in the folders of rounds, so that scoring does not compete with
annotators for the write lock.
"""

from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - fixed signature
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - fixed signature
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, bytes: LargeBinary}  # noqa: RUF012 - SQLAlchemy reads it


MESSAGE = JSON(none_as_null=True)
"""`{"template": ..., "values": {...}}`: a gettext message and what fills its braces."""


class LabelSet(Base):
    """The labels of a generation of annotations. A new set is a new row; old annotations keep theirs."""

    __tablename__ = "label_set"
    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]


class Label(Base):
    """`position` orders by severity and never identifies the label."""

    __tablename__ = "label"
    label_set_id: Mapped[int] = mapped_column(ForeignKey("label_set.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]


class Guideline(Base):
    __tablename__ = "guideline"
    version: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    created_at: Mapped[datetime]


class Person(Base):
    __tablename__ = "person"
    __table_args__ = (CheckConstraint("role IN ('annotator', 'reviewer', 'lead', 'admin')", name="role"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    name_key: Mapped[str | None] = mapped_column(unique=True)
    """The same for names that look alike. Null until the project is opened by this version."""
    role: Mapped[str]
    password_hash: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    turns: Mapped[int] = mapped_column(default=0, server_default="0")
    """Posts served to this person so far; determines the lane of the next one."""
    daily_goal: Mapped[int | None]
    second_opinion_share: Mapped[int | None]
    """Percent of the posts served. Null, as for the goal: the project's."""
    language: Mapped[str | None]
    theme: Mapped[str | None]
    """Null, as for the language: what the browser asks for."""
    welcomed_as: Mapped[str | None]
    """The role for which this person has seen where things are."""


class SavedSearch(Base):
    """Conditions of a search of posts, under a name of one person's own."""

    __tablename__ = "saved_search"
    __table_args__ = (UniqueConstraint("person_id", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    name: Mapped[str]
    conditions: Mapped[dict[str, Any]]


class AnswerOptions(Base):
    """Keys of the labels, and reasons, as leads changed them on a page; the newest version overrides the settings."""

    __tablename__ = "answer_options"
    version: Mapped[int] = mapped_column(primary_key=True)
    label_keys: Mapped[list[str]] = mapped_column(JSON)
    violation_reasons: Mapped[list[str]] = mapped_column(JSON)
    skip_reasons: Mapped[list[str]] = mapped_column(JSON)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime]


class TeamGroup(Base):
    __tablename__ = "team_group"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(unique=True)


class GroupMember(Base):
    __tablename__ = "group_member"
    group_id: Mapped[int] = mapped_column(ForeignKey("team_group.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)


class Board(Base):
    """A board of the forum, as the column of the imported files names it."""

    __tablename__ = "board"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class BoardAssignment(Base):
    """Posts of a board with assignments are served only to these people and to the members of these groups."""

    __tablename__ = "board_assignment"
    __table_args__ = (CheckConstraint("(person_id IS NULL) <> (group_id IS NULL)", name="assignee"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    board_id: Mapped[int] = mapped_column(ForeignKey("board.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("team_group.id"), index=True)


class WebSession(Base):
    """A sign-in of a browser. `digest` is of the token in its cookie; a session ends by `ended_at`, by time or with the person."""

    __tablename__ = "web_session"
    __table_args__ = (Index("ix_web_session_person_id", "person_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    means: Mapped[str]
    """How the person showed who they are: password, link, demo, oidc, proxy."""
    client: Mapped[str]
    browser: Mapped[str]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Identity(Base):
    """Whom a sign-in service means by a subject: an OpenID Connect provider by its issuer, or the proxy."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"), Index("ix_identity_person_id", "person_id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    linked_at: Mapped[datetime]


class Invitation(Base):
    """A link that works once: to join in a role, or (with `person_id`) to choose a new password."""

    __tablename__ = "invitation"
    __table_args__ = (CheckConstraint("(role IS NULL) <> (person_id IS NULL)", name="purpose"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str | None]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    made_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    withdrawn_at: Mapped[datetime | None]


class Import(Base):
    """One imported file.

    Its `brought` posts have ids from `first_post` on; the last `waiting` of them are still in files and not
    stored yet. `accepted` counts the posts that remain after purges.
    """

    __tablename__ = "import"
    __table_args__ = (CheckConstraint("state IN ('storing', 'stored', 'prepared', 'failed')", name="state"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    file_name: Mapped[str]
    state: Mapped[str]
    encoding: Mapped[str]
    columns: Mapped[dict[str, Any]]
    accepted: Mapped[int] = mapped_column(default=0)
    duplicates: Mapped[int] = mapped_column(default=0)
    rejected: Mapped[int] = mapped_column(default=0)
    first_post: Mapped[int | None]
    brought: Mapped[int] = mapped_column(server_default="0")
    waiting: Mapped[int] = mapped_column(server_default="0")
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    failure: Mapped[dict[str, Any] | None] = mapped_column(MESSAGE)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class RejectedRow(Base):
    """A row that did not become a post: its line number in the file, and the reason as a code with its values.

    `external_id` is the forum's id of the row; null if it cannot be read.
    """

    __tablename__ = "rejected_row"
    __table_args__ = (
        Index(
            "ix_rejected_row_external_id",
            "external_id",
            sqlite_where=text("external_id IS NOT NULL"),
            postgresql_where=text("external_id IS NOT NULL"),
        ),
    )
    import_id: Mapped[int] = mapped_column(ForeignKey("import.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    details: Mapped[dict[str, Any]]
    external_id: Mapped[str | None]
    content: Mapped[str]


class PostGroup(Base):
    """A post and its near-copies: one split and one weight, both assigned once.

    So is the `stratum` of a held-out group, from the violation probability of its first scoring.
    """

    __tablename__ = "post_group"
    __table_args__ = (
        CheckConstraint("split IN ('pool', 'validation', 'test', 'audit')", name="split"),
        Index("ix_post_group_split", "split", "stratum"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(unique=True)
    split: Mapped[str]
    stratum: Mapped[int | None]


class Post(Base):
    """`group_id` is null until the post is prepared, as is `board_id`; `is_quarantined` means set aside."""

    __tablename__ = "post"
    __table_args__ = (
        Index(
            "ix_post_group_id",
            "group_id",
            sqlite_where=text("group_id IS NOT NULL"),
            postgresql_where=text("group_id IS NOT NULL"),
        ),
        Index("ix_post_text_hash", "text_hash"),
        Index(
            "ix_post_unprepared",
            "id",
            sqlite_where=text("group_id IS NULL"),
            postgresql_where=text("group_id IS NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(unique=True)
    text_hash: Mapped[bytes]
    import_id: Mapped[int] = mapped_column(ForeignKey("import.id"), index=True)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("post_group.id"))
    is_quarantined: Mapped[bool] = mapped_column(default=False)
    board_id: Mapped[int | None] = mapped_column(ForeignKey("board.id"))


class PostText(Base):
    __tablename__ = "post_text"
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"), primary_key=True)
    text: Mapped[str]


class PostFacts(Base):
    """The forum's other columns of a post (board, thread, author, time), unchanged.

    `thread_key` is a hash of board and thread, to select the posts around one; null without a thread.
    """

    __tablename__ = "post_facts"
    __table_args__ = (
        Index(
            "ix_post_facts_thread_key",
            "thread_key",
            "post_id",
            sqlite_where=text("thread_key IS NOT NULL"),
            postgresql_where=text("thread_key IS NOT NULL"),
        ),
    )
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"), primary_key=True)
    facts: Mapped[dict[str, Any]]
    thread_key: Mapped[int | None] = mapped_column(BigInteger)


class NearCopyKey(Base):
    """One MinHash band of one post; posts that share a key may be near-copies."""

    __tablename__ = "near_copy_key"
    __table_args__ = ({"sqlite_with_rowid": False},)
    key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"), primary_key=True, autoincrement=False)


class Annotation(Base):
    """One person's judgement of one post. A new judgement supersedes the old row."""

    __tablename__ = "annotation"
    __table_args__ = (
        ForeignKeyConstraint(["label_set_id", "label"], ["label.label_set_id", "label.name"]),
        CheckConstraint("action IN ('label', 'skip', 'undo')", name="action"),
        CheckConstraint("(action = 'label') = (label IS NOT NULL)", name="label"),
        CheckConstraint("origin IN ('person', 'import', 'propagated')", name="origin"),
        Index("ix_annotation_post_id", "post_id"),
        Index("ix_annotation_person_id", "person_id", "id"),
        Index("ix_annotation_saved_at", "person_id", "saved_at"),
        Index(
            "ix_annotation_flagged",
            "id",
            sqlite_where=text("is_flagged = 1"),
            postgresql_where=text("is_flagged"),
        ),
        Index(
            "ix_annotation_slot", "post_id", sqlite_where=text("slot = 1"), postgresql_where=text("slot = 1")
        ),
        Index(
            "ix_annotation_label",
            "label",
            "post_id",
            sqlite_where=text("label IS NOT NULL"),
            postgresql_where=text("label IS NOT NULL"),
        ),
        Index(
            "ix_annotation_propagated_from_id",
            "propagated_from_id",
            sqlite_where=text("propagated_from_id IS NOT NULL"),
            postgresql_where=text("propagated_from_id IS NOT NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    slot: Mapped[int] = mapped_column(default=0)
    action: Mapped[str]
    label_set_id: Mapped[int]
    label: Mapped[str | None]
    supersedes_id: Mapped[int | None] = mapped_column(ForeignKey("annotation.id"), unique=True)
    origin: Mapped[str] = mapped_column(default="person")
    propagated_from_id: Mapped[int | None] = mapped_column(ForeignKey("annotation.id"))
    source: Mapped[str | None]
    lane: Mapped[str | None]
    inclusion_probability: Mapped[float | None]
    note: Mapped[str | None]
    reason: Mapped[str | None]
    is_flagged: Mapped[bool] = mapped_column(default=False)
    guideline_version: Mapped[int | None] = mapped_column(ForeignKey("guideline.version"))
    suggestion: Mapped[str | None]
    suggestion_confidence: Mapped[float | None]
    suggestion_round: Mapped[int | None] = mapped_column(ForeignKey("round.number"))
    was_suggestion_visible: Mapped[bool] = mapped_column(default=False)
    shown_at: Mapped[datetime | None]
    saved_at: Mapped[datetime]


class CheckAnswer(Base):
    """One person's answer to a check post, which measures the person; it is no label of the post.

    `kind` is `gold`, a post settled by a lead, or `own_again`, one that the person labelled before. `expected` is
    the label that stood at the time of the answer, null if it was withdrawn while the post was on screen. A new
    answer supersedes the old row, as of annotations.
    """

    __tablename__ = "check_answer"
    __table_args__ = (
        ForeignKeyConstraint(
            ["label_set_id", "expected"],
            ["label.label_set_id", "label.name"],
            name="fk_check_answer_expected_label",
        ),
        ForeignKeyConstraint(["label_set_id", "label"], ["label.label_set_id", "label.name"]),
        CheckConstraint("kind IN ('gold', 'own_again')", name="kind"),
        CheckConstraint("action IN ('label', 'skip', 'undo')", name="action"),
        CheckConstraint("(action = 'label') = (label IS NOT NULL)", name="label"),
        Index("ix_check_answer_post_id", "post_id"),
        Index("ix_check_answer_person_id", "person_id", "saved_at"),
        Index(
            "ix_check_answer_flagged",
            "id",
            sqlite_where=text("is_flagged = 1"),
            postgresql_where=text("is_flagged"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    kind: Mapped[str]
    action: Mapped[str]
    label_set_id: Mapped[int]
    expected: Mapped[str | None]
    label: Mapped[str | None]
    supersedes_id: Mapped[int | None] = mapped_column(ForeignKey("check_answer.id"), unique=True)
    note: Mapped[str | None]
    reason: Mapped[str | None]
    is_flagged: Mapped[bool] = mapped_column(default=False)
    guideline_version: Mapped[int | None] = mapped_column(ForeignKey("guideline.version"))
    was_suggestion_visible: Mapped[bool] = mapped_column(default=False)
    shown_at: Mapped[datetime | None]
    saved_at: Mapped[datetime]


class Resolution(Base):
    """A lead's decision on a post; training and exports use its label in place of the annotations.

    The newest row of a post is in force; without a label the decision is withdrawn. Annotations stay
    unchanged. The rows of one bulk action share the `bulk_id` of its audit entry, and so do the rows that
    withdraw them. `ruling_id` is the ruling that the decision was made under.
    """

    __tablename__ = "resolution"
    __table_args__ = (
        ForeignKeyConstraint(["label_set_id", "label"], ["label.label_set_id", "label.name"]),
        CheckConstraint("occasion IN ('review', 'doubt', 'bulk', 'ruling')", name="occasion"),
        Index("ix_resolution_post_id", "post_id", "id"),
        Index(
            "ix_resolution_bulk_id",
            "bulk_id",
            sqlite_where=text("bulk_id IS NOT NULL"),
            postgresql_where=text("bulk_id IS NOT NULL"),
        ),
        Index(
            "ix_resolution_review",
            "id",
            sqlite_where=text("occasion = 'review'"),
            postgresql_where=text("occasion = 'review'"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    label_set_id: Mapped[int]
    label: Mapped[str | None]
    occasion: Mapped[str]
    reason: Mapped[str | None]
    decided_at: Mapped[datetime]
    bulk_id: Mapped[int | None] = mapped_column(ForeignKey("audit_entry.id"))
    ruling_id: Mapped[int | None] = mapped_column(ForeignKey("ruling.id"))


class Ruling(Base):
    """A kind of disagreement that a lead has settled once, for all posts: `kind` describes it, `label` is theirs.

    `guideline_version` is the first version with this ruling. `scope` finds labels that it touches: the `words` of a
    search, and the two `labels` that people have given to one post.
    """

    __tablename__ = "ruling"
    __table_args__ = (ForeignKeyConstraint(["label_set_id", "label"], ["label.label_set_id", "label.name"]),)
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    kind: Mapped[str]
    label_set_id: Mapped[int]
    label: Mapped[str]
    reason: Mapped[str | None]
    scope: Mapped[dict[str, Any]]
    guideline_version: Mapped[int] = mapped_column(ForeignKey("guideline.version"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    ruled_at: Mapped[datetime]


class RulingWithdrawal(Base):
    __tablename__ = "ruling_withdrawal"
    ruling_id: Mapped[int] = mapped_column(ForeignKey("ruling.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    withdrawn_at: Mapped[datetime]


class RulingPost(Base):
    """A post that a ruling touches; an example is one that the lead has chosen."""

    __tablename__ = "ruling_post"
    ruling_id: Mapped[int] = mapped_column(ForeignKey("ruling.id"), primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"), primary_key=True, index=True)
    is_example: Mapped[bool] = mapped_column(default=False)


class Policy(Base):
    """A version of the thresholds.

    A post passes with a violation score below `pass_below`, is flagged from `flag_from` on, and goes to
    people in between. `prices` are those of a missed violation, of a false alarm and of a human review.
    """

    __tablename__ = "policy"
    version: Mapped[int] = mapped_column(primary_key=True)
    round_number: Mapped[int | None] = mapped_column(ForeignKey("round.number"))
    band_low: Mapped[float]
    band_high: Mapped[float]
    pass_below: Mapped[float]
    flag_from: Mapped[float]
    prices: Mapped[dict[str, Any]]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime]


class GivenVerdict(Base):
    """The verdict last given about a post to the forum's systems, and the thresholds that it first came from."""

    __tablename__ = "given_verdict"
    __table_args__ = (CheckConstraint("verdict IN ('pass', 'human', 'flag')", name="verdict"),)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"), primary_key=True, autoincrement=False)
    verdict: Mapped[str]
    policy_version: Mapped[int] = mapped_column(ForeignKey("policy.version"))


class Claim(Base):
    """A lease on a post while one person has it open. Slot 1 is for second opinions, slot 2 for check posts."""

    __tablename__ = "claim"
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"), primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True, default=0)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    lane: Mapped[str]
    claimed_at: Mapped[datetime]
    shown_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]


class LapsedClaim(Base):
    """A post that another person claimed after the lease ended; a late answer counts as a second opinion."""

    __tablename__ = "lapsed_claim"
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    lane: Mapped[str]
    shown_at: Mapped[datetime]


class Draft(Base):
    """An unsaved note, kept until the post is answered."""

    __tablename__ = "draft"
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"), primary_key=True)
    note: Mapped[str]
    saved_at: Mapped[datetime]


class Comment(Base):
    """A remark of an annotator or a lead on a post that an annotator has asked about."""

    __tablename__ = "comment"
    __table_args__ = (Index("ix_comment_post_id", "post_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    text: Mapped[str]
    at: Mapped[datetime]


class CommentReader(Base):
    """A person whom the comments on a post concern, and the last comment that they have read (0: none)."""

    __tablename__ = "comment_reader"
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"), primary_key=True)
    read_up_to: Mapped[int] = mapped_column(default=0)


class Explanation(Base):
    """The words behind a round's label of a post: [start, end, drop] each, largest drop first.

    `drop` is the fall of the most likely label's probability without the word.
    """

    __tablename__ = "explanation"
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"), primary_key=True)
    round_number: Mapped[int] = mapped_column(ForeignKey("round.number"), primary_key=True)
    words: Mapped[list[list[float]]] = mapped_column(JSON)


class QueueEntry(Base):
    """A post in the queue, with its scores at the time the queue was built.

    `is_answered` duplicates the annotations, so that the next post is selected without scanning answered
    ones; each transaction that adds or withdraws an answer updates it. `board_id` is the board of the post if it is
    assigned to people, so that claims select by an index; null for posts that everybody is served.
    """

    __tablename__ = "queue_entry"
    __table_args__ = (
        Index(
            "ix_queue_entry_board",
            "lane",
            "board_id",
            "position",
            sqlite_where=text("is_answered = 0"),
            postgresql_where=text("NOT is_answered"),
        ),
        Index(
            "ix_queue_entry_lane",
            "lane",
            "position",
            sqlite_where=text("is_answered = 0"),
            postgresql_where=text("NOT is_answered"),
        ),
    )
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"), primary_key=True, autoincrement=False)
    lane: Mapped[str]
    position: Mapped[int]
    round_number: Mapped[int | None] = mapped_column(ForeignKey("round.number"))
    normal: Mapped[float | None]
    suspicious: Mapped[float | None]
    violation: Mapped[float | None]
    inclusion_probability: Mapped[float | None]
    is_answered: Mapped[bool] = mapped_column(default=False, server_default=false())
    board_id: Mapped[int | None] = mapped_column(ForeignKey("board.id"))


class QueueState(Base):
    """The posts in and below the band when the queue was built.

    `widened` counts posts above the band that were added because there were too few, `left_out` posts of the
    band beyond the queue's limit.
    """

    __tablename__ = "queue_state"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    round_number: Mapped[int | None] = mapped_column(ForeignKey("round.number"))
    in_band: Mapped[int]
    below_band: Mapped[int]
    widened: Mapped[int] = mapped_column(default=0, server_default="0")
    left_out: Mapped[int] = mapped_column(default=0, server_default="0")
    built_at: Mapped[datetime]


class Round(Base):
    """`attempt` is the fence: the result of a step counts only if the attempt has not changed since the step
    began, so a worker that resumes late has no effect.
    """

    __tablename__ = "round"
    __table_args__ = (
        CheckConstraint(
            "state IN ('queued', 'exporting', 'training', 'evaluating', 'gating', 'awaiting', 'scoring', "
            "'promoted', 'rejected', 'failed', 'cancelled')",
            name="state",
        ),
        # At most one round is under way: the index refuses a second, also between processes.
        Index(
            "ix_round_is_running",
            "is_running",
            unique=True,
            sqlite_where=text("is_running"),
            postgresql_where=text("is_running"),
        ),
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]
    is_running: Mapped[bool]
    is_quick: Mapped[bool]
    base: Mapped[str]
    notes: Mapped[dict[str, Any] | None] = mapped_column(MESSAGE)
    attempt: Mapped[int] = mapped_column(default=0)
    step_attempts: Mapped[int] = mapped_column(default=0)
    state_before: Mapped[str | None]
    """State to return to if a later promotion of the round fails or is cancelled."""
    is_rolling_back: Mapped[bool] = mapped_column(default=False)
    report: Mapped[dict[str, Any] | None]
    verdict: Mapped[dict[str, Any] | None]
    scored: Mapped[dict[str, Any] | None]
    failure: Mapped[dict[str, Any] | None] = mapped_column(MESSAGE)
    created_at: Mapped[datetime]
    labels_until: Mapped[datetime | None]
    """Labels saved before this moment are in the files of the round; null until it has exported them."""
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    step_began_at: Mapped[datetime | None]
    """Null between steps."""
    worked_seconds: Mapped[float | None]
    """Sum of its steps that ended; a later promotion of the round adds none. Null if it is not known."""
    is_automatic: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Started by the rule that the person of `started_by_id` set."""
    started_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decision_reason: Mapped[dict[str, Any] | None] = mapped_column(MESSAGE)


class Adaptation(Base):
    """A further pre-training of the base encoder on the pool's posts; `attempt` is the fence, as of a round.

    `base` is the encoder it begins from, `posts` the number of the project's posts then, `facts` the card of the result,
    and `purged` counts the posts among those read that were purged since. Rounds train on the one in use.
    """

    __tablename__ = "adaptation"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="state"),
        Index(
            "ix_adaptation_is_running",
            "is_running",
            unique=True,
            sqlite_where=text("is_running"),
            postgresql_where=text("is_running"),
        ),
        Index(
            "ix_adaptation_is_in_use",
            "is_in_use",
            unique=True,
            sqlite_where=text("is_in_use"),
            postgresql_where=text("is_in_use"),
        ),
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]
    is_running: Mapped[bool]
    is_in_use: Mapped[bool] = mapped_column(default=False)
    base: Mapped[str]
    minutes: Mapped[float]
    attempt: Mapped[int] = mapped_column(default=0)
    step_attempts: Mapped[int] = mapped_column(default=0)
    posts: Mapped[int | None]
    facts: Mapped[dict[str, Any] | None]
    purged: Mapped[int] = mapped_column(default=0)
    failure: Mapped[dict[str, Any] | None] = mapped_column(MESSAGE)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    started_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))


class RoundRule(Base):
    """When rounds start by themselves; one row, which leads change. Without number and time none does.

    `taken_on` is the last date, in the rule's zone, whose time of day was taken; `counted_from` the moment at which
    enough labels were there for a round that was skipped; `refusal` why the last round that was due could not start.
    """

    __tablename__ = "round_rule"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    after_labels: Mapped[int | None]
    at_time: Mapped[time | None]
    zone: Mapped[str | None]
    skips_next: Mapped[bool] = mapped_column(default=False, server_default=false())
    taken_on: Mapped[date | None]
    counted_from: Mapped[datetime | None]
    refusal: Mapped[dict[str, Any] | None] = mapped_column(MESSAGE)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    set_at: Mapped[datetime]


class Champion(Base):
    """The pointer to the adapter in use. Only promotion and rollback move it."""

    __tablename__ = "champion"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    round_number: Mapped[int] = mapped_column(ForeignKey("round.number"))
    since: Mapped[datetime]


class TermDecision(Base):
    """A lead's decision about a term of the radar. The newest of a term is in force; `standing` is null once it is cleared."""

    __tablename__ = "term_decision"
    __table_args__ = (
        CheckConstraint("standing IN ('watched', 'dismissed')", name="standing"),
        Index("ix_term_decision_term", "term", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    term: Mapped[str]
    standing: Mapped[str | None]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime]


class Promotion(Base):
    """Moves of the champion pointer, in order; a rollback returns to `previous_number`."""

    __tablename__ = "promotion"
    id: Mapped[int] = mapped_column(primary_key=True)
    round_number: Mapped[int] = mapped_column(ForeignKey("round.number"))
    previous_number: Mapped[int | None] = mapped_column(ForeignKey("round.number"))
    is_rollback: Mapped[bool]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    promoted_at: Mapped[datetime]


class AuditEntry(Base):
    """`digest` chains an entry to the one before it; only `workbench.audit.record` writes rows, which triggers keep."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_at", "at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]
    digest: Mapped[bytes]
