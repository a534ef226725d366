"""Files go through the dialog in a real browser; what it refuses to upload is said in a visible sentence, in the reader's language."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.e2e.conftest import IDLE, PATIENCE_MS, Server, SignIn
from tests.trainer.reading.workbooks.making import write_workbook
from workbench.project import Project
from workbench.web.views.posts.importing.dialog import MOST_MB

pytestmark = pytest.mark.browser

TRIES = 4
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
    page.click(".st-key-import-open button")
    page.set_input_files("[data-testid=stFileUploaderDropzoneInput]", large)
    page.wait_for_selector("[data-testid=stFileChip][aria-invalid=true]")
    assert sentence in page.locator(".stFileUploader").evaluate(SENTENCE)
    assert page.locator("[data-testid=stFileChip]").count() == 1


def test_a_workbook_and_two_tables_are_imported_in_three_steps(
    live_project: Project, serve: Server, sign_in: SignIn, tmp_path: Path
) -> None:
    book = write_workbook(
        tmp_path / "五月.xlsx", [("帖子ID", "内容", "版块"), ("x1", "今天下雨了", "闲聊"), ("x2", "", "闲聊")]
    )
    tables = [tmp_path / "a.tsv", tmp_path / "b.csv"]
    tables[0].write_text("id\ttext\n1\t一条新帖子\n", encoding="utf-8")
    tables[1].write_text("id,发言\n2,另一条帖子\n", encoding="gb18030")
    address = serve(live_project)
    page = sign_in(address, "Lin", "lead")
    page.goto(f"{address}/posts")
    page.click(".st-key-import-open button")
    page.set_input_files("[data-testid=stFileUploaderDropzoneInput]", [book, *tables])
    page.click(".st-key-import-next button:enabled")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Choose the column that holds the text.")
    expect(dialog.locator(".st-key-import button")).to_be_disabled()
    choose(page, dialog.locator("[class*=st-key-text-] input[value='']"), "发言")
    expect(dialog.locator(".st-key-import button")).to_contain_text("Import 4 rows")
    dialog.locator(".st-key-import button").click()
    expect(dialog).to_contain_text("4 rows: 3 new, 0 known already, 1 unreadable.")
    with page.expect_download() as unreadable:
        dialog.get_by_text("Download all unreadable rows").click()
    assert "no text" in unreadable.value.path().read_text(encoding="utf-8")
    dialog.locator(".st-key-import-done button").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".stMain")).to_contain_text("五月.xlsx")


def choose(page: Page, field: Locator, option: str) -> None:
    """A run that ends after the list of choices has opened closes it: then it is opened again."""
    page.wait_for_selector(IDLE)
    for _ in range(TRIES):
        field.click()
        try:
            page.get_by_role("option", name=option).click(timeout=PATIENCE_MS / TRIES)
        except PlaywrightTimeoutError:
            continue
        return
    raise AssertionError(f"{option} could not be chosen")
