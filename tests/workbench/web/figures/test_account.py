"""The sessions of My account, recomputed from their rows."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from tests.conftest import Clock
from tests.workbench.team import token_of
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.figures.plain import plain
from workbench.accounts import Account
from workbench.people import sessions
from workbench.project import Project


def screen() -> None:
    from workbench.web.views.account import page  # noqa: PLC0415 - AppTest runs this function's source alone

    page.show()


@pytest.fixture
def app(project: Project, ann: Account, ben: Account, visit_as: VisitAs, clock: Clock) -> AppTest:
    """Ann's: one too old though in use, one idle too long, one ended, two open and this one; and one of Ben."""
    hours = project.settings.session_idle_hours
    begun, used = clock(), token_of(project, ann)
    while clock() - begun <= timedelta(days=project.settings.session_days) - timedelta(hours=hours):
        clock.move(hours=hours - 1)
        assert sessions.find(project, used)
    token_of(project, ann)  # idle from here on
    clock.move(hours=hours, minutes=1)
    for person in (ben, ann, ann, ann):
        token = token_of(project, person)
        clock.move(minutes=7)
    ended = sessions.find(project, token)
    assert ended is not None
    sessions.sign_out(project, ended)
    visit_as(ann)
    return AppTest.from_function(screen, default_timeout=20).run()


def open_rows(project: Project, ann: Account) -> list[tuple[datetime, datetime]]:
    """(began, last used) of Ann's sessions, newest first."""
    settings, now = project.settings, project.now().replace(tzinfo=None)
    query = text("SELECT id, started_at, seen_at, ended_at FROM web_session WHERE person_id = :person")
    with project.database.read() as session:
        rows = session.execute(query, {"person": ann.id}).all()
    times = [
        (row.id, datetime.fromisoformat(row.started_at), datetime.fromisoformat(row.seen_at))
        for row in rows
        if row.ended_at is None
    ]
    still = [
        (number, began, seen)
        for number, began, seen in times
        if (now - seen).total_seconds() <= 3_600 * settings.session_idle_hours
        and (now - began).total_seconds() <= 86_400 * settings.session_days
    ]
    assert (len(rows), len(times), len(still)) == (6, 5, 3)
    return [(began, seen) for _number, began, seen in sorted(still, reverse=True)]


def test_the_sessions_listed_are_those_not_ended_by_hand_or_by_time(
    app: AppTest, project: Project, ann: Account
) -> None:
    page = plain(app)
    times = [
        f"<span>since {began:%Y-%m-%d %H:%M}</span><span>last used {seen:%Y-%m-%d %H:%M}</span>"
        for began, seen in open_rows(project, ann)
    ]
    assert page.count('<div class="session">') == len(times)
    places = [page.index(one) for one in times]
    assert places == sorted(places)


def test_the_sessions_ended_are_the_others_that_were_listed(
    app: AppTest, project: Project, ann: Account
) -> None:
    others = len(open_rows(project, ann)) - 1
    app.button(key="account-end-others").click().run()
    assert f"Sessions ended: {others}." in plain(app)
    assert plain(app).count('<div class="session">') == 1
