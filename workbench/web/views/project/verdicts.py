"""Verdicts for the forum's own systems: write a file, download it."""

from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup

from workbench.accounts import Account, Right
from workbench.thresholds import verdicts
from workbench.thresholds.written import WrittenVerdicts, written_verdicts
from workbench.web.current_project import project
from workbench.web.elements.markup import html
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.widgets import attempt, clock, heading, note, quiet
from workbench.web.wording.i18n import _
from workbench.web.wording.words import person_word


def show_verdicts(account: Account) -> None:
    if not account.may(Right.EXPORT):
        return
    heading(_("Verdicts for the forum"))
    quiet(_("A file says of each scored post whether it passes, goes to people, or is flagged."))
    if done := st.session_state.pop("verdicts-done", None):
        note(done, is_done=True)
    is_new_only = st.checkbox(_("Only new and changed verdicts"), value=True, key="verdicts-new")
    if st.button(_("Write verdicts"), key="decide", width="content"):
        with st.spinner(_("Writing …")):
            attempt(lambda account: _decide(account, is_new_only=is_new_only))
        st.rerun()
    if files := written_verdicts(project(), account):
        names = (_("when"), _("who"), _("posts"), _("new"), _("changed"), _("file"))
        html(table(map(_row, files), names))


def _decide(account: Account, *, is_new_only: bool) -> None:
    decided = verdicts.decide(project(), account, is_new_only=is_new_only)
    text = _("{rows} posts: {passed} pass, {people} go to people, {flagged} are flagged.")
    counts = {name: f"{count:,}" for name, count in decided.verdicts.items()}
    st.session_state["verdicts-done"] = text.format(
        rows=f"{decided.rows:,}", passed=counts["pass"], people=counts["human"], flagged=counts["flag"]
    )


def _row(one: WrittenVerdicts) -> Sequence[Cell]:
    link = Markup('<a href="/download/verdicts/{0}" download>{0}</a>')
    return clock(one.created), person_word(one.by), one.rows, one.new, one.changed, link.format(one.file.name)
