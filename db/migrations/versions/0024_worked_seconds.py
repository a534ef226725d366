"""How long the machine worked on a round, which a lead's wait and a later promotion do not change"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

rounds = sa.table(
    "round",
    sa.column("number", sa.Integer),
    sa.column("created_at", sa.DateTime),
    sa.column("started_at", sa.DateTime),
    sa.column("finished_at", sa.DateTime),
    sa.column("decided_by_id", sa.Integer),
    sa.column("worked_seconds", sa.Double),
)


def upgrade() -> None:
    op.add_column("round", sa.Column("worked_seconds", sa.Double(), nullable=True))
    op.add_column("round", sa.Column("step_began_at", sa.DateTime(), nullable=True))
    # Of a round that a lead decided on, the times that are kept include the lead's wait.
    undecided = rounds.c.decided_by_id.is_(None) & rounds.c.finished_at.is_not(None)
    connection = op.get_bind()
    for row in connection.execute(sa.select(rounds).where(undecided)).all():
        worked = (row.finished_at - (row.started_at or row.created_at)).total_seconds()
        connection.execute(
            rounds.update().where(rounds.c.number == row.number).values(worked_seconds=max(worked, 0.0))
        )
