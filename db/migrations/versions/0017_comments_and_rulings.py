"""Comments on posts that annotators asked about, and rulings on kinds of disagreement"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    _comments()
    _rulings()
    _decisions_under_rulings()
    for table in ("comment", "ruling", "ruling_withdrawal"):
        _forbid_rewriting(table)


def _comments() -> None:
    op.create_table(
        "comment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_comment_person_id_person")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_comment_post_id_post")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment")),
    )
    op.create_index("ix_comment_post_id", "comment", ["post_id", "id"])
    op.create_table(
        "comment_reader",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("read_up_to", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_comment_reader_person_id_person")
        ),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_comment_reader_post_id_post")),
        sa.PrimaryKeyConstraint("person_id", "post_id", name=op.f("pk_comment_reader")),
    )


def _rulings() -> None:
    op.create_table(
        "ruling",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("label_set_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("scope", sa.JSON(), nullable=False),
        sa.Column("guideline_version", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("ruled_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["label_set_id", "label"],
            ["label.label_set_id", "label.name"],
            name=op.f("fk_ruling_label_set_id_label"),
        ),
        sa.ForeignKeyConstraint(
            ["guideline_version"], ["guideline.version"], name=op.f("fk_ruling_guideline_version_guideline")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_ruling_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ruling")),
    )
    op.create_table(
        "ruling_withdrawal",
        sa.Column("ruling_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ruling_id"], ["ruling.id"], name=op.f("fk_ruling_withdrawal_ruling_id_ruling")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_ruling_withdrawal_person_id_person")
        ),
        sa.PrimaryKeyConstraint("ruling_id", name=op.f("pk_ruling_withdrawal")),
    )
    op.create_table(
        "ruling_post",
        sa.Column("ruling_id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("is_example", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["ruling_id"], ["ruling.id"], name=op.f("fk_ruling_post_ruling_id_ruling")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_ruling_post_post_id_post")),
        sa.PrimaryKeyConstraint("ruling_id", "post_id", name=op.f("pk_ruling_post")),
    )
    op.create_index("ix_ruling_post_post_id", "ruling_post", ["post_id"])


def _decisions_under_rulings() -> None:
    with op.batch_alter_table("resolution") as batch:
        batch.add_column(sa.Column("ruling_id", sa.Integer(), nullable=True))
        batch.create_foreign_key(op.f("fk_resolution_ruling_id_ruling"), "ruling", ["ruling_id"], ["id"])
        batch.drop_constraint(op.f("ck_resolution_occasion"), type_="check")
        batch.create_check_constraint(
            op.f("ck_resolution_occasion"), "occasion IN ('review', 'doubt', 'bulk', 'ruling')"
        )
    if op.get_bind().dialect.name == "sqlite":
        # The copy of the table has no triggers.
        _forbid_rewriting("resolution")


def _forbid_rewriting(table: str) -> None:
    """Triggers, because application code alone cannot guarantee an append-only table."""
    for event in ("UPDATE", "DELETE"):
        name, message = f"{table}_no_{event.lower()}", f"{table} is append-only"
        if op.get_bind().dialect.name == "sqlite":
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
            continue
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
        )
        op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
