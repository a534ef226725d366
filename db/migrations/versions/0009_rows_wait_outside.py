"""Imports leave their rows in files, and know how many of them wait to be stored"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("import", sa.Column("first_post", sa.Integer(), nullable=True))
    for name in ("brought", "waiting"):
        op.add_column("import", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
