"""The rule by which rounds start by themselves, which rounds it started, and up to when a round has its labels"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "round_rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("after_labels", sa.Integer(), nullable=True),
        sa.Column("at_time", sa.Time(), nullable=True),
        sa.Column("zone", sa.String(), nullable=True),
        sa.Column("skips_next", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("taken_on", sa.Date(), nullable=True),
        sa.Column("counted_from", sa.DateTime(), nullable=True),
        sa.Column("refusal", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("set_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_round_rule_one_row")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_round_rule_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round_rule")),
    )
    op.add_column("round", sa.Column("labels_until", sa.DateTime(), nullable=True))
    op.add_column("round", sa.Column("is_automatic", sa.Boolean(), server_default=sa.false(), nullable=False))
