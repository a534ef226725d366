"""Review: a lead's decisions on labels, and the team's timesheet."""

import streamlit as st

from workbench.accounts import Right
from workbench.errors import WorkbenchError
from workbench.review.old_labels import count_old_labels
from workbench.web.current_project import project
from workbench.web.elements.comments.waiting import count_now
from workbench.web.elements.widgets import note, refusal, require_account
from workbench.web.frame.title import title
from workbench.web.views.review import agreement, cases, comments, doubts, old_labels, people, timesheet
from workbench.web.wording.i18n import N_, _

SECTIONS = {
    "cases": (N_("To settle"), cases.show),
    "comments": (N_("Comments"), comments.show),
    "old-labels": (N_("Old label, new rule"), old_labels.show),
    "doubts": (N_("Labels in doubt"), doubts.show),
    "agreement": (N_("Agreement"), agreement.show),
    "people": (N_("People"), people.show),
    "timesheet": (N_("Timesheet"), timesheet.show),
}


def show() -> None:
    account = require_account()
    title(_("Review"))
    if not account.may(Right.REVIEW):
        note(_("This page is for leads."))
        return
    waiting = {"comments": count_now(account), "old-labels": count_old_labels(project(), account)}
    section = st.segmented_control(
        _("Review"),
        list(SECTIONS),
        format_func=lambda name: _titled(name, waiting.get(name, 0)),
        default="cases",
        required=True,
        key="review-section",
        label_visibility="collapsed",
    )
    try:
        SECTIONS[section][1]()
    except WorkbenchError as error:
        refusal(error)


def _titled(section: str, waiting: int) -> str:
    title = _(SECTIONS[section][0])
    return f"{title} ({waiting})" if waiting else title
