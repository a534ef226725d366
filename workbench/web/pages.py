"""The pages of the app: one list for the navigation, the guard and the routes."""

from collections.abc import Callable
from dataclasses import dataclass

from workbench.accounts import Account, Right
from workbench.web.views.account import page as own_account
from workbench.web.views.audit import page as audit
from workbench.web.views.label import page as label
from workbench.web.views.my_work import page as my_work
from workbench.web.views.news import page as news
from workbench.web.views.overview import page as overview
from workbench.web.views.people import page as people
from workbench.web.views.posts import page as posts
from workbench.web.views.practice import page as practice
from workbench.web.views.project import page as project
from workbench.web.views.radar import page as radar
from workbench.web.views.review import page as review
from workbench.web.views.rounds import page as rounds
from workbench.web.views.team import page as team
from workbench.web.views.thresholds import page as thresholds
from workbench.web.wording.i18n import N_


@dataclass(frozen=True)
class Page:
    name: str
    """The address below `/`."""
    title: str
    show: Callable[[], None]
    right: Right | None = None
    is_in_navigation: bool = True

    def is_open_to(self, account: Account | None) -> bool:
        return self.right is None or (account is not None and account.may(self.right))


PAGES = (
    Page("label", N_("Label"), label.show),
    Page("my-work", N_("My work"), my_work.show),
    Page("overview", N_("Overview"), overview.show, Right.REVIEW),
    Page("rounds", N_("Rounds"), rounds.show),
    Page("posts", N_("Posts"), posts.show),
    Page("thresholds", N_("Thresholds"), thresholds.show, Right.SET_POLICY),
    Page("review", N_("Review"), review.show, Right.REVIEW),
    Page("radar", N_("Radar"), radar.show, Right.REVIEW),
    Page("team", N_("Team"), team.show, Right.REVIEW),
    Page("project", N_("Project"), project.show, Right.SET_GUIDELINES),
    Page("people", N_("People"), people.show, Right.MANAGE_PEOPLE),
    Page("audit", N_("Audit"), audit.show, Right.READ_AUDIT),
    # The menu of the person in the header leads to these.
    Page("account", N_("My account"), own_account.show, is_in_navigation=False),
    Page("practice", N_("Practice"), practice.show, is_in_navigation=False),
    Page("news", N_("What is new"), news.show, is_in_navigation=False),
)
HOME = PAGES[0]
LEADS_HOME = "/overview"
PATHS = frozenset({"/", *(f"/{page.name}" for page in PAGES)})
"""Addresses of pages: `/` is HOME."""


def page_of_ours(wanted: str | None, otherwise: str = "/") -> str:
    """Only pages of the app: any other address would be an open redirect."""
    return wanted if wanted in PATHS else otherwise


def home_of(account: Account) -> str:
    """Where a person lands who asked for no page."""
    return LEADS_HOME if account.may(Right.RUN_ROUNDS) else "/"
