"""Pages state that a round has not scored every post."""

from html import unescape

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.workbench.making import make_champion, ready_queue
from tests.workbench.web.conftest import VisitAs
from workbench.accounts import Account
from workbench.labelling.empty_queue import read_empty_queue
from workbench.project import Project
from workbench.scores.round_scores import Coverage, RoundScores, Scores
from workbench.web.views.label.nothing_to_label import reasons


def rounds_screen() -> None:
    from workbench.web.views.rounds import page as rounds_page  # noqa: PLC0415 - AppTest runs this function's source alone

    rounds_page.show()


def overview_screen() -> None:
    from workbench.web.views.overview import page as overview_page  # noqa: PLC0415 - AppTest runs this function's source alone

    overview_page.show()


@pytest.fixture
def partly(project: Project, lead: Account) -> Project:
    """A round in use that has scored its first 20 posts and none of 1,000 later ones."""
    ready_queue(project, lead, 20)
    make_champion(project, lead, np.full((20, 3), 1 / 3))
    nothing = Scores(np.empty(0, np.int64), np.empty((0, 3), np.float32))
    RoundScores.of(project, 1).append(nothing, Coverage(21, 1_020, 1_000, 0, 0.005, 12))
    return project


def test_the_pages_where_figures_stand_say_how_many_were_scored(
    partly: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    for screen in (rounds_screen, overview_screen):
        app = AppTest.from_function(screen, default_timeout=30).run()
        assert not app.exception
        page = unescape(" ".join(element.proto.body for element in app.get("html")))
        assert "20 of 1,020 posts were scored: this machine is too slow for all in 12 hours." in page
        assert "0.5% of all were drawn at random" in page
    visit_as(lead, language="zh")
    app = AppTest.from_function(rounds_screen, default_timeout=30).run()
    assert "1,020 条帖子中只打了 20 条的分" in unescape(" ".join(one.proto.body for one in app.get("html")))


def test_an_empty_desk_says_how_many_posts_are_not_served(partly: Project, ann: Account) -> None:
    lines = reasons(read_empty_queue(partly, ann), ann)
    assert not any("no score yet" in line for line in lines)  # there is something to label
    with partly.database.write() as session:
        session.connection().exec_driver_sql("delete from queue_entry")
    lines = reasons(read_empty_queue(partly, ann), ann)
    assert "1,000 posts have no score yet and are not served" in lines[-1]
