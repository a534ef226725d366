"""Strata of held-out groups; how far the queue extends beyond the band"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("post_group", sa.Column("stratum", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_post_group_split"), "post_group", ["split", "stratum"])
    for name in ("widened", "left_out"):
        op.add_column("queue_state", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
