"""Strata of held-out groups, assigned by the first score of each group."""

import time

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import bindparam, update

from db.queries.preparing import first_posts, groups_of_split
from db.session import leave_room
from db.tables import PostGroup
from trainer.chunks import in_chunks
from trainer.labels import Label
from trainer.selection.strata import DRAWN, strata
from workbench.project import Project
from workbench.queue.servable import HELD_OUT_SPLITS
from workbench.scores.round_scores import RoundScores

CHUNK = 2_000
GROUPS_AT_ONCE = 100_000


def give_strata(project: Project, round_number: int) -> None:
    """Assign a stratum to every held-out group without one. It never changes afterwards.

    If not all posts were scored, only randomly drawn ones get a stratum: posts labelled earlier were scored as
    well, but are no random part of their stratum.
    """
    scores = RoundScores.of(project, round_number)
    for split in HELD_OUT_SPLITS:
        with project.database.read() as session:
            wanted = groups_of_split(split).where(PostGroup.stratum.is_(None)).order_by(PostGroup.id)
            numbers = session.scalars(wanted.execution_options(yield_per=GROUPS_AT_ONCE))
            groups = np.fromiter(numbers, np.int64)
        for start in range(0, len(groups), GROUPS_AT_ONCE):
            _give_strata(project, scores, groups[start : start + GROUPS_AT_ONCE])


def _give_strata(project: Project, scores: RoundScores, groups: NDArray[np.int64]) -> None:
    group_of: dict[int, int | None] = {}
    for some in in_chunks(groups.tolist(), CHUNK):
        with project.database.read() as session:
            rows = session.execute(first_posts(some))
            group_of |= {post: group for group, post in rows}
    firsts = np.array(sorted(group_of), np.int64)
    first_scores = scores.read_of(firsts[scores.is_fair(firsts)])
    numbers = strata(first_scores.probabilities[:, Label.VIOLATION.position])
    numbers += np.where(scores.was_left_out(first_scores.post_ids), DRAWN, 0)
    values = (
        {"group": group_of[post], "stratum": stratum}
        for post, stratum in zip(first_scores.post_ids.tolist(), numbers.tolist(), strict=True)
    )
    change = update(PostGroup).where(PostGroup.id == bindparam("group")).values(stratum=bindparam("stratum"))
    for changes in in_chunks(values, CHUNK):
        began = time.monotonic()
        with project.database.write() as session:
            session.connection().execute(change, changes)
        leave_room(began)
