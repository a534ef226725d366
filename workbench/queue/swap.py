"""Replacing the queue's content after a promotion or an import, or a part of it by a quick model's order.

Each in one short transaction. Claims do not change.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, Table, delete, func, insert, select, update
from sqlalchemy.orm import Session

from db.queries.assigning.boards import assigned_board
from db.tables import Base, Post, QueueEntry, QueueState
from trainer.files import write_text
from trainer.selection.lanes import RANDOM
from trainer.statistics.thresholds import CUTS
from workbench.posts.counting import save_set_aside
from workbench.project import Project
from workbench.queue.claims import note_answers_since
from workbench.queue.plan import Plan, VectorsOf, plan
from workbench.queue.quick_order import QuickOrder, save_quick_order
from workbench.queue.quick_plan import Basis, QuickPlan, groups_that_stay, is_replaced
from workbench.rounds.champion import champion_number


def rebuild(project: Project, *, vectors: VectorsOf | None = None) -> int:
    """Fill the queue from the champion's scores; returns the number of entries. `vectors` diversify the lanes."""
    with project.database.read() as session:
        champion = champion_number(session)
    planned = plan(project, champion, vectors=vectors)
    with replacing(project, planned):
        return len(planned.entries)


@contextmanager
def replacing(project: Project, planned: Plan) -> Iterator[Session]:
    """A write transaction that replaces the queue's content at its end.

    The new rows are staged before the write lock is taken; copying 50,000 of them takes 0.1 s.
    """
    table = Base.metadata.tables[QueueEntry.__tablename__]
    with project.database.write_staged(table, planned.entries) as (session, staged):
        yield session
        _replace(session, project, planned, staged)
    # After the commit: otherwise pages could show figures of a queue that is never stored.
    save_confidence_histogram(project, planned.confidence_histogram)
    save_set_aside(project, planned.set_aside)


def _replace(session: Session, project: Project, planned: Plan, staged: Table) -> None:
    # In SQL: the ORM would load every row.
    connection = session.connection()
    connection.execute(delete(QueueEntry))
    # The join drops posts deleted meanwhile, which no foreign key checks here; both tables have this order.
    is_there = (Post.id == staged.c.post_id) & Post.group_id.is_not(None)
    connection.execute(insert(QueueEntry).from_select(list(staged.c.keys()), _with_boards(staged, is_there)))
    note_answers_since(session, planned.newest_annotation, planned.newest_resolution)
    session.merge(
        QueueState(
            id=1,
            round_number=planned.round_number,
            in_band=planned.band.in_band,
            below_band=planned.band.below_band,
            widened=planned.widened,
            left_out=planned.left_out,
            built_at=project.now(),
        )
    )


def replace_lanes(project: Project, planned: QuickPlan, labels: int) -> bool:
    """Replace the entries of the lanes that a model orders; False if the queue has been rebuilt since the plan.

    `labels`: posts that the model has learned from, for the pages.
    """
    table, basis = Base.metadata.tables[QueueEntry.__tablename__], planned.basis
    with project.database.write_staged(table, planned.entries) as (session, staged):
        state = session.get(QueueState, 1)
        if state is None or (state.built_at, state.round_number) != (basis.built_at, basis.round_number):
            return False
        if basis.random_end is not None:
            _shorten_random(session, basis.random_end)
        _put_in(session, staged, basis)
        note_answers_since(session, basis.newest.annotation, basis.newest.resolution)
    order = QuickOrder(basis.built_at.isoformat(), basis.round_number, labels, basis.newest)
    save_quick_order(project, order)
    return True


def _put_in(session: Session, staged: Table, basis: Basis) -> None:
    connection = session.connection()
    connection.execute(delete(QueueEntry).where(is_replaced(basis)))
    is_free = Post.group_id.is_not(None) & Post.group_id.not_in(groups_that_stay(basis))
    rows = _with_boards(staged, (Post.id == staged.c.post_id) & is_free)
    connection.execute(insert(QueueEntry).from_select(list(staged.c.keys()), rows))


def _with_boards(staged: Table, is_there: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """The staged rows, each with the board of its post if that is assigned to people."""
    board = QueueEntry.board_id.key
    columns = [assigned_board() if column.name == board else column for column in staged.c]
    return select(*columns).join_from(staged, Post, is_there).order_by(staged.c.post_id)


def _shorten_random(session: Session, end: int) -> None:
    """The posts that stay are fewer, so that each had a smaller chance to be among them."""
    lane = QueueEntry.lane == RANDOM
    posts, rest = (
        session.scalar(select(func.count()).select_from(QueueEntry).where(lane, *where)) or 0
        for where in ((), (QueueEntry.position < end,))
    )
    session.execute(
        update(QueueEntry)
        .where(lane, QueueEntry.position < end)
        .values(inclusion_probability=QueueEntry.inclusion_probability * rest / posts),
        execution_options={"synchronize_session": False},
    )


def confidence_histogram(project: Project) -> NDArray[np.int64]:
    """Counts (1001,) of unlabelled posts in each thousandth of confidence, at the latest swap.

    Zeros before the first round. In a file, so that a page which moves the band need not read the pool.
    """
    file = _histogram_file(project)
    try:
        counts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not saved yet
        counts = []
    return np.array(counts or [0] * (len(CUTS) - 1), dtype=np.int64)


def save_confidence_histogram(project: Project, counts: Sequence[int]) -> None:
    write_text(_histogram_file(project), json.dumps(list(counts)))


def _histogram_file(project: Project) -> Path:
    return project.data / "waiting.json"
