"""A post is shown with its neighbours in the thread, without labels or scores."""

from collections.abc import Sequence
from dataclasses import fields

import pytest
from sqlalchemy import select

from db.tables import Post, PostFacts
from tests.workbench.making import write_tsv
from tests.workbench.plans import plans_of
from workbench.accounts import Account
from workbench.imports.facts import thread_key
from workbench.imports.intake import import_rows
from workbench.imports.storing import store_waiting
from workbench.imports.tsv import open_tsv
from workbench.posts.thread import Around, Neighbour, around
from workbench.project import Project

HEADER = ("id", "text", "board", "title", "author", "time")


def bring(project: Project, lead: Account, posts: Sequence[tuple[str, str]], name: str = "posts") -> None:
    """`posts`: (id, title of the thread) each."""
    rows = [
        dict(zip(HEADER, (name, f"文 {name}", "灌水", title, f"{name} 的作者", "09:00"), strict=True))
        for name, title in posts
    ]
    with open_tsv(write_tsv(project.home / f"{name}.tsv", rows)) as source:
        import_rows(project, lead, source)
    store_waiting(project)


def post_id(project: Project, name: str) -> int:
    with project.database.read() as session:
        return session.scalars(select(Post.id).where(Post.external_id == name)).one()


def around_of(project: Project, name: str) -> Around:
    number = post_id(project, name)
    with project.database.read() as session:
        return around(session, number)


def names(posts: Sequence[Neighbour]) -> list[str]:
    return [post.external_id for post in posts]


def test_the_two_nearest_on_each_side_are_found_in_order(project: Project, lead: Account) -> None:
    bring(project, lead, [(f"a{n}", "求助") for n in range(7)])
    nearest = around_of(project, "a3")
    assert names(nearest.before) == ["a1", "a2"]
    assert names(nearest.after) == ["a4", "a5"]
    assert nearest.after[0] == Neighbour("a4", "文 a4", "a4 的作者", "09:00")


def test_posts_of_other_threads_in_between_are_passed_over(project: Project, lead: Account) -> None:
    bring(project, lead, [("a0", "求助"), ("b0", "闲聊"), ("a1", "求助"), ("b1", "闲聊"), ("c0", "")])
    bring(project, lead, [("a2", "求助")], "later")
    assert names(around_of(project, "a1").before) == ["a0"]
    assert names(around_of(project, "a1").after) == ["a2"]
    assert around_of(project, "b1") == Around((Neighbour("b0", "文 b0", "b0 的作者", "09:00"),), ())


def test_a_post_without_a_thread_stands_alone(project: Project, lead: Account) -> None:
    bring(project, lead, [("c0", ""), ("c1", " "), ("c2", "")])
    assert around_of(project, "c1") == Around()
    with open_tsv(write_tsv(project.home / "bare.tsv", [{"id": "d", "text": "文"}])) as source:
        import_rows(project, lead, source)
    store_waiting(project)
    assert around_of(project, "d") == Around()


def test_an_import_keeps_the_key_of_each_thread(project: Project, lead: Account) -> None:
    bring(project, lead, [("a0", "求助"), ("c0", "")])
    with project.database.read() as session:
        stored = dict(session.execute(select(PostFacts.post_id, PostFacts.thread_key)).all())
    assert stored == {1: thread_key({"board": "灌水", "title": "求助"}), 2: None}


def test_a_neighbour_has_no_room_for_labels_or_opinions() -> None:
    assert {field.name for field in fields(Neighbour)} == {"external_id", "text", "author", "time"}


@pytest.mark.parametrize("is_analysed", [False, True])
def test_neighbours_are_found_by_the_index(project: Project, lead: Account, is_analysed: bool) -> None:
    bring(project, lead, [(f"a{n}", f"题 {n % 20}") for n in range(60)])
    if is_analysed:
        with project.database.engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
    plans = plans_of(project, lambda session: around(session, 30))
    assert len(plans) == 3
    for plan, compared in zip(plans[1:], ("post_id<?", "post_id>?"), strict=True):
        assert any(f"ix_post_facts_thread_key (thread_key=? AND {compared})" in step for step in plan), plan
        assert not [step for step in plan if "TEMP B-TREE" in step or step.startswith("SCAN post")], plan
