"""All labels to take away: make an export, then download its files."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

import streamlit as st

from workbench.accounts import Account
from workbench.exports.labelled_posts import FORMATS, RECEIPT, Export, export_labels, made_exports
from workbench.web.elements.widgets import attempt, clock, heading, one_line
from workbench.web.opened import project
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import person_word

FORMAT_WORDS = {
    "jsonl": N_("JSONL"),
    "csv": N_("CSV, for Excel"),
    "datasets": N_("Hugging Face datasets"),
}


def show_exports() -> None:
    """The form, and what was made of late."""
    heading(_("Export all labels"))
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
            help=_("Whoever has seen it can no longer be audited by it."),
        )
        is_sent = st.form_submit_button(_("Export"))
    if is_sent:
        with st.spinner(_("Writing …")):
            attempt(lambda account: _export(account, form, has_audit))
        st.rerun()
    if made := made_exports(project()):
        st.html(_table(made))
        st.html(f'<div class="quiet">{escape(_("The newest five are kept."))}</div>')


def _export(account: Account, form: str, has_audit: bool) -> None:
    export_labels(project(), account, form=form, has_audit=has_audit)


def _table(made: Sequence[Export]) -> str:
    names = (_("format"), _("posts"), _("when"), _("who"), _("files"))
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    return (
        f'<table class="rows"><thead><tr>{head}</tr></thead><tbody>{"".join(map(_row, made))}</tbody></table>'
    )


def _row(export: Export) -> str:
    receipt = export.receipt
    cells = (
        escape(_(FORMAT_WORDS[receipt["format"]])),
        f"{receipt['posts']:,}",
        clock(datetime.fromisoformat(receipt["created"])),
        one_line(person_word(receipt["by"])),
        _links(export),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _links(export: Export) -> str:
    """A folder of several files goes as one archive."""
    name = export.folder.name
    if export.receipt["format"] == "datasets":
        return f'<a href="/download/labels/{name}.zip" download>{name}.zip</a>'
    files = (*export.receipt["files"], RECEIPT)
    return " · ".join(f'<a href="/download/labels/{name}/{file}" download>{file}</a>' for file in files)
