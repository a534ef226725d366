"""Imports keep their rows in files and record their posts' ids and how many wait; half-stored imports are removed"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

HALF_STORED = "SELECT id FROM post WHERE import_id IN (SELECT id FROM import WHERE state = 'storing')"
NUMBERS = "SELECT {edge} FROM post WHERE import_id = import.id"


def upgrade() -> None:
    op.add_column("import", sa.Column("first_post", sa.Integer(), nullable=True))
    for name in ("brought", "waiting"):
        op.add_column("import", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    # Earlier versions stored imports row by row; a killed import left its posts to the next one.
    for table in ("claim", "queue_entry", "post_text", "post_facts"):
        op.execute(f"DELETE FROM {table} WHERE post_id IN ({HALF_STORED})")  # noqa: S608 - constants
    op.execute(f"DELETE FROM post WHERE id IN ({HALF_STORED})")  # noqa: S608
    op.execute("DELETE FROM rejected_row WHERE import_id IN (SELECT id FROM import WHERE state = 'storing')")
    op.execute("UPDATE import SET state = 'failed' WHERE state = 'storing'")
    op.execute(f"UPDATE import SET first_post = ({NUMBERS.format(edge='min(id)')})")  # noqa: S608
    spans = NUMBERS.format(edge="coalesce(max(id) - min(id) + 1, 0)")
    op.execute(f"UPDATE import SET brought = ({spans})")  # noqa: S608
