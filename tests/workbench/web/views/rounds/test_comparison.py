"""Comparison of two ticked rounds on the Rounds screen: for leads, with posts exactly as written."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from db.tables import Round
from tests.workbench.making import add_policy, different_texts, import_texts, make_champion
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.views.rounds.test_page import METRICS, html_of, screen, shown
from workbench.accounts import Account
from workbench.imports.preparing import prepare
from workbench.project import Project

HOSTILE = "<img src=http://evil.example/i.png> ![x](http://evil.example)"


@pytest.fixture
def compared(project: Project, lead: Account) -> Project:
    import_texts(project, lead, [f"{text} {HOSTILE}" for text in different_texts(60)])
    prepare(project)
    make_champion(project, lead, np.array([[0.9, 0.05, 0.05]] * 60))
    make_champion(project, lead, np.array([[0.1, 0.1, 0.8]] * 60), number=2)
    with project.database.write() as session:
        for number in (1, 2):
            session.get_one(Round, number).report = {"metrics": METRICS, "test_sha256": str(number)}
    return project


def open_with(ticked: list[int]) -> AppTest:
    app = AppTest.from_function(screen, default_timeout=20)
    app.session_state["compared"] = ticked
    app.run()
    assert not app.exception
    return app


def test_two_ticked_rounds_stand_side_by_side(compared: Project, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app = open_with([2, 1])
    text = shown(app)
    assert "60 of 60 posts changed their verdict." in text
    assert "round 1 ↓  round 2 →" in text
    assert "not measured on the same test posts" in text
    assert text.count("people ↓  model →") >= 2
    assert HOSTILE not in text
    cells = [button for button in app.button if button.key.startswith("flip-")]
    assert [(cell.key, cell.label) for cell in cells] == [
        ("flip-normal-to-violation", "60 *normal → violation*")
    ]
    cells[0].click().run()
    assert "normal → violation: the 20 largest changes at most" in shown(app)


def test_a_posts_text_is_escaped(compared: Project, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app = open_with([1, 2])
    next(button for button in app.button if button.key == "flip-normal-to-violation").click().run()
    assert "evil.example" not in "".join(element.value for element in app.markdown)
    assert HOSTILE in shown(app)
    assert "<img" not in html_of(app)


@pytest.mark.parametrize("ticked", [[], [1]])
def test_fewer_than_two_compare_nothing(
    compared: Project, lead: Account, visit_as: VisitAs, ticked: list[int]
) -> None:
    visit_as(lead)
    assert "changed their verdict" not in shown(open_with(ticked))


def test_annotators_are_offered_no_comparison(compared: Project, ann: Account, visit_as: VisitAs) -> None:
    visit_as(ann)
    app = open_with([1, 2])
    assert "Compare two rounds" not in shown(app)
    assert "changed their verdict" not in shown(app)


def test_another_band_is_counted_anew(compared: Project, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app = open_with([1, 2])
    assert "Model unsure (certainty 0.40 to 0.60): 0 posts before" in shown(app)
    add_policy(compared, lead, band_low=0.85, band_high=0.92)
    assert "Model unsure (certainty 0.85 to 0.92): 60 posts before" in shown(app.run())
