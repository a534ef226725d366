"""Messages about rounds, imports and unreadable rows are stored as template and values, not as sentences"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BATCH = 10_000
MESSAGE = sa.JSON(none_as_null=True)
OF_ROUND = ("notes", "failure", "decision_reason")
OURS = {"notes": ("trained elsewhere",), "decision_reason": ("rolled back",)}
"""All else in these columns was written by people: it is the same in every language."""
REJECTIONS = (
    ("columns", re.compile(r"expected (?P<expected>\d+) columns, found (?P<found>\d+)")),
    ("no_text", re.compile(r"no text")),
    ("no_id", re.compile(r"no id")),
    ("too_long", re.compile(r"text of (?P<length>\d+) characters; at most (?P<most>\d+)")),
    ("other_text", re.compile(r"id (?P<id>.*) is already known with another text", re.DOTALL)),
)
"""The sentences that were stored: a purge has to find these rows by their code and id."""


def upgrade() -> None:
    _rounds()
    _failures_of_imports()
    _rejected_rows()


def _rounds() -> None:
    _add_new("round", OF_ROUND)
    table = sa.table(
        "round",
        sa.column("number"),
        *(sa.column(name) for name in OF_ROUND),
        *(sa.column(f"new_{name}", MESSAGE) for name in OF_ROUND),
        *(sa.column(name, MESSAGE) for name in ("report", "verdict")),
    )
    for row in op.get_bind().execute(sa.select(table)).mappings().all():
        values: dict[str, Any] = {
            f"new_{name}": _message(row[name], name) for name in OF_ROUND if row[name] is not None
        }
        if row["verdict"] is not None:
            values["verdict"] = _listed(row["verdict"], "reasons", "warnings")
            reasons = row["verdict"].get("reasons", [])
            if reasons and row["decision_reason"] == "; ".join(reasons):  # the gate's decision
                parts = {"parts": values["verdict"]["reasons"]}
                values["new_decision_reason"] = {"template": "{parts}", "values": parts}
        if row["report"] is not None:
            values["report"] = _listed(row["report"], "warnings")
            if row["report"].get("comparison"):
                values["report"]["comparison"] = _listed(row["report"]["comparison"], "reasons")
        if values:
            op.get_bind().execute(sa.update(table).where(table.c.number == row["number"]).values(values))
    _take_new("round", OF_ROUND)


def _failures_of_imports() -> None:
    _add_new("import", ("failure",))
    table = sa.table("import", sa.column("id"), sa.column("failure"), sa.column("new_failure", MESSAGE))
    for row in op.get_bind().execute(sa.select(table).where(table.c.failure.is_not(None))).all():
        new = _message(row.failure, "failure")
        op.get_bind().execute(sa.update(table).where(table.c.id == row.id).values(new_failure=new))
    _take_new("import", ("failure",))


def _rejected_rows() -> None:
    for column in (sa.Column("code", sa.String()), sa.Column("details", sa.JSON())):
        op.add_column("rejected_row", column)
    op.add_column("rejected_row", sa.Column("external_id", sa.String(), nullable=True))
    table = sa.table(
        "rejected_row",
        *(sa.column(name) for name in ("import_id", "line", "reason", "code", "external_id")),
        sa.column("details", sa.JSON()),
    )
    place = sa.tuple_(table.c.import_id, table.c.line)
    some = sa.select(table.c.import_id, table.c.line, table.c.reason).order_by(*place.clauses).limit(BATCH)
    fill = (
        sa.update(table)
        .where(table.c.import_id == sa.bindparam("of"), table.c.line == sa.bindparam("at"))
        .values({name: sa.bindparam(f"new_{name}") for name in ("code", "details", "external_id")})
    )
    last = (0, 0)
    while rows := op.get_bind().execute(some.where(place > last)).all():
        last = (rows[-1].import_id, rows[-1].line)
        op.get_bind().execute(
            fill, [{"of": row.import_id, "at": row.line, **_rejection(row.reason)} for row in rows]
        )
    with op.batch_alter_table("rejected_row") as batch:
        batch.alter_column("code", existing_type=sa.String(), nullable=False)
        batch.alter_column("details", existing_type=sa.JSON(), nullable=False)
        batch.drop_column("reason")
    is_known = sa.text("external_id IS NOT NULL")
    op.create_index(
        "ix_rejected_row_external_id",
        "rejected_row",
        ["external_id"],
        sqlite_where=is_known,
        postgresql_where=is_known,
    )


def _rejection(sentence: str) -> dict[str, Any]:
    for code, form in REJECTIONS:
        if match := form.fullmatch(sentence):
            values = match.groupdict()
            name = values.pop("id", None)
            details = {key: int(value) for key, value in values.items()}
            return {"new_code": code, "new_details": details, "new_external_id": name}
    return {"new_code": "as_written", "new_details": {"sentence": sentence}, "new_external_id": None}


def _message(sentence: str, column: str) -> dict[str, Any]:
    """A sentence of the program becomes a template without values; what a person wrote a value."""
    if sentence in OURS.get(column, (sentence,)):
        return {"template": sentence, "values": {}}
    return {"template": "{text}", "values": {"text": sentence}}


def _listed(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    lists = {
        name: [{"template": sentence, "values": {}} for sentence in values[name]]
        for name in names
        if name in values
    }
    return {**values, **lists}


def _add_new(table: str, columns: Sequence[str]) -> None:
    for name in columns:
        op.add_column(table, sa.Column(f"new_{name}", MESSAGE, nullable=True))


def _take_new(table: str, columns: Sequence[str]) -> None:
    for name in columns:
        op.drop_column(table, name)
        op.alter_column(table, f"new_{name}", new_column_name=name)
