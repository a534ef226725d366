"""An index of ended sessions, which every key press looks up"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SIGNED_OUT = sa.text("action = 'sign out'")


def upgrade() -> None:
    op.create_index(
        "ix_audit_entry_signed_out",
        "audit_entry",
        ["subject"],
        sqlite_where=SIGNED_OUT,
        postgresql_where=SIGNED_OUT,
    )
