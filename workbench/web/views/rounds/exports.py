"""Exports of all labels: create one, download its files."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st
from markupsafe import Markup

from workbench.accounts import Account
from workbench.exports.labelled_posts import (
    COLUMNS,
    FORMATS,
    RECEIPT,
    Export,
    export_labels,
    list_exports,
)
from workbench.web.current_project import project
from workbench.web.elements.markup import html
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.widgets import attempt, clock, quiet
from workbench.web.wording.headings import headings_in
from workbench.web.wording.i18n import N_, _, current_language
from workbench.web.wording.messages import shown
from workbench.web.wording.words import person_word

FORMAT_WORDS = {
    "jsonl": N_("JSONL"),
    "csv": N_("CSV, for Excel"),
    "datasets": N_("Hugging Face datasets"),
}


def show_exports() -> None:
    with st.expander(_("Export all labels"), key="exports"):
        _form()
        if exports := list_exports(project()):
            html(table(map(_row, exports), (_("format"), _("posts"), _("when"), _("who"), _("files"))))
            quiet(*(f"{clock(_made(exports[0]))}: {shown(note)}" for note in exports[0].notes()))
            quiet(_("The newest five are kept."))


def _form() -> None:
    with st.form("export", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        form = st.segmented_control(
            _("Format"),
            list(FORMATS),
            default=FORMATS[0],
            required=True,
            format_func=lambda form: _(FORMAT_WORDS[form]),
            key="export-format",
        )
        has_audit = st.checkbox(
            _("With the sealed audit set"),
            key="export-audit",
            help=_("A person who has seen it can no longer be audited by it."),
        )
        is_sent = st.form_submit_button(_("Export"))
    if is_sent:
        with st.spinner(_("Writing …")):
            attempt(lambda account: _export(account, form, has_audit))
        st.rerun()


def _export(account: Account, form: str, has_audit: bool) -> None:
    headings = headings_in(COLUMNS, current_language())
    export_labels(project(), account, form=form, has_audit=has_audit, headings=headings)


def _row(export: Export) -> Sequence[Cell]:
    receipt = export.receipt
    return (
        _(FORMAT_WORDS[receipt["format"]]),
        receipt["posts"],
        clock(_made(export)),
        person_word(receipt["by"]),
        _links(export),
    )


def _made(export: Export) -> datetime:
    return datetime.fromisoformat(export.receipt["created"])


def _links(export: Export) -> Markup:
    """A folder of several files is downloaded as one archive."""
    name = export.folder.name
    if export.receipt["format"] == "datasets":
        return Markup('<a href="/download/labels/{0}.zip" download>{0}.zip</a>').format(name)
    link = Markup('<a href="/download/labels/{0}/{1}" download>{1}</a>')
    return Markup(" · ").join(link.format(name, file) for file in (*export.receipt["files"], RECEIPT))
