"""Score posts with a round's adapter. Only the worker imports this: it opens the door to torch."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sqlalchemy import func, select

from db.queries import prepared_texts
from db.tables import Post
from trainer.score import Scorer
from workbench.project import Project
from workbench.scores import Scores, append_segment, last_scored

SEGMENT = 20_000
"""Posts per Parquet file, sorted by length together; also what a killed worker does again at most."""


@dataclass(frozen=True)
class Scored:
    """How much was scored and how fast."""

    n: int
    seconds: float

    @property
    def posts_per_second(self) -> float:
        return self.n / self.seconds if self.seconds else 0.0


def score_missing(
    project: Project,
    number: int,
    *,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Scored:
    """Score every prepared post that the round's adapter has not scored yet.

    Goes on after the last segment on disk. Stops early, between batches, when `should_stop` says so.
    """
    folder = project.round_folder(number)
    after = last_scored(folder / "scores")
    with project.database.read() as session:
        total = session.scalar(
            select(func.count()).select_from(Post).where(Post.id > after, Post.group_id.is_not(None))
        )
    # Loaded even when nothing is missing: an adapter that cannot score must not be put in use.
    scorer = Scorer.load(folder)
    if not total:
        return Scored(0, 0.0)
    begin, done = time.monotonic(), 0
    while not should_stop():
        with project.database.read() as session:
            posts = session.execute(prepared_texts(after).limit(SEGMENT)).all()
        if not posts:
            break
        before = done
        probabilities = scorer.probabilities(
            [post.text for post in posts],
            on_progress=lambda count, _all: on_progress(before + count, total),  # noqa: B023 - called before the next turn
            should_stop=should_stop,
        )
        after, done = posts[-1].id, done + len(posts)
        append_segment(
            folder / "scores", Scores(np.array([post.id for post in posts], dtype=np.int64), probabilities)
        )
    return Scored(done, time.monotonic() - begin)
