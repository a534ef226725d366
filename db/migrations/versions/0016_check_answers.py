"""Answers to check posts, which measure the annotator and are no labels"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "check_answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("label_set_id", sa.Integer(), nullable=False),
        sa.Column("expected", sa.String(), nullable=True),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("supersedes_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("is_flagged", sa.Boolean(), nullable=False),
        sa.Column("guideline_version", sa.Integer(), nullable=True),
        sa.Column("was_suggestion_visible", sa.Boolean(), nullable=False),
        sa.Column("shown_at", sa.DateTime(), nullable=True),
        sa.Column("saved_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("kind IN ('gold', 'own_again')", name=op.f("ck_check_answer_kind")),
        sa.CheckConstraint("action IN ('label', 'skip', 'undo')", name=op.f("ck_check_answer_action")),
        sa.CheckConstraint("(action = 'label') = (label IS NOT NULL)", name=op.f("ck_check_answer_label")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_check_answer_post_id_post")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_check_answer_person_id_person")),
        sa.ForeignKeyConstraint(
            ["label_set_id", "expected"],
            ["label.label_set_id", "label.name"],
            name=op.f("fk_check_answer_expected_label"),
        ),
        sa.ForeignKeyConstraint(
            ["label_set_id", "label"],
            ["label.label_set_id", "label.name"],
            name=op.f("fk_check_answer_label_set_id_label"),
        ),
        sa.ForeignKeyConstraint(
            ["supersedes_id"], ["check_answer.id"], name=op.f("fk_check_answer_supersedes_id_check_answer")
        ),
        sa.ForeignKeyConstraint(
            ["guideline_version"],
            ["guideline.version"],
            name=op.f("fk_check_answer_guideline_version_guideline"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_answer")),
        sa.UniqueConstraint("supersedes_id", name=op.f("uq_check_answer_supersedes_id")),
    )
    op.create_index("ix_check_answer_post_id", "check_answer", ["post_id"])
    op.create_index("ix_check_answer_person_id", "check_answer", ["person_id", "saved_at"])
    op.create_index(
        "ix_check_answer_flagged",
        "check_answer",
        ["id"],
        sqlite_where=sa.text("is_flagged = 1"),
        postgresql_where=sa.text("is_flagged"),
    )
    op.create_index(
        "ix_resolution_review",
        "resolution",
        ["id"],
        sqlite_where=sa.text("occasion = 'review'"),
        postgresql_where=sa.text("occasion = 'review'"),
    )
    for event in ("UPDATE", "DELETE"):
        _forbid(event, "check_answer")


def _forbid(event: str, table: str) -> None:
    """A trigger, because application code alone cannot guarantee an append-only table."""
    name = f"{table}_no_{event.lower()}"
    message = f"{table} is append-only"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
