"""The index of groups leaves out posts without a group, which no query looks up"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

HAS_GROUP = sa.text("group_id IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_post_group_id", table_name="post")
    op.create_index(
        "ix_post_group_id", "post", ["group_id"], sqlite_where=HAS_GROUP, postgresql_where=HAS_GROUP
    )
