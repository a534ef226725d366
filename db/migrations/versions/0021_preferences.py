"""People's language and theme, and whether they have been shown around"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("person", sa.Column("language", sa.String(), nullable=True))
    op.add_column("person", sa.Column("theme", sa.String(), nullable=True))
    op.add_column("person", sa.Column("welcomed_as", sa.String(), nullable=True))
