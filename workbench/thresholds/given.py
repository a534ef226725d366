"""The verdicts that the forum has: a file of only what is new leaves out those it was given last.

A verdict counts as given once its file is written. A process that is killed in between gives it again.
"""

import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db.session import leave_room
from db.tables import GivenVerdict, Post
from trainer.statistics.thresholds import VERDICTS, Verdict
from workbench.project import Project

ROWS_AT_ONCE = 20_000
TABLE = GivenVerdict.metadata.tables[GivenVerdict.__tablename__]


@dataclass
class Given:
    """Verdicts of a file that the forum did not have. Nine bytes a post: there may be ten million."""

    new: int = 0
    changed: int = 0
    _posts: "array[int]" = field(default_factory=lambda: array("q"))
    _verdicts: bytearray = field(default_factory=bytearray)

    def add(self, post_id: int, verdict: Verdict, before: str | None) -> None:
        self.new += before is None
        self.changed += before is not None
        self._posts.append(post_id)
        self._verdicts.append(VERDICTS.index(verdict))

    def chunks(self) -> Iterator[list[tuple[int, Verdict]]]:
        for start in range(0, len(self._posts), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            names = (VERDICTS[position] for position in self._verdicts[part])
            yield list(zip(self._posts[part], names, strict=True))


def verdicts_given(session: Session, first_post: int, last_post: int) -> dict[int, str]:
    query = select(GivenVerdict.post_id, GivenVerdict.verdict)
    rows = session.execute(query.where(GivenVerdict.post_id.between(first_post, last_post)))
    return {row.post_id: row.verdict for row in rows}


def remember(project: Project, given: Given, policy_version: int) -> None:
    """In short transactions. Posts that were purged meanwhile are left out."""
    columns = ["post_id", "verdict", "policy_version"]
    for rows in given.chunks():
        began = time.monotonic()
        values = [(*row, policy_version) for row in rows]
        with project.database.write_staged(TABLE, values) as (session, staged):
            present = select(staged).join(Post, Post.id == staged.c.post_id)
            session.execute(insert(GivenVerdict).prefix_with("OR REPLACE").from_select(columns, present))
        leave_room(began)
