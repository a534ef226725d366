"""The boards of new posts: each gets a number when its first post is prepared."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import Board
from workbench.imports.facts import fact_of

MOST_BOARDS = 2_000
"""A file whose column is no board must not fill the pages with names. Posts of further boards have none."""
LONGEST_NAME = 100


class Boards:
    """The known boards, for the posts of one chunk; only the worker adds some."""

    def __init__(self, session: Session) -> None:
        self._numbers = dict(session.execute(select(Board.name, Board.id)).all())

    def place(self, facts: Mapping[str, Any]) -> tuple[int | None, tuple[int, str] | None]:
        """The number of the post's board, and the row of a board that it is the first post of."""
        name = board_name(facts)
        if name is None or (name not in self._numbers and len(self._numbers) >= MOST_BOARDS):
            return None, None
        if name in self._numbers:
            return self._numbers[name], None
        number = self._numbers[name] = max(self._numbers.values(), default=0) + 1
        return number, (number, name)


def board_name(facts: Mapping[str, Any]) -> str | None:
    """Without needless spaces; None without a board, or with a name that nobody would give one."""
    name = " ".join((fact_of(facts, "board") or "").split())
    return name if 0 < len(name) <= LONGEST_NAME else None
