"""My account: the password, and where one is signed in."""

from html import unescape

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from db.tables import Person, WebSession
from tests.workbench.team import PASSWORD, VISITOR, give_password, token_of
from tests.workbench.web.conftest import VisitAs
from workbench.accounts import Account
from workbench.people import entering, sessions
from workbench.people.sessions import Visitor
from workbench.project import Project

NEW = "another four words here"
HOSTILE = "<img src=x onerror=alert(1)> Firefox/1"


def screen() -> None:
    from workbench.web.views.account import page  # noqa: PLC0415 - AppTest runs this function's source alone

    page.show()


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(screen, default_timeout=10)


def shown(app: AppTest) -> str:
    assert not app.exception
    return unescape(" ".join(element.proto.body for element in app.get("html")))


def change(app: AppTest, old: str, new: str) -> str:
    app.text_input(key="account-old").set_value(old)
    app.text_input(key="account-new").set_value(new)
    app.button[0].click()
    return shown(app.run())


def come_in(project: Project, account: Account, means: str, browser: str = "") -> int:
    """Returns the number of the new session."""
    with project.database.write() as session:
        token = sessions.begin(
            session, project, session.get_one(Person, account.id), means, Visitor("192.0.2.9", browser)
        )
    found = sessions.find(project, token)
    assert found is not None
    return found.session_id


def test_a_new_password_is_taken_after_the_old_one(
    app: AppTest, project: Project, ann: Account, visit_as: VisitAs
) -> None:
    give_password(project, ann)
    elsewhere = come_in(project, ann, "password")
    visit_as(ann)
    app.run()
    assert "The old password is wrong." in change(app, "not the old one", NEW)
    assert "easily guessed" in change(app, PASSWORD, "password1234")
    assert "your other sessions have ended" in change(app, PASSWORD, NEW)
    assert sessions.ended_of(project, [elsewhere]) == {elsewhere}
    assert entering.sign_in(project, "Ann", NEW, VISITOR)[0] == ann
    assert all(field.value == "" for field in app.text_input)


def test_who_came_in_without_a_password_sees_no_form_for_one(
    app: AppTest, project: Project, ann: Account, visit_as: VisitAs
) -> None:
    visit_as(ann)
    assert len(app.run().text_input) == 2
    with project.database.write() as session:
        for row in session.scalars(select(WebSession)):
            row.means = "demo"
    assert len(app.run().text_input) == 0


def test_one_session_is_ended_or_all_but_this_one(
    app: AppTest, project: Project, ann: Account, ben: Account, visit_as: VisitAs
) -> None:
    first, second, third = (come_in(project, ann, "password", HOSTILE) for _ in range(3))
    of_ben = come_in(project, ben, "password")
    visit_as(ann)
    app.run()
    html = " ".join(element.proto.body for element in app.get("html"))
    assert html.count("this one") == 1
    assert "<img" not in html
    assert html.count("<b>Firefox</b>") == 3
    app.button(key=f"account-end-{second}").click()
    assert "That session has ended." in shown(app.run())
    ids = [first, second, third, of_ben]
    assert sessions.ended_of(project, ids) == {second}
    app.button(key="account-end-others").click()
    assert "Sessions ended: 2." in shown(app.run())
    assert sessions.ended_of(project, ids) == {first, second, third}
    assert not [button for button in app.button if button.key and button.key.startswith("account-end")]


def test_an_ended_session_shows_nothing(
    app: AppTest, project: Project, ann: Account, visit_as: VisitAs
) -> None:
    visit_as(ann)
    sessions.end_others(project, ann, kept=0)
    page = shown(app.run())
    assert "You are signed out." in page
    assert "192.0.2" not in page


def test_a_chinese_reader_reads_chinese(
    app: AppTest, project: Project, ann: Account, visit_as: VisitAs
) -> None:
    token_of(project, ann)
    visit_as(ann, language="zh")
    page = shown(app.run())
    assert "登录中的设备" in page
    assert "其他浏览器" in page
