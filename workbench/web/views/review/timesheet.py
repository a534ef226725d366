"""The timesheet: work per person and day, on screen and as a download. Sorted by day: it is no ranking."""

from collections.abc import Sequence
from datetime import UTC, date, timedelta
from itertools import islice
from urllib.parse import urlencode

import streamlit as st
from markupsafe import Markup

from workbench.labelling import timesheet
from workbench.labelling.timesheet import PersonDay
from workbench.web.current_project import project
from workbench.web.elements.markup import html
from workbench.web.elements.tables import Cell, spread, table
from workbench.web.elements.widgets import local, quiet, require_account
from workbench.web.views.review import layout
from workbench.web.wording.i18n import N_, _

DAYS = 7
SHOWN = 500
"""Most rows of the table; the file has all of them."""
COLUMN_WORDS = {
    "person": N_("who"),
    "day": N_("day"),
    "labelled": N_("labelled"),
    "skipped": N_("skipped"),
    "asked": N_("asked a lead"),
    "changed": N_("changed"),
    "undone": N_("taken back"),
    "propagated": N_("near-copies given an answer"),
    "checked": N_("check posts"),
    "minutes": N_("minutes on posts"),
}


@st.fragment
def show() -> None:
    account = require_account()
    now = local(project().now())
    since = st.date_input(
        _("Since"), now.date() - timedelta(days=DAYS - 1), max_value=now.date(), key="timesheet-since"
    )
    if not isinstance(since, date):
        return
    days = timesheet.timesheet(project(), account, since=since, zone=now.tzinfo or UTC)
    shown = sorted(islice(days, SHOWN), key=lambda row: (row.day, row.person), reverse=True)
    with project().database.read() as session:
        skipped = timesheet.skipped_posts(session)
    quiet(_skipped(skipped))
    if not shown:
        layout.empty(
            _("No labels since then."),
            _("Each day of each person who labels gets a line: posts, and minutes on them."),
        )
        return
    html(spread(_table(shown)))
    zone = str(now.tzinfo)
    address = "/download/timesheet.csv?" + urlencode({"since": since.isoformat(), "zone": zone})
    html(Markup('<a href="{}" download>{}</a>').format(address, _("Take it away as CSV")))


def _skipped(skipped: timesheet.SkippedPosts) -> str:
    if not skipped.waiting:
        return _("All skipped posts are labelled by now.")
    return _("{count} skipped posts still wait for a label, {queued} of them in the queue.").format(
        count=f"{skipped.waiting:,}", queued=f"{skipped.queued:,}"
    )


def _table(days: Sequence[PersonDay]) -> Markup:
    # Not Streamlit's grid, whose own CSV would hold names as formulas.
    rows = [[_cell(day.to_dict()[name]) for name in COLUMN_WORDS] for day in days]
    return table(rows, [_(word) for word in COLUMN_WORDS.values()], has_numbers=True)


def _cell(value: str | float) -> Cell:
    return f"{value:,.1f}" if isinstance(value, float) else value
