"""The line below the figures of the round in use."""

from types import SimpleNamespace

import pytest

from db.tables import Round
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.views.rounds.test_page import add_round, open_screen, put_in_use, shown
from trainer.selection.forecast import Gain
from trainer.selection.stopping import StoppingHint
from workbench.accounts import Account
from workbench.exports.left_out import LeftOut
from workbench.project import Project
from workbench.rounds.outlook import Outlook

GAIN = Gain(0.0061, (0.0012, 0.0108), (0.003, 0.009))
SETTLED = StoppingHint("settled", (1.0, 0.995, 1.0), -0.001)


@pytest.fixture(autouse=True)
def used(project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    status = SimpleNamespace(
        posts=0,
        labels={},
        not_used=LeftOut(),
        worker=True,
        in_band=0,
        below_band=0,
        widened=0,
        left_out=0,
        partly_scored=None,
        quick_labels=None,
    )
    monkeypatch.setattr("workbench.web.views.rounds.page.read_status", lambda _project: status)
    add_round(project, lead, 1, "promoted")
    put_in_use(project, lead, 1, None)


def foretell(monkeypatch: pytest.MonkeyPatch, hint: StoppingHint, rounds: int = 3) -> None:
    outlook = Outlook(GAIN, 13.6, rounds, 312, hint)
    monkeypatch.setattr("workbench.web.elements.rounds.outlook.read_outlook", lambda _project: outlook)


def test_the_next_hundred_labels_are_told_with_interval_and_minutes(
    lead: Account, visit_as: VisitAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    foretell(monkeypatch, StoppingHint("still changing"))
    visit_as(lead)
    page = shown(open_screen())
    assert "312 new labels since the last round." in page
    assert "The next 100 should bring +0.6 [0.1, 1.1] points of macro-F1, about 14 min." in page
    assert "hardly change" not in page


def test_the_hint_to_stop_is_shown_when_it_is_reached(
    lead: Account, visit_as: VisitAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    foretell(monkeypatch, SETTLED)
    visit_as(lead)
    page = shown(open_screen())
    assert "More labels hardly change the model any more" in page
    assert "together brought -0.1 points" in page


def test_it_is_told_in_chinese(lead: Account, visit_as: VisitAs, monkeypatch: pytest.MonkeyPatch) -> None:
    foretell(monkeypatch, SETTLED)
    visit_as(lead, language="zh")
    page = shown(open_screen())
    assert "上一轮之后新增 312 条标注" in page
    assert "是否停止由你决定" in page


def test_a_single_round_foretells_nothing(lead: Account, visit_as: VisitAs) -> None:
    """Reads a real project."""
    visit_as(lead)
    page = shown(open_screen())
    assert "0 new labels since the last round." in page
    assert "The next 100" not in page


def test_a_round_that_was_not_measured_has_no_line(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    with project.database.write() as session:
        session.get_one(Round, 1).report = {"metrics": None}
    visit_as(lead)
    assert "next 100" not in shown(open_screen())
