"""Review: a lead's decisions on labels, and the team's timesheet."""

import streamlit as st

from workbench.accounts import Right
from workbench.errors import WorkbenchError
from workbench.web.elements.widgets import bar, note, refusal, require_account
from workbench.web.views.review import agreement, cases, doubts, people, timesheet
from workbench.web.wording.i18n import N_, _

SECTIONS = {
    "cases": (N_("To settle"), cases.show),
    "doubts": (N_("Labels in doubt"), doubts.show),
    "agreement": (N_("Agreement"), agreement.show),
    "people": (N_("People"), people.show),
    "timesheet": (N_("Timesheet"), timesheet.show),
}


def show() -> None:
    account = require_account()
    bar(account, "/review")
    if not account.may(Right.REVIEW):
        note(_("This page is for leads."))
        return
    section = st.segmented_control(
        _("Review"),
        list(SECTIONS),
        format_func=lambda name: _(SECTIONS[name][0]),
        default="cases",
        required=True,
        key="review-section",
        label_visibility="collapsed",
    )
    try:
        SECTIONS[section][1]()
    except WorkbenchError as error:
        refusal(error)
