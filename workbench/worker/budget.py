"""Selection of the posts of a scoring pass if the machine is too slow for all of them (docs/big-pools.md).

A cheap proxy model reads every text; the adapter scores the posts that are picked.
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

PROXY_TEXTS = 2_000
"""Random posts whose adapter scores train the proxy, which then ranks better than one trained on labels (measured)."""
SMALLEST_BUDGET = 1_000
"""In posts, regardless of the speed."""
POSTS_PER_READ = 20_000
SEED = 20_260_104
EVALUATION_SPLITS = ("validation", "test")

Numbers = NDArray[np.int64]
Teach = Callable[[Sequence[str]], NDArray[np.floating]]
"""The adapter: texts in, (n, 3) probabilities out."""


def posts_in_time(project: Project, posts_per_second: float) -> int:
    return max(SMALLEST_BUDGET, int(project.settings.scoring_hours * 3600 * posts_per_second))


def pick(
    project: Project,
    after: int,
    budget: int,
    *,
    teach: Teach,
    should_stop: Callable[[], bool] = lambda: False,
) -> Pick | None:
    """Pick `budget` of the prepared posts with a number above `after`; returns None if `should_stop`.

    `teach` scores the training rows of the proxy. Each batch of posts has a read transaction of its own, because a long
    one would block WAL checkpoints while people label.
    """
    posts, last = _size(project, after)
    texts = _random_texts(project, after, last)
    proxy, picker, done = Proxy.imitate(texts, teach(texts)), Picker(posts, budget), 0
    for rows in _batches(project, after, last):
        if should_stop():
            return None
        _consider(picker, proxy, rows)
        done += len(rows)
    picked, rate = picker.picked()
    hours = project.settings.scoring_hours
    return Pick(picked, Coverage(after + 1, last, done, len(picked), rate, hours))


def _size(project: Project, after: int) -> tuple[int, int]:
    query = select(func.count(), func.max(Post.id)).where(Post.group_id.is_not(None), Post.id > after)
    with project.database.read() as session:
        posts, last = session.execute(query).one()
    return posts, last or after


def _consider(picker: Picker, proxy: Proxy, rows: Sequence[Any]) -> None:
    """Held-out posts represent the pool, so they are drawn at random and never candidates. Labelled ones of validation
    and test are always scored, for the reports; labelled pool posts are not candidates, as nothing is left to label."""
    numbers = np.array([row.id for row in rows], dtype=np.int64)
    is_labelled = np.array([row.is_labelled for row in rows], dtype=bool)
    is_pool = np.array([row.split == "pool" for row in rows], dtype=bool)
    is_evaluation = np.array([row.split in EVALUATION_SPLITS for row in rows], dtype=bool)
    taken = picker.draw(numbers, is_evaluation & is_labelled)
    candidates = np.flatnonzero(is_pool & ~is_labelled & ~taken)
    picker.consider(numbers[candidates], proxy.probabilities([rows[at].text for at in candidates.tolist()]))


def _batches(project: Project, after: int, last: int) -> Iterator[Sequence[Any]]:
    while True:
        with project.database.read() as session:
            rows = session.execute(
                texts_to_pick_from(after).where(Post.id <= last).limit(POSTS_PER_READ)
            ).all()
        if not rows:
            return
        yield rows
        after = rows[-1].id


def _random_texts(project: Project, after: int, last: int) -> list[str]:
    """At most PROXY_TEXTS texts. More numbers are drawn, because some posts are purged or not prepared."""
    rng = np.random.default_rng(SEED)
    drawn = rng.choice(last - after, min(4 * PROXY_TEXTS, last - after), replace=False) + after + 1
    texts: list[str] = []
    with project.database.read() as session:
        for some in in_chunks(drawn.tolist(), IDS_AT_ONCE):
            wanted = prepared_texts(after).where(Post.id.in_(some))
            texts += [row.text for row in session.execute(wanted)]
    return texts[:PROXY_TEXTS]
