"""What the browser itself refuses to upload is said in a visible sentence, in the reader's language."""

from pathlib import Path

import pytest

from tests.e2e.conftest import IDLE, Server, SignIn
from workbench.project import Project
from workbench.web.views.posts.import_file import MOST_MB

pytestmark = pytest.mark.browser

SENTENCE = "e => getComputedStyle(e, '::after').content"


@pytest.mark.parametrize(
    ("locale", "sentence"), [("en-US", f"larger than {MOST_MB} MB"), ("zh-CN", f"文件大于 {MOST_MB} MB")]
)
def test_a_file_that_is_too_large_is_refused_in_a_visible_sentence(
    live_project: Project, serve: Server, sign_in: SignIn, tmp_path: Path, locale: str, sentence: str
) -> None:
    large = tmp_path / "posts.csv"
    with large.open("wb") as file:
        file.truncate((MOST_MB + 1) << 20)  # sparse
    address = serve(live_project)
    page = sign_in(address, "林", "lead", locale=locale)
    page.goto(f"{address}/posts")
    page.wait_for_selector(IDLE)
    page.set_input_files("[data-testid=stFileUploaderDropzoneInput]", large)
    page.wait_for_selector("[data-testid=stFileChip][aria-invalid=true]")
    assert sentence in page.locator(".stFileUploader").evaluate(SENTENCE)
    assert page.locator("[data-testid=stFileChip]").count() == 1
