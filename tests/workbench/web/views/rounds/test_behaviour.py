"""The written cases on the Rounds screen: kinds with few passes first, in the reader's language, for leads."""

import re
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from tests.workbench.rounds.test_behaviour import always, save_behaviour
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.views.rounds.test_page import add_round, html_of, open_screen, shown
from trainer.behaviour.outcome import Failure, Outcome
from workbench.accounts import Account
from workbench.project import Project
from workbench.web.views.rounds.behaviour import SHOWN_FIRST

HOSTILE = "<img src=http://evil.example/i.png> ![x](http://evil.example)"
NORMAL, VIOLATION = 0, 2


@pytest.fixture
def examined(project: Project, lead: Account) -> Project:
    """Round 1 was in use, round 2 awaits a decision, round 3 was not used; only the first two have an outcome."""
    for number, state in ((1, "promoted"), (2, "awaiting"), (3, "rejected")):
        add_round(project, lead, number, state)
    save_behaviour(project, 1, always(NORMAL))
    save_behaviour(project, 2, always(NORMAL, champion=VIOLATION))
    return project


def kinds_of(app: AppTest) -> list[str]:
    return re.findall(r'<details class="kind">.*?</details>', html_of(app), re.DOTALL)


def choice_of(app: AppTest) -> list[str]:
    return next(box.options for box in app.selectbox if box.key == "behaviour-of")


def test_the_round_that_waits_is_shown_beside_the_one_in_use_before(
    examined: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    app = open_screen()
    assert choice_of(app) == ["Round 2", "Round 1"]
    outcome = always(NORMAL, champion=VIOLATION)
    assert f"Round 2 labels {outcome.passed} of {outcome.cases} cases as expected" in shown(app)
    first, *_, last = kinds_of(app)
    assert "0 of 12" in first
    assert "before: 12" in first
    assert 'class="now" style="width:0.00%"' in first
    assert 'class="before" style="width:100.00%"' in first
    assert "12 of 12" in last
    assert "All cases are labelled as expected." in last


def test_a_failing_kind_holds_its_cases_and_what_the_model_says(
    examined: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    insult = next(kind for kind in kinds_of(open_screen()) if "plain insult" in kind)
    assert insult.count('<div class="case">') == 12
    assert "the model says" in insult
    assert 'class="label normal">normal</span> 100%' in insult


def test_kinds_and_labels_are_in_the_readers_language(
    examined: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead, language="zh")
    text = shown(open_screen())
    assert "直接辱骂" in text
    assert "不加掩饰地辱骂他人" in text
    assert "plain insult" not in text


def test_kinds_with_many_passes_are_folded(examined: Project, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    shown_first, folded = html_of(open_screen()).split('<details class="more">')
    assert len(re.findall('class="kind"', shown_first)) == SHOWN_FIRST
    assert "harmless contact" in folded


def test_without_a_round_before_there_is_one_bar(project: Project, lead: Account, visit_as: VisitAs) -> None:
    add_round(project, lead, 1, "promoted")
    save_behaviour(project, 1, always(NORMAL))
    visit_as(lead)
    app = open_screen()
    assert [box for box in app.selectbox if box.key == "behaviour-of"] == []
    assert "before" not in "".join(kinds_of(app))


def test_annotators_and_rounds_without_an_outcome_have_no_such_part(
    examined: Project, ann: Account, visit_as: VisitAs
) -> None:
    visit_as(ann)
    assert kinds_of(open_screen()) == []


def test_a_damaged_file_leaves_the_page_standing(examined: Project, lead: Account, visit_as: VisitAs) -> None:
    save_behaviour(examined, 2, always(NORMAL)).write_text("{", encoding="utf-8")
    visit_as(lead)
    text = shown(open_screen())
    assert "cannot be read" in text
    assert "All rounds" in text


def test_texts_of_a_file_are_escaped(examined: Project, lead: Account, visit_as: VisitAs) -> None:
    kind = always(NORMAL).kinds[0]
    hostile = replace(
        kind, titles={"en": HOSTILE, "zh": ""}, failures=(Failure("x", HOSTILE, "normal", 0.5),)
    )
    save_behaviour(examined, 2, Outcome((hostile,)))
    visit_as(lead)
    app = open_screen()
    assert HOSTILE in shown(app)
    assert "<img" not in html_of(app)
