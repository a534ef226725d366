"""Audit entries form a chain of digests; their numbers follow each other, and rows cannot be replaced either"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BATCH = 10_000
FIELDS = ("id", "at", "person_id", "action", "subject", "detail")


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    _drop_trigger("UPDATE", is_sqlite)
    op.add_column("audit_entry", sa.Column("digest", sa.LargeBinary(), nullable=True))
    _chain()
    with op.batch_alter_table("audit_entry") as batch:
        batch.alter_column("digest", existing_type=sa.LargeBinary(), nullable=False)
    op.create_index("ix_audit_entry_at", "audit_entry", ["at"])
    if is_sqlite:
        for event in ("UPDATE", "DELETE"):
            _forbid(event)  # the copy of the table has no triggers
        _forbid_replacing()
        return
    op.execute(
        "CREATE TRIGGER audit_entry_no_update BEFORE UPDATE ON audit_entry "
        "FOR EACH ROW EXECUTE FUNCTION audit_entry_no_update()"
    )


def _drop_trigger(event: str, is_sqlite: bool) -> None:
    op.execute(f"DROP TRIGGER audit_entry_no_{event.lower()}" + ("" if is_sqlite else " ON audit_entry"))


def _chain() -> None:
    table = sa.table(
        "audit_entry",
        *(sa.column(name) for name in ("id", "person_id", "action", "subject")),
        sa.column("at", sa.DateTime()),
        sa.column("detail", sa.JSON()),
        sa.column("digest", sa.LargeBinary()),
    )
    fill = sa.update(table).where(table.c.id == sa.bindparam("of")).values(digest=sa.bindparam("new"))
    rows = sa.select(*(table.c[name] for name in FIELDS)).order_by(table.c.id).limit(BATCH)
    last, digest = 0, bytes(32)
    while entries := op.get_bind().execute(rows.where(table.c.id > last)).mappings().all():
        digests = []
        for entry in entries:
            digest = _digest(digest, dict(entry))
            digests.append({"of": entry["id"], "new": digest})
        op.get_bind().execute(fill, digests)
        last = entries[-1]["id"]


def _digest(before: bytes, entry: dict[str, Any]) -> bytes:
    at: datetime = entry["at"]
    entry["at"] = at.replace(tzinfo=UTC).isoformat(timespec="microseconds")
    written = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(before + written.encode("ascii")).digest()


def _forbid(event: str) -> None:
    op.execute(
        f"CREATE TRIGGER audit_entry_no_{event.lower()} BEFORE {event} ON audit_entry "
        "BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END"
    )


def _forbid_replacing() -> None:
    """INSERT OR REPLACE deletes a row without the trigger of DELETE. A gap would look like a removed entry."""
    op.execute(
        "CREATE TRIGGER audit_entry_in_order BEFORE INSERT ON audit_entry "
        "WHEN NEW.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM audit_entry) "
        "BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END"
    )
