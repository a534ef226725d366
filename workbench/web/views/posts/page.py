"""Posts: figures, import, search, bulk labels, past imports, training files."""

from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup, escape

from workbench.accounts import Account, Right
from workbench.exports.jsonl import FILES
from workbench.posts import search
from workbench.posts.search import ListedImport
from workbench.queue.status import Status, read_status
from workbench.rounds import lifecycle
from workbench.web.current_project import project
from workbench.web.elements.markup import NOTHING, html
from workbench.web.elements.tables import Cell, spread, table
from workbench.web.elements.widgets import (
    clock,
    heading,
    quiet,
    require_account,
    show_notice,
)
from workbench.web.frame.title import title
from workbench.web.views.posts.bulk_label import bulks
from workbench.web.views.posts.history import post_history
from workbench.web.views.posts.importing.dialog import import_button, import_dialog
from workbench.web.views.posts.search import post_search
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.messages import shown
from workbench.web.wording.words import person_word

IMPORT_STATES = {
    "storing": N_("being read"),
    "stored": N_("being prepared"),
    "prepared": N_("ready"),
    "failed": N_("failed, nothing kept"),
}


def show() -> None:
    account = require_account()
    is_lead = account.may(Right.IMPORT)
    with project().database.read() as session:
        imports = search.imports_by_date(session)
        exported = [entry["number"] for entry in lifecycle.history(session)]
    status = read_status(project())
    with st.container(horizontal=True, key="posts-head", vertical_alignment="bottom"):
        title(_("Posts"), _figures(status))
        if is_lead:
            import_button()
    if is_lead:
        import_dialog()
    show_notice()
    _posts(account, status)
    if account.may(Right.REVIEW):
        bulks(account)
    if imports:
        heading(_("Imports"))
        _imports(imports, is_lead)
    if is_lead:
        _exports(exported)


def _posts(account: Account, status: Status) -> None:
    """The list, and beside it the history of the post that is opened."""
    number = st.query_params.get("post") if account.may(Right.REVIEW) else None
    if number is None:
        if status.posts:
            post_search(account, status.posts)
        else:
            quiet(_("Imported posts are listed here, searched and labelled."))
        return
    with st.container(key="beside"):
        found, beside = st.columns((5, 4), gap="medium")
        with beside, st.container(key="history"):
            post_history(account, number)
        with found:
            post_search(account, status.posts)


def _figures(status: Status) -> Markup:
    values = [
        (_("posts"), status.posts),
        (_("labelled"), status.labelled),
        (_("left for the team"), status.queued),
    ]
    if status.champion is not None:
        values.append((_("model unsure"), status.in_band + status.below_band))
    if status.preparing:
        values.append((_("being prepared"), status.preparing))
    if status.quarantined:
        values.append((_("set aside (near-copies on two sides of a split)"), status.quarantined))
    # Chinese names a figure before its value.
    figure = Markup("<span>{}</span>").format(_("{value} {word}"))
    bold = Markup("<b>{:,}</b>")
    return NOTHING.join(figure.format(value=bold.format(value), word=word) for word, value in values)


def _imports(imports: Sequence[ListedImport], is_lead: bool) -> None:
    headings = (_("file"), _("state"), _("new"), _("known already"), _("unreadable"), _("when"), _("who"))
    html(spread(table((_import_row(entry, is_lead) for entry in imports), headings)))


def _import_row(entry: ListedImport, is_lead: bool) -> Sequence[Cell]:
    unreadable: Cell = entry.rejected
    if entry.rejected and is_lead:
        link = Markup('<a href="/download/imports/{}/unreadable.tsv" download>{:,}</a>')
        unreadable = link.format(entry.id, entry.rejected)
    return (
        entry.file_name,
        _state(entry),
        entry.accepted,
        entry.duplicates,
        unreadable,
        clock(entry.started_at),
        person_word(entry.by or ""),
    )


def _state(entry: ListedImport) -> Markup:
    state = escape(_(IMPORT_STATES[entry.state]))
    return state + Markup("<br><small>{}</small>").format(shown(entry.failure)) if entry.failure else state


def _exports(numbers: Sequence[int]) -> None:
    links = {number: _export_links(number) for number in numbers}
    rows = [(_("Round {number}").format(number=number), *row) for number, row in links.items() if row]
    if rows:
        heading(_("What each round learned from and was judged by"))
        html(table(rows, has_titles=True))


def _export_links(number: int) -> list[Markup]:
    link = Markup('<a href="/download/rounds/{0}/{1}" download>{1}</a>')
    folder = project().export_folder(number)
    return [link.format(number, name) for name in FILES if (folder / name).is_file()]
