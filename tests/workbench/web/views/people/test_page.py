"""The People page: who is in the project, links shown once, and what is done to a person."""

import re
from html import unescape

import pytest
import streamlit as st
from streamlit.runtime.context import StreamlitHeaders
from streamlit.testing.v1 import AppTest

from tests.workbench.making import ready_queue
from tests.workbench.team import PASSWORD, VISITOR, give_password, member, token_of
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.server.test_entrance import serve_with
from workbench import accounts
from workbench.accounts import Account
from workbench.errors import InputError
from workbench.labelling import answers
from workbench.people import identities, invitations, members, sessions
from workbench.project import Project

ADDRESS = "http://127.0.0.1:8501"
HOSTILE = "<b>*x*</b>![x](y)"


def screen() -> None:
    from workbench.web.views.people import page  # noqa: PLC0415 - AppTest runs this function's source alone

    page.show()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    headers = StreamlitHeaders([("Origin", ADDRESS)])
    monkeypatch.setattr(type(st.context), "headers", property(lambda _self: headers))
    return AppTest.from_function(screen, default_timeout=10)


def shown(app: AppTest) -> str:
    assert not app.exception
    return unescape(" ".join(element.proto.body for element in app.get("html")))


def secrets_of(app: AppTest, base: str = ADDRESS) -> list[str]:
    """The ends of the links on screen."""
    found = (re.fullmatch(re.escape(base) + r"/join/([\w-]{32})", code.value) for code in app.code)
    return [match[1] for match in found if match]


def choose(app: AppTest, account: Account) -> AppTest:
    app.selectbox(key="people-person").set_value(account.id)
    return app.run()


def press(app: AppTest, start: str) -> str:
    """The button whose key begins so."""
    (button,) = (button for button in app.button if button.key and button.key.startswith(start))
    button.click()
    return shown(app.run())


def submit(app: AppTest, label: str) -> str:
    (button,) = (button for button in app.button if button.label == label)
    button.click()
    return shown(app.run())


def test_everybody_is_listed_with_role_and_state(
    app: AppTest, project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    give_password(project, ann)
    zed = member(project, HOSTILE, "reviewer")
    members.disable(project, lead, zed.id)
    visit_as(lead)
    app.run()
    page = shown(app)
    assert "<td>Ann</td><td>annotator</td><td></td><td>–</td>" in page
    assert f"<td>{HOSTILE}</td><td>reviewer</td><td>disabled</td>" in page
    assert "<td>林</td><td>lead</td><td>no password yet</td><td>2026-01-05 09:00</td>" in page
    assert "command line" not in page
    raw = " ".join(element.proto.body for element in app.get("html"))
    assert "<b>*x*" not in raw


def test_others_see_nothing_of_it(app: AppTest, ann: Account, visit_as: VisitAs) -> None:
    visit_as(ann)
    page = shown(app.run())
    assert "This page is for leads." in page
    assert "<td>" not in page


def test_an_invitation_is_shown_once_and_joined_with(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    app.run()
    assert app.selectbox(key="people-invite-role").options == ["annotator", "reviewer"]
    app.selectbox(key="people-invite-role").set_value("reviewer")
    app.number_input(key="people-days").set_value(3)
    page = submit(app, "Make a link")
    assert "until 2026-01-08 09:00" in page
    assert "on this machine only" in page
    (secret,) = secrets_of(app)
    invitations.join(project, secret, "Rui", PASSWORD, VISITOR)
    page = press(app, "people-copied")
    assert secrets_of(app) == []
    assert "<td>Rui</td><td>reviewer</td>" in page


def test_the_public_address_begins_a_link(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_with(monkeypatch, project, public_url="https://label.example.org")
    visit_as(lead)
    app.run()
    page = submit(app, "Make a link")
    assert len(secrets_of(app, "https://label.example.org")) == 1
    assert "on this machine only" not in page


def test_an_open_link_is_withdrawn(app: AppTest, project: Project, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app.run()
    assert "to join: annotator" in submit(app, "Make a link")
    (secret,) = secrets_of(app)
    page = press(app, "people-withdraw-")
    assert "The link no longer works." in page
    assert "to join: annotator" not in page
    assert secrets_of(app) == []
    with pytest.raises(InputError):
        invitations.offer_of(project, secret)


def test_who_comes_in_by_the_organisation_waits_for_no_link(
    app: AppTest, project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    identities.link(project, lead, ann.id, "https://id.example", "u-1")
    visit_as(lead)
    page = shown(app.run())
    assert "<td>Ann</td><td>annotator</td><td>by the organisation</td>" in page
    assert "Without a password" not in page


def test_the_people_of_an_older_project_get_their_links_together(
    app: AppTest, project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs
) -> None:
    give_password(project, lead)
    member(project, "Lea", "lead")  # whom another lead does not manage
    members.disable(project, lead, member(project, "Zed", "annotator").id)
    visit_as(lead)
    page = shown(app.run())
    assert "Without a password, and so unable to sign in: Ann, Ben." in page
    page = press(app, "people-links-for-all")
    assert "Without a password" not in page
    assert {invitations.offer_of(project, secret).name for secret in secrets_of(app)} == {"Ann", "Ben"}


def test_a_person_gets_a_link_for_a_new_password(
    app: AppTest, project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    choose(app.run(), ann)
    press(app, "people-link-")
    (secret,) = secrets_of(app)
    assert invitations.offer_of(project, secret).name == "Ann"


def test_another_role_ends_the_sessions_and_gives_the_posts_back(
    app: AppTest, project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 1)
    held = answers.hold_posts(project, ann)
    token = token_of(project, ann)
    visit_as(lead)
    choose(app.run(), ann)
    app.selectbox(key=f"people-new-role-{ann.id}-annotator").set_value("reviewer")
    assert "<td>Ann</td><td>reviewer</td>" in submit(app, "Change the role")
    assert sessions.find(project, token) is None
    assert [card.post_id for card in answers.hold_posts(project, ben)] == [card.post_id for card in held]


def test_a_person_is_disabled_and_enabled_after_what_follows_is_said(
    app: AppTest, project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    token = token_of(project, ann)
    visit_as(lead)
    choose(app.run(), ann)
    assert "every label stays" in press(app, "people-disable-")
    press(app, "people-not-")
    assert sessions.find(project, token) is not None
    press(app, "people-disable-")
    assert "<td>Ann</td><td>annotator</td><td>disabled</td>" in press(app, "people-sure-")
    assert sessions.find(project, token) is None
    assert "with the password from before" in press(app, "people-enable-")
    assert "<td>Ann</td><td>annotator</td><td>no password yet</td>" in press(app, "people-sure-")


def test_a_lead_is_offered_nobody_of_the_own_role_and_an_administrator_everybody_else(
    app: AppTest, project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    root = member(project, "Root", "admin")
    member(project, "Lea", "lead")
    visit_as(lead)
    assert app.run().selectbox(key="people-person").options == ["Ann"]
    visit_as(root)
    assert app.run().selectbox(key="people-person").options == ["Ann", "Lea", "林"]


def test_a_role_that_was_taken_away_meanwhile_refuses_the_press(
    app: AppTest, project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    choose(app.run(), ann)
    press(app, "people-disable-")
    members.change_role(project, accounts.command_line(project), lead.id, "reviewer")
    page = press(app, "people-sure-")
    assert "You are signed out." in page
    assert members.find_member(project, accounts.command_line(project), "Ann").is_active
