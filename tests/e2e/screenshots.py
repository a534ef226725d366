"""Pictures of every page of the demo: four widths, two themes, two languages, as those who open it see it.

python -m tests.e2e.screenshots [--out FOLDER] [--pages NAME ...] [--docs]      (or: make screenshots)

`--docs` renews the pictures of the documentation instead.
"""

import argparse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.conftest import ARGUMENTS, CHROMIUM, ROOT, Server, Theme
from tests.e2e.demo import ANNOTATOR, demo_project, enter, visit
from trainer.running.progress import Bar
from workbench.demo.story import ADMIN, LEAD
from workbench.web.pages import PAGES

WIDTHS = (390, 820, 1366, 1920)
HEIGHT = 900
MOST_HEIGHT = 5_000
THEMES: tuple[Theme, ...] = ("light", "dark")
LOCALES = {"zh": "zh-CN", "en": "en-US"}
DOCS = ROOT / "docs" / "images"


@dataclass(frozen=True)
class Look:
    person: str
    language: str
    theme: Theme
    width: int


@dataclass(frozen=True)
class Picture:
    """Of the documentation: the visible part of a page on a laptop."""

    name: str
    page: str
    look: Look


def _laptop(person: str, language: str, theme: Theme = "light") -> Look:
    return Look(person, language, theme, 1366)


PICTURES = (
    Picture("label", "label", _laptop(ANNOTATOR, "en")),
    Picture("label-dark", "label", _laptop(ANNOTATOR, "en", "dark")),
    Picture("label-zh", "label", _laptop(ANNOTATOR, "zh")),
    Picture("label-zh-dark", "label", _laptop(ANNOTATOR, "zh", "dark")),
    *(
        Picture(f"{page}{ending}", page, _laptop(LEAD, language))
        for page in ("overview", "rounds", "thresholds")
        for language, ending in (("en", ""), ("zh", "-zh"))
    ),
    Picture("review-zh", "review", _laptop(LEAD, "zh")),
    Picture("posts-zh", "posts", _laptop(LEAD, "zh")),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.screenshots")
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    parser.add_argument("--pages", nargs="+", default=[page.name for page in PAGES])
    parser.add_argument("--docs", action="store_true")
    options = parser.parse_args()
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        with _served(Path(folder) / "demo") as address:
            if options.docs:
                _for_docs(browser, address)
            else:
                _all(browser, address, options.pages, options.out)
        browser.close()


@contextmanager
def _served(home: Path) -> Iterator[str]:
    server, project = Server(), demo_project(home)
    try:
        yield server(project)
    finally:
        server.stop()
        project.database.dispose()


def _all(browser: Browser, address: str, names: Iterable[str], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    looks = [
        Look(person, language, theme, width)
        for language, theme, width in product(LOCALES, THEMES, WIDTHS)
        for person in (ADMIN, ANNOTATOR)
    ]
    bar = Bar("screenshots")
    for done, look in enumerate(looks):
        bar.step(done, len(looks))
        with _opened(browser, address, look) as page:
            ending = f"{look.width}-{look.theme}-{look.language}"
            for name in names:
                if look.person == ADMIN:
                    visit(page, address, name)
                    _whole(page, look.width, out / f"{name}-{ending}.png")
                elif name == "label":
                    visit(page, address, name)
                    page.screenshot(path=out / f"{name}-{ending}-annotator.png")
            if look.person == ADMIN:
                page.context.clear_cookies()
                page.goto(f"{address}/sign-in")
                page.screenshot(path=out / f"sign-in-{ending}.png")
    bar.close()


def _for_docs(browser: Browser, address: str) -> None:
    for picture in PICTURES:
        with _opened(browser, address, picture.look) as page:
            visit(page, address, picture.page)
            page.screenshot(path=DOCS / f"{picture.name}.png")


@contextmanager
def _opened(browser: Browser, address: str, look: Look) -> Iterator[Page]:
    context = browser.new_context(
        locale=LOCALES[look.language],
        timezone_id="Asia/Shanghai",
        color_scheme=look.theme,
        viewport={"width": look.width, "height": HEIGHT},
    )
    yield enter(context, address, look.person)
    context.close()


def _whole(page: Page, width: int, file: Path) -> None:
    """The page scrolls inside a box, so the window has to be as high as what is in it."""
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(max(HEIGHT, height), MOST_HEIGHT)})
    page.screenshot(path=file)
    page.set_viewport_size({"width": width, "height": HEIGHT})


if __name__ == "__main__":
    main()
