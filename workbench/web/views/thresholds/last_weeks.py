"""A dry run: what these thresholds would have decided in the last weeks, with examples."""

from collections.abc import Sequence
from datetime import date

import streamlit as st
from markupsafe import Markup

from trainer.statistics.thresholds import VERDICTS, Thresholds
from workbench.accounts import Account
from workbench.thresholds.recent import RecentPosts, WeekOfVerdicts, dry_run, examples
from workbench.web.current_project import project
from workbench.web.elements.markup import NOTHING, html
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import heading, note, quiet
from workbench.web.views.thresholds.outcome import VERDICT_WORDS, by_verdict, verdict_bar
from workbench.web.wording.i18n import _


def show(account: Account, recent: RecentPosts, thresholds: Thresholds) -> None:
    weeks = dry_run(recent, thresholds)
    if not weeks:
        return
    heading(_("What they would have decided"))
    headings = (_("dates"), "", *(_(word) for word in VERDICT_WORDS.values()))
    html(Markup('<div class="dry-run">{}</div>').format(table(map(_row, weeks), headings, has_numbers=True)))
    if not recent.has_times:
        quiet(_("The posts carry no times: these are the weeks of their imports."))
    _examples(account, recent, thresholds)


def _row(week: WeekOfVerdicts) -> Sequence[Cell]:
    counts = (count for _name, count in by_verdict(week.volumes))
    return (_days(week.first, week.last), verdict_bar(week.volumes), *counts)


def _days(first: date, last: date) -> str:
    return f"{first:%m-%d} – {last:%m-%d}"


def _examples(account: Account, recent: RecentPosts, thresholds: Thresholds) -> None:
    verdict = st.segmented_control(
        _("Examples, the closest calls first"),
        VERDICTS,
        format_func=lambda one: _(VERDICT_WORDS[one]),
        key="examples",
    )
    if verdict is None:
        return
    listed = examples(project(), account, recent, thresholds, verdict)
    if not listed:
        note(_("None in these weeks."), is_done=True)
        return
    row = Markup('<div><span class="number">{:.3f}</span><p dir="auto" lang="zh">{}</p></div>')
    rows = (row.format(one.score, post_html(" ".join(one.text.split()))) for one in listed)
    html(Markup('<div class="close-calls">{}</div>').format(NOTHING.join(rows)))
    quiet(
        _(
            "The number is the violation score. Labelled posts and those kept for checking the model are left out."
        )
    )
