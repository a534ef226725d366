"""Queries about a few posts do not scan the groups of all, of which there may be ten million."""

import pytest
from sqlalchemy import Select

from db.queries.preparing import sampled_posts
from db.queries.serving import second_opinions_wanted
from db.queries.training import compared_posts, newest_pool_labels
from tests.conftest import Clock
from tests.workbench.making import ready_queue
from tests.workbench.plans import plans_of
from workbench.accounts import Account
from workbench.project import Project

ASKED = {
    "second opinions": second_opinions_wanted(1, Clock()()),
    "newest labels": newest_pool_labels(100),
    "compared posts": compared_posts(range(1, 500)),
    "sampled posts": sampled_posts(range(1, 500)),
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_the_index_of_splits_is_not_where_it_begins(
    project: Project, lead: Account, asked: Select[object]
) -> None:
    ready_queue(project, lead)
    (plan,) = plans_of(project, lambda session: session.execute(asked).all())
    assert any("post_group USING INTEGER PRIMARY KEY" in step for step in plan), plan
    assert not any("ix_post_group_split" in step for step in plan), plan
