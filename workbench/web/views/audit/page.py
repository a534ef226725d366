"""Audit, for those who may read it: who did what, and whether any entry was changed since."""

from datetime import UTC, date
from urllib.parse import urlencode

import streamlit as st
from markupsafe import Markup

from workbench.accounts import Account, Right
from workbench.auditing import listing
from workbench.auditing.checking import Checked, check_audit
from workbench.auditing.listing import Entry, Page, Wanted, wanted_of
from workbench.errors import WorkbenchError
from workbench.web.current_project import project
from workbench.web.elements.cache import cached
from workbench.web.elements.markup import html
from workbench.web.elements.tables import Cell, spread, table
from workbench.web.elements.visible import post_text
from workbench.web.elements.widgets import (
    clock,
    local,
    note,
    pager,
    quiet,
    refusal,
    require_account,
    shortened,
)
from workbench.web.frame.title import title
from workbench.web.wording.audit_words import ACTION_WORDS, action_word, detail_words, subject_word
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.messages import shown
from workbench.web.wording.words import person_word

CHECKED_FOR_SECONDS = 3_600
LONGEST_SUBJECT, LONGEST_DETAIL = 48, 240
"""Characters of a cell; the export has all of them."""
COLUMN_WORDS = (N_("no."), N_("time"), N_("who"), N_("what was done"), N_("about"), N_("details"))
ANY = ""


def show() -> None:
    account = require_account()
    title(_("Audit"))
    if not account.may(Right.READ_AUDIT):
        note(_("This page is for those who may read the audit."))
        return
    try:
        _state(account)
        _search(account)
    except WorkbenchError as error:
        refusal(error)


@cached(CHECKED_FOR_SECONDS)
def _checked_of(_account: Account, home: str, turn: str) -> Checked:  # noqa: ARG001 - the cache's key
    return check_audit(project(), _account)


def _state(account: Account) -> None:
    """Verifying a million entries takes many seconds, so the result is kept and says its time."""
    turn = st.session_state.get("audit-turn", "")
    with st.spinner(_("Every entry is being checked.")):
        checked = _checked_of(account, str(project().home), turn)
    if checked.problem is not None:
        note(shown(checked.problem))
    line = _("Intact up to entry {number}, checked {when}.")
    when = f"{local(checked.at):%H:%M}"
    note(line.format(number=f"{checked.head.number:,}", when=when), is_done=checked.is_intact)
    if checked.is_intact:
        line = _("Head: {head}. Receipts that agree with it: {count}.")
        quiet(line.format(head=str(checked.head), count=f"{checked.receipts:,}"))
    if st.button(_("Check again"), key="audit-check"):
        st.session_state["audit-turn"] = project().now().isoformat()
        st.rerun()


def _search(account: Account) -> None:
    wanted, address = _wanted(account)
    cursors = _cursors(wanted)
    page = _find(account, wanted, cursors[-1])
    _notices(page)
    if page.entries:
        entries = table(map(_row, page.entries), [_(word) for word in COLUMN_WORDS])
        html(Markup('<div class="audit">{}</div>').format(spread(entries)))
    pager("audit-", page.after, cursors)
    link = Markup('<a href="{}" download>{}</a>')
    csv, jsonl = (f"/download/audit.{form}?{address}" for form in ("csv", "jsonl"))
    html(
        Markup(" · ").join(
            (
                link.format(csv, _("Take these entries away as CSV")),
                link.format(jsonl, _("as JSONL, with the digests in full")),
            )
        )
    )


def _find(account: Account, wanted: Wanted, before: int | None) -> Page:
    limits = {"most": listing.LISTED, "look_through": listing.LOOKED_THROUGH}
    return listing.find(project(), account, wanted, before=before, **limits)


@cached(60)
def _people_of(_account: Account, home: str) -> dict[int, str]:  # noqa: ARG001 - the cache's key
    return listing.people(project(), _account)


def _wanted(account: Account) -> tuple[Wanted, str]:
    """What is searched for, and the query of a download that holds it."""
    people = {
        str(number): person_word(name) for number, name in _people_of(account, str(project().home)).items()
    }
    actions = {action: action_word(action) for action in ACTION_WORDS}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        subject = st.text_input(_("About"), key="audit-subject", max_chars=200).strip()
        person = _choice(_("Person"), "audit-person", people)
        action = _choice(_("What was done"), "audit-action", actions)
        since = st.date_input(_("From"), None, key="audit-since")
        until = st.date_input(_("To"), None, key="audit-until")
    values = {"subject": subject, "person": person, "action": action}
    for name, day in (("since", since), ("until", until)):
        values[name] = day.isoformat() if isinstance(day, date) else ""
    given = {name: value for name, value in values.items() if value}
    given["zone"] = str(local(project().now()).tzinfo or UTC)
    return wanted_of(given), urlencode(given)


def _choice(title: str, key: str, options: dict[str, str]) -> str:
    chosen = st.selectbox(
        title,
        (ANY, *options),
        format_func=lambda option: post_text(options.get(option, "")) or _("any"),
        key=key,
        placeholder=_("any"),
    )
    return chosen or ANY


def _cursors(wanted: Wanted) -> list[int | None]:
    """Start of each page so far, the current one last. Another search resets them."""
    if "audit-pages" not in st.session_state or st.session_state["audit-pages"][0] != wanted:
        st.session_state["audit-pages"] = (wanted, [None])
    cursors: list[int | None] = st.session_state["audit-pages"][1]
    return cursors


def _notices(page: Page) -> None:
    if page.is_cut:
        text = _(
            "{count} entries were looked through for this page. Older ones may fit too: go on with “Older”."
        )
        note(text.format(count=f"{listing.LOOKED_THROUGH:,}"))
    elif not page.entries:
        note(_("No entry fits."), is_done=True)


def _row(entry: Entry) -> tuple[Cell, ...]:
    return (
        entry.number,
        clock(entry.at),
        _("the system") if entry.person is None else person_word(entry.person),
        action_word(entry.action),
        shortened(subject_word(entry.action, entry.subject), LONGEST_SUBJECT),
        shortened(detail_words(entry.action, entry.detail), LONGEST_DETAIL),
    )
