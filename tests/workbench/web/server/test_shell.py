"""The document of the pages holds no script that the content security policy refuses."""

import json
import re
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from workbench.web.pages import HOME, PATHS
from workbench.web.server import shell


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(Starlette(routes=shell.ROUTES), follow_redirects=False) as test_client:
        yield test_client


@pytest.mark.parametrize("path", sorted(PATHS - {f"/{HOME.name}"}))
def test_every_page_is_one_document_whose_scripts_are_files(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["cache-control"] == "no-cache"
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", answer.text) == []
    first, *_others = re.findall(r'<script[^>]* ?src="([^"]+)"', answer.text)
    assert first == shell.START


def test_the_inline_scripts_of_the_original_run_from_a_file_that_names_the_servers_address(
    client: TestClient,
) -> None:
    inline = re.findall(r"<script>(.*?)</script>", shell.DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    answer = client.get(shell.START)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "BACKEND_BASE_URL: window.location.origin" in answer.text
    assert inline
    assert all(script in answer.text for script in inline)


def test_what_watches_for_the_end_of_the_session_comes_before_the_scripts_of_streamlit(
    client: TestClient,
) -> None:
    connection, theme = (file.read_text(encoding="utf-8") for file in (shell.CONNECTION, shell.THEME))
    text = client.get(shell.START).text
    first = text.splitlines()[0]
    assert first.startswith("const AWAY = ")
    assert text.startswith("\n".join([first, connection, theme]))


def test_the_words_for_a_server_that_is_away_are_in_the_readers_language(client: TestClient) -> None:
    answer = client.get(shell.START, headers={"Accept-Language": "zh-CN"})
    assert json.dumps("服务器没有响应")[1:-1] in answer.text
    assert "does not answer" in client.get(shell.START).text


def test_what_streamlit_names_in_english_alone_is_translated_for_others(client: TestClient) -> None:
    def started(language: str) -> str:
        return client.get(shell.START, headers={"accept-language": language}).text

    assert "STREAMLIT_NAMES" not in started("en")
    table = re.search(r"const STREAMLIT_NAMES = (\{.*\});", started("zh-CN"))
    assert table
    names = json.loads(table[1])
    assert set(names) == set(shell.STREAMLIT_NAMES)
    assert all(not own.isascii() for own in names.values())
