"""Ticked posts, and what is done with all of them: label, export."""

from collections.abc import Collection

import streamlit as st
from markupsafe import Markup

from trainer.labels import LABELS
from workbench.accounts import Account, Right
from workbench.posts import search
from workbench.posts.search import Filter
from workbench.review import bulk_labels
from workbench.review.bulk_labels import AT_MOST
from workbench.web.current_project import project
from workbench.web.elements.markup import QUIET, html
from workbench.web.elements.widgets import quiet
from workbench.web.views.posts.bulk_label import confirm_dialog, look_at
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_word


def ticked() -> set[int]:
    """Also of other pages and searches: fields that a run does not draw would forget it."""
    chosen: set[int] = st.session_state.setdefault("ticked", set())
    return chosen


def tick(post_id: int) -> None:
    key = f"tick-{post_id}"
    st.session_state[key] = post_id in ticked()
    st.checkbox(_("choose"), key=key, label_visibility="collapsed", on_change=_tick, args=(post_id,))


def tick_all(account: Account, wanted: Filter) -> None:
    title = _("Choose all of them")
    st.button(
        title, key="tick-all", type="tertiary", width="content", on_click=_tick_all, args=(account, wanted)
    )


def selection(account: Account, wanted: Filter) -> None:
    confirm_dialog()
    chosen = ticked()
    if not chosen:
        return
    with st.container(horizontal=True, key="selection", vertical_alignment="center"):
        html(Markup("<b>{}</b>").format(_("Chosen: {count}").format(count=f"{len(chosen):,}")))
        html(QUIET.format(_("Label as")))
        for label in LABELS:
            if st.button(f"{label_word(label)}…", key=f"look-{label}"):
                seen = bulk_labels.preview_of(project(), account, sorted(chosen), wanted)
                look_at(seen, label)
        if account.may(Right.EXPORT):
            html(_export_link(chosen))
        st.button(_("Choose none"), key="tick-none", type="tertiary", width="content", on_click=_tick_none)
    if len(chosen) > AT_MOST:
        quiet(_("At most {most} at a time, the newest first.").format(most=f"{AT_MOST:,}"))


def _export_link(chosen: Collection[int]) -> Markup:
    numbers = "&".join(f"post={number}" for number in sorted(chosen)[-AT_MOST:])
    return Markup('<a href="/download/posts.csv?{}" download>{}</a>').format(numbers, _("Export as CSV"))


def _tick(post_id: int) -> None:
    ticked().symmetric_difference_update({post_id})


def _tick_all(account: Account, wanted: Filter) -> None:
    page = search.find(project(), account, wanted, most=AT_MOST)
    ticked().update(post.post_id for post in page.posts)


def _tick_none() -> None:
    ticked().clear()
