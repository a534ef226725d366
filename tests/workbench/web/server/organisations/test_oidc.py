"""Coming in by an OpenID Connect provider, over real HTTP, and the ways of coming in as somebody else."""

import base64
import hmac
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
import pytest
from itsdangerous import URLSafeTimedSerializer
from joserfc.jwk import ECKey
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from db.tables import AuditEntry, Identity, Person, WebSession
from tests.workbench.team import PASSWORD, give_password, member
from tests.workbench.web.server.organisations.sign_in_service import SignInService, other_key, served
from workbench import accounts
from workbench.accounts import Account
from workbench.people import identities, invitations, members
from workbench.project import Project
from workbench.settings import Settings
from workbench.web import current_project
from workbench.web.pages import PATHS
from workbench.web.server.organisations.oidc import FLOW_SECONDS
from workbench.web.server.organisations.provider import provider_of
from workbench.web.server.serve import MIDDLEWARE, ROUTES

ADDRESS = "http://127.0.0.1:8501"
ORIGIN = {"origin": ADDRESS}
Configure = Callable[..., Project]


@pytest.fixture(scope="module")
def running() -> Iterator[SignInService]:
    with served() as started:
        yield started


@pytest.fixture
def service(running: SignInService) -> SignInService:
    running.forget()
    return running


@pytest.fixture
def configure(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    def serve_with(**settings: object) -> Project:
        changed = Settings.model_validate(project.settings.model_dump() | settings)
        configured = replace(project, settings=changed)
        monkeypatch.setattr(current_project, "open_project", lambda _home: configured)
        current_project.opened.cache_clear()
        current_project.project.cache_clear()
        return configured

    yield serve_with
    provider_of.cache_clear()


@contextmanager
def browser(address: str = ADDRESS) -> Iterator[TestClient]:
    async def page(_request: Request) -> Response:
        return Response()

    app = Starlette(routes=[*ROUTES, *(Route(path, page) for path in PATHS)], middleware=MIDDLEWARE)
    with TestClient(app, base_url=address, follow_redirects=False) as client:
        yield client


@pytest.fixture
def client(service: SignInService, configure: Configure) -> Iterator[TestClient]:
    configure(**service.settings())
    with browser() as test_client:
        yield test_client


def begin(client: TestClient, next_page: str = "/") -> str:
    """To the provider and to its button; the address that the button leads to."""
    sent = client.get("/sign-in/oidc", params={"next": next_page})
    assert sent.status_code == 303, sent.text
    return httpx.get(sent.headers["location"], trust_env=False).headers["x-back"]


def enter(client: TestClient, next_page: str = "/") -> httpx.Response:
    return client.get(begin(client, next_page))


def is_inside(client: TestClient) -> bool:
    return client.get("/").status_code == 200


def entries(project: Project, action: str) -> list[AuditEntry]:
    with project.database.read() as session:
        query = select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)
        return list(session.scalars(query))


def person(project: Project, name: str) -> Person:
    with project.database.read() as session:
        return session.scalars(select(Person).where(Person.name == name)).one()


def test_an_unknown_subject_becomes_a_person_in_the_best_role_of_the_groups(
    client: TestClient, service: SignInService, project: Project
) -> None:
    service.claims["groups"] = ["everybody", "chiefs", "mods", "elsewhere"]
    answer = enter(client, "/rounds")
    assert (answer.status_code, answer.headers["location"]) == (303, "/rounds")
    assert is_inside(client)
    assert person(project, "Wei").role == "lead"
    (entry,) = entries(project, "sign in")
    assert (entry.subject, entry.detail["means"]) == ("Wei", "oidc")
    assert entries(project, "new person")[-1].detail == {"role": "lead", "means": "oidc", "identity": "u-1"}


def test_the_sign_in_page_offers_it_beside_the_password(client: TestClient, configure: Configure) -> None:
    page = client.get("/sign-in", params={"next": "/posts"}).text
    assert 'href="/sign-in/oidc?next=/posts"' in page
    assert 'name="password"' in page


def test_the_request_has_state_nonce_and_a_challenge_and_the_cookie_is_guarded(
    client: TestClient, service: SignInService
) -> None:
    sent = client.get("/sign-in/oidc")
    query = {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()}
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == f"{ADDRESS}/sign-in/oidc/callback"
    assert min(len(query[name]) for name in ("state", "nonce", "code_challenge")) >= 30
    cookie = sent.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert f"max-age={FLOW_SECONDS}" in cookie
    assert "form-action 'self'" in sent.headers["content-security-policy"]


def test_over_https_the_cookie_is_secure_and_the_callback_is_the_public_address(
    client: TestClient, service: SignInService, configure: Configure
) -> None:
    configure(**service.settings(), public_url="https://label.example.org")
    sent = client.get("/sign-in/oidc", headers={"host": "label.example.org"})
    assert sent.headers["set-cookie"].startswith("__Host-workbench-")
    assert "; secure" in sent.headers["set-cookie"].lower()
    assert (
        "redirect_uri=https%3A%2F%2Flabel.example.org%2Fsign-in%2Foidc%2Fcallback" in sent.headers["location"]
    )


def test_it_is_not_begun_on_an_open_line(
    client: TestClient, service: SignInService, configure: Configure
) -> None:
    configure(**service.settings(), allowed_hosts=("box",))
    answer = client.get("/sign-in/oidc", headers={"host": "box:8501"})
    assert (answer.status_code, "https alone" in answer.text) == (403, True)


def claims(**changed: object) -> Callable[[SignInService], None]:
    return lambda service: service.claims.update(changed)


def signed(kind: str, **header: object) -> Callable[[SignInService], None]:
    def falsify(service: SignInService) -> None:
        service.key = other_key(kind)
        service.header |= header

    return falsify


def with_the_public_key_as_a_secret(service: SignInService) -> None:
    """By hand: joserfc makes no such token."""

    def forged(token: str) -> str:
        payload = token.split(".")[1]
        signed = encoded(b'{"alg":"HS256","kid":"one"}') + "." + payload
        secret = service.published.as_pem(private=False)
        return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"

    service.forge = forged


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def with_a_key_in_the_header(service: SignInService) -> None:
    service.key = other_key("RSA")
    service.header |= {"jwk": service.key.as_dict(private=False)}


FALSE_TOKENS: dict[str, Callable[[SignInService], None]] = {
    "another nonce": claims(nonce="another"),
    "no nonce": claims(nonce=None),
    "another audience": claims(aud="another client"),
    "another audience, authorised to us": claims(aud="another client", azp="workbench"),
    "several audiences and no authorised party": claims(aud=["workbench", "another"]),
    "no audience": claims(aud=None),
    "another issuer": claims(iss="https://evil.example"),
    "no issuer": claims(iss=None),
    "expired": claims(exp=int(time.time()) - 600),
    "no expiry": claims(exp=None),
    "of the future": claims(nbf=int(time.time()) + 600),
    "no subject": claims(sub=None),
    "a subject that is no text": claims(sub=7),
    "an empty subject": claims(sub=""),
    "of another access token": claims(at_hash="x"),
    "another key of the same name": signed("RSA"),
    "an unknown key": signed("RSA", kid="two"),
    "a key of another kind": signed("EC", alg="ES256"),
    "no signature": signed("oct", alg="none"),
    "a shared secret": signed("oct", alg="HS256"),
    "the public key as a shared secret": with_the_public_key_as_a_secret,
    "an algorithm that is not ours": lambda service: service.header.update(alg="PS256"),
    "a key in its own header": with_a_key_in_the_header,
}


@pytest.mark.parametrize("how", FALSE_TOKENS)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_false_token_is_refused_and_recorded(
    client: TestClient, service: SignInService, project: Project, how: str
) -> None:
    back = begin(client)
    FALSE_TOKENS[how](service)
    answer = client.get(back)
    assert (answer.status_code, "not valid" in answer.text) == (403, True), answer.text
    assert not is_inside(client)
    (entry,) = entries(project, "sign in refused")
    assert (entry.subject, entry.detail["why"]) == ("unknown name", "bad token")
    with project.database.read() as session:
        assert session.scalar(select(Identity)) is None


def test_keys_that_have_changed_are_read_again_and_elliptic_ones_count(
    client: TestClient, service: SignInService
) -> None:
    enter(client)
    client.cookies.clear()
    service.published = ECKey.generate_key("P-256", {"kid": "two"})
    service.header = {"alg": "ES256", "kid": "two"}
    enter(client)
    assert is_inside(client)


def refused(client: TestClient, answer: httpx.Response, sentence: str) -> None:
    assert answer.status_code == 403
    assert sentence in answer.text
    assert not is_inside(client)


def test_another_state_is_refused(client: TestClient) -> None:
    back = begin(client)
    refused(client, client.get(back.replace("state=", "state=x")), "not begun in this browser")
    # The cookie is gone with the first try.
    refused(client, client.get(back), "not begun in this browser")


@pytest.mark.parametrize("query", ["", "?code=a", "?state=b", "?code=a&state=%ff"])
def test_a_callback_out_of_nowhere_is_refused(client: TestClient, query: str) -> None:
    refused(client, client.get(f"/sign-in/oidc/callback{query}"), "not begun in this browser")


def test_a_callback_in_another_browser_is_refused(client: TestClient) -> None:
    """Else a page of another site could sign a person in as somebody else."""
    back = begin(client)
    with browser() as another:
        refused(another, another.get(back), "not begun in this browser")


def test_a_callback_works_once(client: TestClient) -> None:
    back = begin(client)
    kept = dict(client.cookies)
    assert client.get(back).status_code == 303
    client.cookies.clear()
    refused(client, client.get(back), "not begun in this browser")
    client.cookies.update(kept)  # the provider takes a code once
    refused(client, client.get(back), "The sign-in service refused")


def test_a_code_of_another_browsers_flow_is_refused(client: TestClient) -> None:
    """Its challenge is another, so it is of no use to who has got hold of it."""
    with browser() as another:
        stolen = parse_qs(urlsplit(begin(another)).query)["code"][0]
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    answer = client.get("/sign-in/oidc/callback", params={"code": stolen, "state": state})
    refused(client, answer, "The sign-in service refused")


def test_an_old_flow_and_a_cookie_that_is_not_ours_are_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = begin(client)
    (name,) = client.cookies
    state = parse_qs(urlsplit(back).query)["state"][0]
    forged = URLSafeTimedSerializer("x" * 32, salt="oidc").dumps([state, "nonce", "verifier", "/"])
    with browser() as another:
        another.cookies.set(name, forged)
        refused(another, another.get(back), "not begun in this browser")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + FLOW_SECONDS + 2)
    refused(client, client.get(back), "not begun in this browser")


def test_what_the_provider_refuses_is_one_sentence(client: TestClient) -> None:
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    answer = client.get("/sign-in/oidc/callback", params={"error": "access_denied", "state": state})
    refused(client, answer, "The sign-in service refused")


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/nowhere"])
def test_nobody_is_sent_to_another_site(client: TestClient, wanted: str) -> None:
    assert enter(client, wanted).headers["location"] == "/"


def test_a_provider_that_is_down_is_one_clear_sentence_and_may_come_back(
    client: TestClient, service: SignInService
) -> None:
    service.is_down = True
    refused(client, client.get("/sign-in/oidc"), "does not answer as it should")
    service.is_down = False
    back = begin(client)
    service.is_down = True
    refused(client, client.get(back), "does not answer as it should")


def test_a_provider_that_cannot_be_reached_is_one_clear_sentence(
    client: TestClient, service: SignInService, configure: Configure
) -> None:
    configure(**service.settings() | {"oidc_issuer": "http://127.0.0.1:1"})
    refused(client, client.get("/sign-in/oidc"), "http://127.0.0.1:1 does not answer as it should")


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_an_odd_discovery_document_is_refused_and_read_again(
    client: TestClient, service: SignInService, changed: dict[str, Any]
) -> None:
    service.discovery = changed
    refused(client, client.get("/sign-in/oidc"), "does not answer as it should")
    service.discovery = {}
    enter(client)
    assert is_inside(client)


@pytest.mark.parametrize("groups", [None, [], ["elsewhere"], {"mods": True}, 7, [["mods"]]])
def test_without_a_group_of_the_map_nobody_comes_in(
    client: TestClient, service: SignInService, project: Project, groups: object
) -> None:
    service.claims["groups"] = groups
    refused(client, enter(client), "None of your groups has a role here")
    (entry,) = entries(project, "sign in refused")
    assert (entry.subject, entry.detail["why"]) == ("Wei", "no group")
    with project.database.read() as session:
        assert session.scalar(select(Person).where(Person.name == "Wei")) is None


def test_a_single_group_may_stand_without_a_list(client: TestClient, service: SignInService) -> None:
    service.claims["groups"] = "mods"
    enter(client)
    assert is_inside(client)


@pytest.mark.parametrize("name", ["Ann", " ANN ", "\u0410nn", "", None, "command line", "x" * 41])
def test_a_name_that_is_somebodys_or_not_usable_is_not_taken_over(
    client: TestClient, service: SignInService, project: Project, ann: Account, name: str | None
) -> None:
    service.claims["name"] = name
    refused(client, enter(client), "workbench users link-identity NAME u-1")
    assert entries(project, "sign in refused")[-1].detail["why"] == "no name"


def test_a_lead_links_the_identity_to_the_person(
    client: TestClient, service: SignInService, project: Project, lead: Account, ann: Account
) -> None:
    service.claims["name"] = "Ann"
    identities.link(project, lead, ann.id, service.address, "u-1")
    enter(client)
    assert is_inside(client)
    assert person(project, "Ann").role == "reviewer"


def test_the_role_follows_the_groups_and_other_sessions_end(
    client: TestClient, service: SignInService, project: Project
) -> None:
    with browser() as earlier:
        enter(earlier)
        service.claims["groups"] = ["everybody"]
        enter(client)
        assert is_inside(client)
        assert not is_inside(earlier)
    (entry,) = entries(project, "change role")
    assert entry.detail == {"was": "reviewer", "now": "annotator", "means": "oidc"}
    assert person(project, "Wei").role == "annotator"


def test_who_has_lost_their_groups_is_refused_and_their_sessions_end(
    client: TestClient, service: SignInService
) -> None:
    with browser() as earlier:
        enter(earlier)
        service.claims["groups"] = []
        refused(client, enter(client), "None of your groups")
        assert not is_inside(earlier)


def test_who_is_disabled_stays_disabled(client: TestClient, service: SignInService, project: Project) -> None:
    enter(client)
    members.disable(project, accounts.command_line(project), person(project, "Wei").id)
    refused(client, enter(client), "Wei is disabled")
    assert entries(project, "sign in refused")[-1].detail["why"] == "disabled"


def test_a_new_name_at_the_provider_changes_nothing_here(
    client: TestClient, service: SignInService, project: Project, ann: Account
) -> None:
    enter(client)
    service.claims["name"] = "Ann"
    enter(client)
    with project.database.read() as session:
        newest = select(WebSession.person_id).order_by(WebSession.id.desc())
        assert session.scalar(newest) == person(project, "Wei").id


def test_one_subject_of_two_providers_is_two_people(
    client: TestClient, service: SignInService, project: Project, lead: Account, ann: Account
) -> None:
    identities.link(project, lead, ann.id, "https://another.example", "u-1")
    enter(client)
    with project.database.read() as session:
        assert session.scalar(select(WebSession.person_id)) == person(project, "Wei").id


def test_without_passwords_only_the_command_line_gives_links(
    client: TestClient, service: SignInService, configure: Configure, project: Project, lead: Account
) -> None:
    give_password(project, lead)
    of_lead = invitations.invite(project, lead, "annotator")
    ann = member(project, "Ann", "annotator")
    configured = configure(**service.settings(), password_sign_in=False)
    assert 'name="password"' not in client.get("/sign-in").text
    form = {"name": lead.name, "password": PASSWORD}
    answer = client.post("/sign-in", data=form, headers=ORIGIN)
    assert (answer.status_code, "not with a password" in answer.text) == (403, True)
    with pytest.raises(accounts.NotAllowedError, match="not by links"):
        invitations.invite(configured, lead, "annotator")
    joined = client.post(
        f"/join/{of_lead.secret}", data={"name": "Zoe", "password": PASSWORD}, headers=ORIGIN
    )
    assert joined.status_code == 404
    link = invitations.password_link(configured, accounts.command_line(project), ann.id)
    client.post(f"/join/{link.secret}", data={"password": PASSWORD}, headers=ORIGIN)
    assert is_inside(client)


def test_without_a_sign_in_service_its_addresses_say_so(client: TestClient, configure: Configure) -> None:
    configure()
    answer = client.get("/sign-in/oidc")
    assert (answer.status_code, "No sign-in service" in answer.text) == (403, True)
