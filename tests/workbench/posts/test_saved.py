"""Saved searches belong to one person, and hold what the search held."""

import pytest

from workbench.accounts import Account
from workbench.errors import InputError
from workbench.posts.saved import MOST, Saved, forget, save, saved_searches
from workbench.posts.search import Filter
from workbench.project import Project

WHOLE = Filter("微信", "violation", "闲聊", (0.4, 0.6), "random", 3, 2)


def test_a_search_comes_back_as_it_was_to_its_owner_alone(
    project: Project, lead: Account, ann: Account
) -> None:
    save(project, lead, "  广告  贴 ", WHOLE)
    save(project, lead, "b", Filter(label="none"))
    assert saved_searches(project, lead) == [Saved("b", Filter(label="none")), Saved("广告 贴", WHOLE)]
    assert saved_searches(project, ann) == []
    forget(project, ann, "b")
    assert len(saved_searches(project, lead)) == 2
    forget(project, lead, "b")
    assert saved_searches(project, lead) == [Saved("广告 贴", WHOLE)]


def test_a_name_that_is_taken_holds_the_newer_search(project: Project, lead: Account) -> None:
    save(project, lead, "a", WHOLE)
    save(project, lead, "a", Filter(text="x"))
    assert saved_searches(project, lead) == [Saved("a", Filter(text="x"))]


def test_what_cannot_be_saved_is_said(project: Project, lead: Account) -> None:
    with pytest.raises(InputError, match="name of 1 to 40"):
        save(project, lead, " ", WHOLE)
    with pytest.raises(InputError, match="Choose what to search for"):
        save(project, lead, "a", Filter())
    for number in range(MOST):
        save(project, lead, f"{number}", WHOLE)
    with pytest.raises(InputError, match="Delete one first"):
        save(project, lead, "one more", WHOLE)
