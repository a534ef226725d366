"""Resolutions by leads, and versions of the thresholds"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "resolution",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("label_set_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("occasion IN ('review', 'doubt', 'bulk')", name=op.f("ck_resolution_occasion")),
        sa.ForeignKeyConstraint(
            ["label_set_id", "label"],
            ["label.label_set_id", "label.name"],
            name=op.f("fk_resolution_label_set_id_label"),
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_resolution_person_id_person")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_resolution_post_id_post")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resolution")),
    )
    op.create_index("ix_resolution_post_id", "resolution", ["post_id", "id"])
    op.create_table(
        "policy",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("round_number", sa.Integer(), nullable=True),
        sa.Column("band_low", sa.Double(), nullable=False),
        sa.Column("band_high", sa.Double(), nullable=False),
        sa.Column("pass_below", sa.Double(), nullable=False),
        sa.Column("flag_from", sa.Double(), nullable=False),
        sa.Column("prices", sa.JSON(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_policy_person_id_person")),
        sa.ForeignKeyConstraint(
            ["round_number"], ["round.number"], name=op.f("fk_policy_round_number_round")
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_policy")),
    )
