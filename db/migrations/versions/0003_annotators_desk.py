"""Drafts, explanations, threads; indexes of answered queue entries and flagged annotations"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


BATCH = 10_000
BOARDS = ("board", "forum", "section", "版块", "板块", "论坛")
THREAD_IDS = ("thread_id", "threadid", "tid", "topic_id", "topicid", "主题id", "主题编号", "话题id")
THREADS = ("thread", "title", "topic", "主题", "标题", "帖子")


def upgrade() -> None:
    op.create_table(
        "draft",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("saved_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_draft_person_id_person")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_draft_post_id_post")),
        sa.PrimaryKeyConstraint("person_id", "post_id", name=op.f("pk_draft")),
    )
    op.create_table(
        "explanation",
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("round_number", sa.Integer(), nullable=False),
        sa.Column("words", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_explanation_post_id_post")),
        sa.ForeignKeyConstraint(
            ["round_number"], ["round.number"], name=op.f("fk_explanation_round_number_round")
        ),
        sa.PrimaryKeyConstraint("post_id", "round_number", name=op.f("pk_explanation")),
    )
    op.create_table(
        "lapsed_claim",
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("shown_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_lapsed_claim_person_id_person")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_lapsed_claim_post_id_post")),
        sa.PrimaryKeyConstraint("post_id", "person_id", name=op.f("pk_lapsed_claim")),
    )
    op.add_column("person", sa.Column("turns", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("post_facts", sa.Column("thread_key", sa.BigInteger(), nullable=True))
    _fill_thread_keys()
    _partial("ix_post_facts_thread_key", "post_facts", ["thread_key", "post_id"], "thread_key IS NOT NULL")
    op.add_column(
        "queue_entry", sa.Column("is_answered", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    # An entry is answered if its post has a current label that counts for its lane.
    op.execute(
        """UPDATE queue_entry SET is_answered = true WHERE EXISTS (
               SELECT 1 FROM annotation AS a WHERE a.post_id = queue_entry.post_id AND a.action = 'label'
               AND (queue_entry.lane != 'held_out' OR a.source IS NULL)
               AND NOT EXISTS (SELECT 1 FROM annotation AS later WHERE later.supersedes_id = a.id))"""
    )
    op.drop_index("ix_queue_entry_lane", "queue_entry")
    _partial("ix_queue_entry_lane", "queue_entry", ["lane", "position"], "is_answered = 0", "NOT is_answered")
    op.create_index("ix_annotation_saved_at", "annotation", ["person_id", "saved_at"])
    _partial("ix_annotation_slot", "annotation", ["post_id"], "slot = 1")
    _partial("ix_annotation_flagged", "annotation", ["id"], "is_flagged = 1", "is_flagged")
    _partial(
        "ix_annotation_propagated_from_id",
        "annotation",
        ["propagated_from_id"],
        "propagated_from_id IS NOT NULL",
    )


def _partial(name: str, table: str, columns: list[str], where: str, elsewhere: str | None = None) -> None:
    """SQLite has no booleans, and uses a partial index only if a query repeats its condition literally."""
    op.create_index(
        name,
        table,
        columns,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(elsewhere or where),
    )


def _fill_thread_keys() -> None:
    table = sa.table("post_facts", sa.column("post_id"), sa.column("facts", sa.JSON), sa.column("thread_key"))
    some = sa.select(table.c.post_id, table.c.facts).order_by(table.c.post_id).limit(BATCH)
    fill = (
        sa.update(table).where(table.c.post_id == sa.bindparam("id")).values(thread_key=sa.bindparam("key"))
    )
    last = 0
    while rows := op.get_bind().execute(some.where(table.c.post_id > last)).all():
        last = rows[-1].post_id
        keys = [{"id": row.post_id, "key": _thread_key(row.facts)} for row in rows]
        if rows_with_key := [entry for entry in keys if entry["key"] is not None]:
            op.get_bind().execute(fill, rows_with_key)


def _thread_key(facts: Mapping[str, Any]) -> int | None:
    """A copy of the function at this revision, so that the migration does not change with the code."""
    for meaning, names in (("thread_id", THREAD_IDS), ("thread", THREADS)):
        if thread := _first(facts, names):
            key = f"{_first(facts, BOARDS)}\0{meaning}\0{thread}".encode("utf-8", "surrogatepass")
            return int.from_bytes(blake2b(key, digest_size=8).digest(), signed=True)
    return None


def _first(facts: Mapping[str, Any], names: Sequence[str]) -> str:
    values = (str(value).strip() for column, value in facts.items() if column.strip().lower() in names)
    return next((value for value in values if value), "")
