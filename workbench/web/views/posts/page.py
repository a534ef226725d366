"""Posts: what there is, bring more in, take labels out."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from workbench.accounts import Account, Right
from workbench.exports.jsonl import FILES
from workbench.posts import search
from workbench.posts.search import ListedImport
from workbench.queue.status import Status, read_status
from workbench.rounds import lifecycle
from workbench.web.elements.widgets import (
    bar,
    clock,
    figures,
    heading,
    one_line,
    require_account,
    show_notice,
)
from workbench.web.opened import project
from workbench.web.views.posts.bulk_label import bulks
from workbench.web.views.posts.history import post_history
from workbench.web.views.posts.import_file import import_file
from workbench.web.views.posts.search import keep_filter, post_search
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
    """The screen."""
    account = require_account()
    number = st.query_params.get("post")
    with st.container(key="wide"):
        bar(account, "/posts")
        show_notice()
        if number is not None and account.may(Right.REVIEW):
            keep_filter()
            post_history(account, number)
        else:
            _overview(account)


def _overview(account: Account) -> None:
    is_lead = account.may(Right.IMPORT)
    with project().database.read() as session:
        imports = search.imports_by_date(session)
        exported = [entry["number"] for entry in lifecycle.history(session)]
    status = read_status(project())
    _figures(status)
    if is_lead:
        with st.expander(
            _("Import a forum's TSV"),
            expanded=not imports or "receipt" in st.session_state,
            key="import-file",
        ):
            import_file()
    if status.posts:
        post_search(account)
    if account.may(Right.REVIEW):
        bulks(account)
    if imports:
        heading(_("Imports"))
        st.html(_imports_table(imports, is_lead))
    if is_lead:
        _exports(exported)


def _figures(status: Status) -> None:
    values = [
        (_("posts"), f"{status.posts:,}"),
        (_("labelled"), f"{status.labelled:,}"),
        (_("left for the team"), f"{status.queued:,}"),
    ]
    if status.champion is not None:
        values.append((_("model unsure"), f"{status.in_band:,}"))
    if status.preparing:
        values.append((_("being prepared"), f"{status.preparing:,}"))
    if status.quarantined:
        values.append((_("set aside (near-copies on two sides of a split)"), f"{status.quarantined:,}"))
    figures(values)


def _imports_table(imports: Sequence[ListedImport], is_lead: bool) -> str:
    names = (_("file"), _("state"), _("new"), _("known already"), _("unreadable"), _("when"), _("who"))
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = "".join(_import_row(entry, is_lead) for entry in imports)
    return f'<table class="rows"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _import_row(entry: ListedImport, is_lead: bool) -> str:
    unreadable = f"{entry.rejected:,}"
    if entry.rejected and is_lead:
        unreadable = f'<a href="/download/imports/{entry.id}/unreadable.tsv" download>{unreadable}</a>'
    cells = (
        one_line(entry.file_name),
        _state(entry),
        f"{entry.accepted:,}",
        f"{entry.duplicates:,}",
        unreadable,
        clock(entry.started_at),
        one_line(person_word(entry.by or "")),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _state(entry: ListedImport) -> str:
    """With the reason, where preparing failed."""
    state = escape(_(IMPORT_STATES[entry.state]))
    return f"{state}<br><small>{one_line(shown(entry.failure))}</small>" if entry.failure else state


def _exports(numbers: Sequence[int]) -> None:
    rows = "".join(row for number in numbers if (row := _export_row(number)))
    if rows:
        heading(_("What each round learned from and was judged by"))
        st.html(f'<table class="rows"><tbody>{rows}</tbody></table>')


def _export_row(number: int) -> str:
    links = [
        f'<td><a href="/download/rounds/{number}/{name}" download>{name}</a></td>'
        for name in FILES
        if (project().export_folder(number) / name).is_file()
    ]
    return (
        f"<tr><th>{escape(_('Round {number}').format(number=number))}</th>{''.join(links)}</tr>"
        if links
        else ""
    )
