"""Settings of sign-in by an organisation: a mistake is one sentence at the start, not an open door later."""

from pathlib import Path

import pytest

from workbench.errors import InputError
from workbench.settings import load_settings

OIDC = """
oidc_issuer = "https://id.example.org/realms/forum"
oidc_client_id = "workbench"
oidc_client_secret = "hunter2"

[group_roles]
"/moderation" = "annotator"
"/moderation/chiefs" = "lead"
"""


def written(home: Path, text: str) -> Path:
    (home / "workbench.toml").write_text(text, encoding="utf-8")
    return home


def test_groups_and_secret_are_read_from_the_file(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, OIDC))
    assert dict(settings.group_roles) == {"/moderation": "annotator", "/moderation/chiefs": "lead"}
    assert "hunter2" not in repr(settings)
    assert hash(settings) == hash(load_settings(tmp_path))


def test_and_from_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_GROUP_ROLES", '{"chiefs": "admin"}')
    monkeypatch.setenv("WORKBENCH_OIDC_CLIENT_SECRET", "from outside")
    settings = load_settings(written(tmp_path, OIDC))
    assert dict(settings.group_roles)["chiefs"] == "admin"
    assert settings.oidc_client_secret is not None
    assert settings.oidc_client_secret.get_secret_value() == "from outside"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (OIDC.replace("https://id", "http://id"), "oidc_issuer: .*https://name/path"),
        (OIDC.replace("https://id.example.org", "id.example.org"), "oidc_issuer"),
        (OIDC.replace('"lead"', '"boss"'), "group_roles"),
        (OIDC.partition("[group_roles]")[0], "needs oidc_client_id and group_roles"),
        (OIDC.replace('oidc_client_id = "workbench"', ""), "needs oidc_client_id and group_roles"),
        ('oidc_scopes = "profile"', "oidc_scopes"),
        ("password_sign_in = false", "nobody could come in"),
        ('proxy_user_header = "X-Forwarded-User"', "needs proxy_user_from, the address of the proxy"),
        ('proxy_groups_header = "X-Forwarded-Groups"', "needs proxy_user_header and group_roles"),
        ('proxy_user_from = ["0.0.0.0/0"]', "everybody: name the proxy"),
        ('proxy_user_from = ["proxy"]', "proxy"),
        ('proxy_user_header = "X-User: x"', "proxy_user_header"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as refused:
        load_settings(written(tmp_path, text))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "issuer", ["http://127.0.0.1:8080", "http://localhost/realms/x", "https://id.example.org/"]
)
def test_an_issuer_may_be_on_this_machine_without_https(tmp_path: Path, issuer: str) -> None:
    text = OIDC.replace("https://id.example.org/realms/forum", issuer)
    assert load_settings(written(tmp_path, text)).oidc_issuer == issuer
