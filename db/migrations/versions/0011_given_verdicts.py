"""The verdict last given about each post, so that a later file can hold only what is new"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "given_verdict",
        sa.Column("post_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("verdict IN ('pass', 'human', 'flag')", name=op.f("ck_given_verdict_verdict")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_given_verdict_post_id_post")),
        sa.ForeignKeyConstraint(
            ["policy_version"], ["policy.version"], name=op.f("fk_given_verdict_policy_version_policy")
        ),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_given_verdict")),
    )
