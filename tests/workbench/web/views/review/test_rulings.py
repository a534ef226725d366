"""From a case to a ruling, and the look at older labels, on the Review screen."""

import pytest
from streamlit.testing.v1 import AppTest

from db.tables import PostText
from tests.workbench.making import add_label, posts_of, ready_queue
from tests.workbench.review.ruled import draft
from tests.workbench.team import member
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.views.review.test_page import (
    HOSTILE,
    decisions,
    keys,
    open_screen,
    open_section,
    press,
    raw,
    shown,
)
from workbench.accounts import Account
from workbench.labelling import guidelines
from workbench.project import Project
from workbench.review import rulings


@pytest.fixture
def posts(project: Project, lead: Account, ann: Account, visit_as: VisitAs) -> list[int]:
    """Ann has asked about the first and labelled the others."""
    ready_queue(project, lead)
    case, *others = posts_of(project, "pool")[:4]
    add_label(project, ann, case, "suspicious", is_flagged=True)
    for post in others:
        add_label(project, ann, post, "normal")
    visit_as(lead)
    return [case, *others]


@pytest.fixture
def ruled(project: Project, lead: Account, posts: list[int]) -> int:
    case, *others = posts
    wanted = draft(case, title=HOSTILE, kind=HOSTILE, words="", examples=frozenset(others))
    return rulings.settle(project, lead, wanted)


def click(app: AppTest, key: str) -> None:
    app.button(key=key).click().run()
    assert not app.exception


def write(app: AppTest, case: int) -> None:
    app.text_input(key=f"ruling-title-{case}").set_value("half an address")
    app.text_area(key=f"ruling-kind-{case}").set_value("Part of a contact address.")
    app.selectbox(key=f"ruling-label-{case}").set_value("violation")


def words_of(project: Project, post: int) -> str:
    with project.database.read() as session:
        return session.get_one(PostText, post).text[:3]


def test_a_lead_sees_what_a_ruling_touches_before_it_is_in_force(
    project: Project, lead: Account, posts: list[int]
) -> None:
    case, other, *_ = posts
    app = open_screen()
    write(app, case)
    app.text_input(key=f"ruling-words-{case}").set_value(words_of(project, other))
    click(app, "ruling-look")
    assert '1 labelled posts would come back for a look at <span class="label violation">' in shown(app)
    assert rulings.listed_rulings(project, lead) == []
    click(app, "ruling-settle")
    assert "The ruling is in force" in shown(app)
    assert decisions(project) == [(case, "violation", "half an address")]
    (ruling,) = rulings.listed_rulings(project, lead)
    assert (ruling.title, ruling.left) == ("half an address", 1)


def test_a_draft_that_changed_after_the_look_must_be_looked_at_again(
    project: Project, lead: Account, posts: list[int]
) -> None:
    app = open_screen()
    write(app, posts[0])
    click(app, "ruling-look")
    app.text_input(key=f"ruling-title-{posts[0]}").set_value("another").run()
    assert "ruling-settle" not in [button.key for button in app.button]


def test_an_empty_draft_is_refused_in_words(posts: list[int]) -> None:
    app = open_screen()
    click(app, "ruling-look")
    assert "Choose the label that the ruling gives." in shown(app)
    app.selectbox(key=f"ruling-label-{posts[0]}").set_value("violation")
    click(app, "ruling-look")
    assert "A ruling needs a title of 1 to 80 characters" in shown(app)


def test_old_labels_are_kept_changed_and_taken_back_by_key(
    project: Project, posts: list[int], ruled: int
) -> None:
    app = open_screen()
    assert "Old label, new rule (3)" in app.segmented_control(key="review-section").options
    open_section(app, "old-labels")
    assert "labels from before a ruling: 3" in shown(app)
    newest = posts[-1]
    assert keys(app)["keys"]["k"] == f"answer normal 0 {ruled}"
    assert keys(app)["subject"] == newest
    press(app, "answer-normal")
    press(app, "answer-violation")
    assert {(post, label) for post, label, _reason in decisions(project)} == {
        (posts[0], "violation"),
        (newest, "normal"),
        (posts[-2], "violation"),
    }
    assert keys(app)["subject"] == posts[1]
    press(app, "undo")
    assert keys(app)["subject"] == posts[-2]
    press(app, "later")
    assert keys(app)["subject"] == posts[1]


def test_many_are_settled_together(project: Project, posts: list[int], ruled: int) -> None:
    app = open_screen()
    open_section(app, "old-labels")
    click(app, next(one.key for one in app.button if one.key and one.key.startswith("many-change-")))
    assert "3 posts are settled." in shown(app)
    assert "No label contradicts a ruling." in shown(app)
    assert {label for _post, label, _reason in decisions(project)} == {"violation"}


def test_rulings_are_listed_as_text_extended_and_withdrawn(
    project: Project, lead: Account, ann: Account, posts: list[int], ruled: int
) -> None:
    app = open_screen()
    open_section(app, "old-labels")
    assert "Rulings in force: 1" in [one.label for one in app.expander]
    assert "<script>" not in raw(app)
    assert "&lt;script&gt;" in raw(app)
    click(app, f"ruling-again-{ruled}")
    assert "0 more labels come back for a look." in shown(app)
    click(app, f"ruling-withdraw-now-{ruled}")
    assert "Rulings in force: 0" in [one.label for one in app.expander]
    assert "No label contradicts a ruling." in shown(app)
    with project.database.read() as session:
        assert guidelines.rulings_in_force(session) == []


def test_a_reviewer_is_not_offered_a_ruling(project: Project, posts: list[int], visit_as: VisitAs) -> None:
    visit_as(member(project, "Zhou", "reviewer"))
    assert [one.label for one in open_screen().expander] == ["Ask the annotator"]


def test_a_reviewer_looks_at_old_labels_and_withdraws_no_ruling(
    project: Project, ruled: int, visit_as: VisitAs
) -> None:
    visit_as(member(project, "Zhou", "reviewer"))
    app = open_screen()
    open_section(app, "old-labels")
    assert "Rulings in force: 1" in [one.label for one in app.expander]
    assert not [one.key for one in app.button if one.key and one.key.startswith("ruling-")]
    press(app, "answer-violation")
    assert "violation" in {label for _post, label, _reason in decisions(project)}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_without_a_ruling_the_section_says_so(
    project: Project, lead: Account, visit_as: VisitAs, language: str
) -> None:
    visit_as(lead, language=language)
    app = open_screen()
    open_section(app, "old-labels")
    assert {"en": "No label contradicts a ruling.", "zh": "没有与裁定不符的标签。"}[language] in shown(app)
    assert not app.expander
