"""Which posts one scoring pass takes, where this machine is too slow for all of them. Without torch.

The worker asks before it scores (docs/big-pools.md): a cheap model reads every text, the adapter scores what is picked.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func
from sqlalchemy import select as select_columns
from sqlalchemy.orm import Session

from db.queries import prepared_texts, texts_to_pick_from
from db.tables import Post
from trainer.budget import Picker
from trainer.proxy import Proxy
from workbench.jsonl import read_objects
from workbench.project import Project
from workbench.scores import Coverage, begin_pass, unfinished_pass

TAUGHT = 2_000
"""Posts, drawn at random, whose scores teach the cheap model: it ranks better than one taught by labels (measured)."""
FEWEST = 1_000
"""Posts a budget holds at least, however slow the machine."""
PART = 20_000
CHUNK = 2_000
SEED = 20_260_104
JUDGING = ("validation", "test")

Numbers = NDArray[np.int64]
Teach = Callable[[Sequence[str]], NDArray[np.floating]]
"""The adapter: texts in, (n, 3) probabilities out."""


@dataclass(frozen=True)
class Selection:
    """The posts to score in their order; `coverage` is to be noted once they are, None where nothing is left out."""

    numbers: Numbers
    coverage: Coverage | None


def posts_in_time(project: Project, posts_per_second: float) -> int:
    """How many posts a pass may score at this speed."""
    return max(FEWEST, int(project.settings.scoring_hours * 3600 * posts_per_second))


def select(
    project: Project,
    round_number: int,
    after: int,
    budget: int,
    *,
    teach: Teach | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Selection | None:
    """Pick `budget` of the prepared posts above `after`, or all where they fit. None when asked to stop.

    A pass that was killed goes on with what it had picked. `teach` scores some posts for the cheap model to learn
    from; without it, it learns from the rows that the round was trained on.
    """
    folder = project.round_folder(round_number) / "scores"
    if begun := unfinished_pass(folder):
        return Selection(begun[1], begun[0])
    with project.database.read() as session:
        posts, last = _size(session, after)
        if budget >= posts:
            numbers = (
                select_columns(Post.id).where(Post.group_id.is_not(None), Post.id > after).order_by(Post.id)
            )
            return Selection(np.fromiter(session.scalars(numbers), dtype=np.int64), None)
        proxy = _proxy(session, project, round_number, after, last, teach)
        picker, done = Picker(posts, budget), 0
        for rows in _parts(session, after, last):
            if should_stop():
                return None
            _look(picker, proxy, rows)
            done += len(rows)
            on_progress(done, posts)
    picked, rate = picker.picked()
    made = Coverage(after + 1, last, done, len(picked), rate)
    begin_pass(folder, made, picked)
    return Selection(picked, made)


def _size(session: Session, after: int) -> tuple[int, int]:
    query = select_columns(func.count(), func.max(Post.id)).where(Post.group_id.is_not(None), Post.id > after)
    posts, last = session.execute(query).one()
    return posts, last or after


def _look(picker: Picker, proxy: Proxy, rows: Sequence[Any]) -> None:
    """Held-out posts are drawn, never chosen: they stand for all. Labelled ones of these are scored, for the reports;
    those of the pool that are labelled have nothing left to tell."""
    numbers = np.array([row.id for row in rows], dtype=np.int64)
    is_labelled = np.array([row.is_labelled for row in rows], dtype=bool)
    is_pool = np.array([row.split == "pool" for row in rows], dtype=bool)
    is_judging = np.array([row.split in JUDGING for row in rows], dtype=bool)
    taken = picker.draw(numbers, is_judging & is_labelled)
    candidates = np.flatnonzero(is_pool & ~is_labelled & ~taken)
    picker.consider(numbers[candidates], proxy.probabilities([rows[at].text for at in candidates.tolist()]))


def _parts(session: Session, after: int, last: int) -> Iterator[Sequence[Any]]:
    while rows := session.execute(texts_to_pick_from(after).where(Post.id <= last).limit(PART)).all():
        yield rows
        after = rows[-1].id


def _proxy(
    session: Session, project: Project, round_number: int, after: int, last: int, teach: Teach | None
) -> Proxy:
    if teach is None:
        file = project.annotations / f"round-{round_number:04d}" / "train.jsonl"
        rows = [row for _line, row in read_objects(file)]
        return Proxy.learn([row["text"] for row in rows], [row["label"] for row in rows])
    texts = _some_texts(session, after, last)
    return Proxy.imitate(texts, teach(texts))


def _some_texts(session: Session, after: int, last: int) -> list[str]:
    """Of posts drawn by number, the first TAUGHT that are there and prepared."""
    rng = np.random.default_rng(SEED)
    drawn = rng.choice(last - after, min(4 * TAUGHT, last - after), replace=False) + after + 1
    texts: list[str] = []
    for start in range(0, len(drawn), CHUNK):
        wanted = prepared_texts(after).where(Post.id.in_(drawn[start : start + CHUNK].tolist()))
        texts += [row.text for row in session.execute(wanted)]
    return texts[:TAUGHT]
