"""Which posts one scoring pass takes, where this machine is too slow for all of them. Without torch.

The worker asks before it scores (docs/big-pools.md): a cheap model reads every text, the adapter scores what is picked.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from db.bulk import IDS_AT_ONCE
from db.queries.preparing import prepared_texts, texts_to_pick_from
from db.tables import Post
from trainer.chunks import in_chunks
from trainer.linear.proxy import Proxy
from trainer.selection.budget import Picker
from workbench.project import Project
from workbench.scores.picks import Pick
from workbench.scores.round_scores import Coverage

TAUGHT = 2_000
"""Posts, drawn at random, whose scores teach the cheap model: it ranks better than one taught by labels (measured)."""
FEWEST = 1_000
"""Posts a budget holds at least, however slow the machine."""
PART = 20_000
SEED = 20_260_104
JUDGING = ("validation", "test")

Numbers = NDArray[np.int64]
Teach = Callable[[Sequence[str]], NDArray[np.floating]]
"""The adapter: texts in, (n, 3) probabilities out."""


def posts_in_time(project: Project, posts_per_second: float) -> int:
    """How many posts a pass may score at this speed."""
    return max(FEWEST, int(project.settings.scoring_hours * 3600 * posts_per_second))


def pick(
    project: Project,
    after: int,
    budget: int,
    *,
    teach: Teach,
    should_stop: Callable[[], bool] = lambda: False,
) -> Pick | None:
    """Pick `budget` of the prepared posts above `after`; None when asked to stop.

    `teach` scores some posts for the cheap model to learn from. Posts are read in steps with a snapshot each: people
    write meanwhile.
    """
    posts, last = _size(project, after)
    texts = _some_texts(project, after, last)
    proxy, picker, done = Proxy.imitate(texts, teach(texts)), Picker(posts, budget), 0
    for rows in _parts(project, after, last):
        if should_stop():
            return None
        _look(picker, proxy, rows)
        done += len(rows)
    picked, rate = picker.picked()
    hours = project.settings.scoring_hours
    return Pick(picked, Coverage(after + 1, last, done, len(picked), rate, hours))


def _size(project: Project, after: int) -> tuple[int, int]:
    query = select(func.count(), func.max(Post.id)).where(Post.group_id.is_not(None), Post.id > after)
    with project.database.read() as session:
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


def _parts(project: Project, after: int, last: int) -> Iterator[Sequence[Any]]:
    while True:
        with project.database.read() as session:
            rows = session.execute(texts_to_pick_from(after).where(Post.id <= last).limit(PART)).all()
        if not rows:
            return
        yield rows
        after = rows[-1].id


def _some_texts(project: Project, after: int, last: int) -> list[str]:
    """Of posts drawn by number, the first TAUGHT that are there and prepared."""
    rng = np.random.default_rng(SEED)
    drawn = rng.choice(last - after, min(4 * TAUGHT, last - after), replace=False) + after + 1
    texts: list[str] = []
    with project.database.read() as session:
        for some in in_chunks(drawn.tolist(), IDS_AT_ONCE):
            wanted = prepared_texts(after).where(Post.id.in_(some))
            texts += [row.text for row in session.execute(wanted)]
    return texts[:TAUGHT]
