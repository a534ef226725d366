"""Reasons and keys of labels that leads change on a page"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "answer_options",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("label_keys", sa.JSON(), nullable=False),
        sa.Column("violation_reasons", sa.JSON(), nullable=False),
        sa.Column("skip_reasons", sa.JSON(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_answer_options_person_id_person")
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_answer_options")),
    )
