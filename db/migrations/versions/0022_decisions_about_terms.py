"""Terms of the radar that leads watch or have dismissed"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLE = "term_decision"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("standing", sa.String(), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("decided_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("standing IN ('watched', 'dismissed')", name=op.f("ck_term_decision_standing")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_term_decision_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_term_decision")),
    )
    op.create_index("ix_term_decision_term", TABLE, ["term", "id"])
    _forbid_rewriting()


def _forbid_rewriting() -> None:
    """Triggers, because application code alone cannot guarantee an append-only table."""
    for event in ("UPDATE", "DELETE"):
        name, message = f"{TABLE}_no_{event.lower()}", f"{TABLE} is append-only"
        if op.get_bind().dialect.name == "sqlite":
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON {TABLE} BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
            continue
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
        )
        op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {TABLE} FOR EACH ROW EXECUTE FUNCTION {name}()")
