"""Language and theme go with the person, and the pages are drawn by them."""

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.workbench.team import PASSWORD, give_password
from workbench.accounts import Account
from workbench.people.preferences import Preferences, read_preferences
from workbench.project import Project
from workbench.web.server import shell
from workbench.web.server.serve import MIDDLEWARE, ROUTES

ADDRESS = "http://127.0.0.1:8501"
ORIGIN = {"origin": ADDRESS}


@pytest.fixture
def app(project: Project, ann: Account) -> Starlette:
    give_password(project, ann)
    return Starlette(routes=[*ROUTES, *shell.ROUTES], middleware=MIDDLEWARE)


def browser(app: Starlette) -> TestClient:
    return TestClient(app, base_url=ADDRESS, follow_redirects=False, headers={"accept-language": "en"})


@pytest.fixture
def client(app: Starlette) -> Iterator[TestClient]:
    with browser(app) as signed_in:
        sign_in(signed_in)
        yield signed_in


def sign_in(client: TestClient) -> None:
    answer = client.post("/sign-in", data={"name": "Ann", "password": PASSWORD}, headers=ORIGIN)
    assert answer.status_code == 303, answer.text


def choose(client: TestClient, **chosen: str) -> str:
    answer = client.post("/preferences", data=chosen, headers=ORIGIN)
    assert answer.status_code == 303
    return answer.headers["location"]


def test_an_unchosen_page_is_in_the_browsers_language_and_the_systems_theme(client: TestClient) -> None:
    assert '<html lang="en" data-theme="system"' in client.get("/rounds").text


def test_the_page_that_one_chose_on_is_drawn_as_chosen(client: TestClient) -> None:
    assert choose(client, theme="dark", next="/rounds") == "/rounds"
    assert choose(client, language="zh", next="/rounds") == "/rounds"
    assert '<html lang="zh-CN" data-theme="dark"' in client.get("/rounds").text


def test_another_browser_is_as_the_person_chose_once_they_sign_in(
    app: Starlette, client: TestClient, project: Project, ann: Account
) -> None:
    choose(client, theme="light", language="zh")
    assert read_preferences(project, ann) == Preferences(language="zh", theme="light")
    with browser(app) as other:
        assert 'lang="en"' in other.get("/sign-in").text
        sign_in(other)
        assert '<html lang="zh-CN" data-theme="light"' in other.get("/rounds").text


@pytest.mark.parametrize(
    "chosen", [{"theme": "pink"}, {"language": "../zh"}, {"theme": '"><script>', "language": "zh"}, {}]
)
def test_what_is_no_choice_changes_nothing(
    client: TestClient, project: Project, ann: Account, chosen: dict[str, str]
) -> None:
    assert choose(client, next="https://elsewhere.example", **chosen) == "/"
    assert read_preferences(project, ann) == Preferences(language=None, theme=None)
    assert '<html lang="en" data-theme="system"' in client.get("/rounds").text


def test_a_cookie_of_another_make_is_the_systems_theme(client: TestClient) -> None:
    client.cookies.set("theme", '"><script>')
    assert 'data-theme="system"' in client.get("/rounds").text


def test_only_signed_in_people_choose(app: Starlette) -> None:
    with browser(app) as stranger:
        answer = stranger.post("/preferences", data={"theme": "dark"}, headers=ORIGIN)
        assert answer.status_code == 401
        assert "theme" not in stranger.cookies
