"""The demo, served and entered as one of its people: every page has something to show."""

from datetime import datetime
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from tests.e2e.conftest import IDLE
from workbench.accounts import Account
from workbench.demo.seeding import seed
from workbench.demo.story import ADMIN, ANNOTATORS, LEAD
from workbench.people import members
from workbench.people.preferences import end_welcome
from workbench.project import Project

ANNOTATOR = next(iter(ANNOTATORS.values()))
PEOPLE = (ANNOTATOR, LEAD, ADMIN)


def demo_project(home: Path) -> Project:
    """Its people know their way around."""
    project = seed(home, datetime.now().astimezone(), say=lambda _line: None)
    for person in members.demo_people(project):
        end_welcome(project, Account(person.id, person.name, person.role))
    return project


def enter(context: BrowserContext, address: str, person: str) -> Page:
    page = context.new_page()
    page.goto(f"{address}/sign-in")
    page.get_by_role("button", name=person).click()
    page.wait_for_selector(IDLE)
    return page


def visit(page: Page, address: str, name: str) -> None:
    """Opens a page of the app, and waits until it is drawn: charts come after the script has ended."""
    page.goto(f"{address}/{name}")
    page.wait_for_selector(IDLE)
    page.wait_for_selector(".title h1")
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")
    # Those in a closed fold are drawn when it opens.
    page.wait_for_function(
        "() => [...document.querySelectorAll('.stVegaLiteChart')].every(chart => chart.offsetParent === null || chart.querySelector('canvas, svg'))"
    )
