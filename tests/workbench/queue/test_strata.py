"""Held-out groups receive their stratum from their first score and keep it."""

import numpy as np
from sqlalchemy import select

from db.tables import Post, PostGroup
from tests.workbench.making import make_champion, ready_queue
from tests.workbench.queue.reading import entries, splits
from workbench.accounts import Account
from workbench.project import Project
from workbench.queue.strata import give_strata
from workbench.queue.swap import rebuild


def test_held_out_groups_get_a_stratum_once_and_strata_take_turns(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 300)
    rng = np.random.default_rng(0)
    first = np.where(rng.random(300) < 0.1, 0.9, 0.01)
    make_champion(project, lead, np.stack([1 - first, np.zeros(300), first], axis=1))
    give_strata(project, 1)
    rebuild(project)

    def strata() -> dict[int, int | None]:
        with project.database.read() as session:
            query = select(Post.id, PostGroup.stratum).join(PostGroup, PostGroup.id == Post.group_id)
            return dict(session.execute(query.where(PostGroup.split != "pool")).all())

    before = strata()
    assert set(before.values()) == {0, 3}
    assert all(before[post] == (3 if first[post - 1] > 0.5 else 0) for post in before)
    by_post = splits(project)
    served = [entry.post_id for entry in entries(project, "held_out") if by_post[entry.post_id] == "test"]
    rare = [before[post] == 3 for post in served]
    assert rare[: 2 * sum(rare)].count(True) == sum(rare)  # alternating while rare ones last
    make_champion(project, lead, np.full((300, 3), 1 / 3), number=2)
    give_strata(project, 2)
    assert strata() == before
