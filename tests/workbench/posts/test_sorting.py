"""Every order is a reordering of the newest hits, a page at a time."""

import pytest

from tests.workbench.making import different_texts, import_texts
from workbench.accounts import Account
from workbench.imports.preparing import prepare
from workbench.posts.search import Filter, find
from workbench.posts.sorting import Order, find_sorted
from workbench.project import Project
from workbench.queue import swap
from workbench.review import bulk_labels, resolutions


@pytest.fixture
def labelled(project: Project, lead: Account) -> dict[int, str]:
    """Labels of three posts of thirty."""
    import_texts(project, lead, different_texts(30))
    prepare(project)
    swap.rebuild(project)
    free = bulk_labels.preview(project, lead, Filter()).post_ids
    labels = dict(zip(free[3:6], ("normal", "violation", "suspicious"), strict=True))
    for post, label in labels.items():
        resolutions.resolve(project, lead, post, label)
    return labels


@pytest.mark.parametrize("order", Order)
def test_pages_of_an_order_hold_each_hit_once(
    project: Project, lead: Account, labelled: dict[int, str], order: Order
) -> None:
    first, among = find_sorted(project, lead, Filter(), order, most=20)
    assert first.after == 20
    second, _ = find_sorted(project, lead, Filter(), order, start=20, most=20)
    assert second.after is None
    posts = [post.post_id for post in (*first.posts, *second.posts)]
    assert among == len(posts) == 30
    assert sorted(posts, reverse=True) == [
        post.post_id for post in find(project, lead, Filter(), most=30).posts
    ]


def test_labels_are_sorted_by_severity_and_posts_without_one_come_last(
    project: Project, lead: Account, labelled: dict[int, str]
) -> None:
    for order, labels in (
        (Order.SEVERE, ["violation", "suspicious", "normal"]),
        (Order.MILD, ["normal", "suspicious", "violation"]),
    ):
        posts = find_sorted(project, lead, Filter(), order)[0].posts
        assert [labelled.get(post.post_id) for post in posts[:4]] == [*labels, None]


def test_only_so_many_of_the_newest_are_sorted(
    project: Project, lead: Account, labelled: dict[int, str]
) -> None:
    newest = [post.post_id for post in find(project, lead, Filter(), most=3).posts]
    page, among = find_sorted(project, lead, Filter(), Order.BOARD, among=3)
    assert among == 3
    assert {post.post_id for post in page.posts} == set(newest)
