"""Boards and the people they are assigned to, groups of people, daily goals"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BATCH = 10_000
COLUMNS = ("board", "forum", "section", "版块", "板块", "论坛")
MOST_BOARDS, LONGEST_NAME = 2_000, 100
IS_OPEN = sa.text("is_answered = 0")


def upgrade() -> None:
    op.create_table(
        "team_group",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_group")),
        sa.UniqueConstraint("name_key", name=op.f("uq_team_group_name_key")),
    )
    op.create_table(
        "group_member",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["team_group.id"], name=op.f("fk_group_member_group_id_team_group")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_group_member_person_id_person")),
        sa.PrimaryKeyConstraint("group_id", "person_id", name=op.f("pk_group_member")),
    )
    op.create_index("ix_group_member_person_id", "group_member", ["person_id"])
    op.create_table(
        "board",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board")),
        sa.UniqueConstraint("name", name=op.f("uq_board_name")),
    )
    _create_assignments()
    op.add_column("person", sa.Column("daily_goal", sa.Integer(), nullable=True))
    op.add_column("person", sa.Column("second_opinion_share", sa.Integer(), nullable=True))
    for table in ("post", "queue_entry"):
        # In SQL: Alembic would copy the whole table for the foreign key.
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN board_id INTEGER "
            f"CONSTRAINT fk_{table}_board_id_board REFERENCES board (id)"
        )
    op.create_index(
        "ix_queue_entry_board",
        "queue_entry",
        ["lane", "board_id", "position"],
        sqlite_where=IS_OPEN,
        postgresql_where=sa.text("NOT is_answered"),
    )
    _fill_boards()


def _create_assignments() -> None:
    foreign = (("board_id", "board"), ("person_id", "person"), ("group_id", "team_group"))
    op.create_table(
        "board_assignment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("board_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(person_id IS NULL) <> (group_id IS NULL)", name=op.f("ck_board_assignment_assignee")
        ),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"{table}.id"], name=op.f(f"fk_board_assignment_{column}_{table}")
            )
            for column, table in foreign
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board_assignment")),
    )
    for column, _table in foreign:
        op.create_index(f"ix_board_assignment_{column}", "board_assignment", [column])


def _fill_boards() -> None:
    """Of prepared posts; the others get their board when they are prepared."""
    board = sa.table("board", sa.column("id"), sa.column("name"))
    post = sa.table("post", sa.column("id"), sa.column("board_id"))
    fill = sa.update(post).where(post.c.id == sa.bindparam("post")).values(board_id=sa.bindparam("board"))
    numbers: dict[str, int] = {}
    for rows in _facts():
        named = [(row.post_id, name) for row in rows if (name := _board(row.facts)) is not None]
        for _post, name in named:
            if name not in numbers and len(numbers) < MOST_BOARDS:
                numbers[name] = len(numbers) + 1
                op.get_bind().execute(sa.insert(board).values(id=numbers[name], name=name))
        values = [{"post": post_id, "board": numbers[name]} for post_id, name in named if name in numbers]
        if values:
            op.get_bind().execute(fill, values)


def _facts() -> Iterator[Sequence[Any]]:
    facts = sa.table("post_facts", sa.column("post_id"), sa.column("facts", sa.JSON))
    post = sa.table("post", sa.column("id"), sa.column("group_id"))
    some = (
        sa.select(facts.c.post_id, facts.c.facts)
        .join(post, post.c.id == facts.c.post_id)
        .where(post.c.group_id.is_not(None))
        .order_by(facts.c.post_id)
        .limit(BATCH)
    )
    last = 0
    while rows := op.get_bind().execute(some.where(facts.c.post_id > last)).all():
        last = rows[-1].post_id
        yield rows


def _board(facts: Mapping[str, Any]) -> str | None:
    """A copy of the function at this revision, so that the migration does not change with the code."""
    values = (str(value).strip() for column, value in facts.items() if column.strip().lower() in COLUMNS)
    name = " ".join(next((value for value in values if value), "").split())
    return name if 0 < len(name) <= LONGEST_NAME else None
