"""Label the chosen posts at once: preview, confirm, take back."""

from collections.abc import Collection

import pandas
import streamlit as st
from markupsafe import Markup

from workbench.accounts import Account
from workbench.review import bulk_labels
from workbench.review.bulk_labels import Bulk, Preview
from workbench.web.current_project import project
from workbench.web.elements.markup import html
from workbench.web.elements.visible import post_text
from workbench.web.elements.widgets import attempt, clock, heading, note, shortened
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_html, label_word, person_word

TEXT_SHOWN = 100


def look_at(seen: Preview, label: str) -> None:
    """Show the preview in a dialog from the next run on."""
    st.session_state["bulk-seen"] = (seen, label)
    st.rerun()


def confirm_dialog() -> None:
    """Drawn by every run while a preview waits to be confirmed."""
    if "bulk-seen" in st.session_state:
        st.dialog(_("Label the chosen posts"), width="large", on_dismiss=_leave)(_dialog)()


def _dialog() -> None:
    seen: tuple[Preview, str] | None = st.session_state.get("bulk-seen")
    if seen is not None:
        with st.container(key="bulk"):
            _confirm(*seen)


def _leave() -> None:
    st.session_state.pop("bulk-seen", None)


def _confirm(seen: Preview, label: str) -> None:
    text = _("{count} posts would be labelled:").format(count=f"{len(seen.posts):,}")
    left = [
        _("{count} have a label already").format(count=f"{seen.labelled:,}") if seen.labelled else "",
        _("{count} are kept for checking the model").format(count=f"{seen.held_out:,}")
        if seen.held_out
        else "",
        _("{count} wait for a lead, who was asked").format(count=f"{seen.asked:,}") if seen.asked else "",
        _("more may fit, these are the newest") if seen.is_cut else "",
    ]
    html(Markup("<div>{} {}</div>").format(text, label_html(label)))
    if any(left):
        note("; ".join(part for part in left if part))
    ticked = _tick(seen, label)
    count = len(ticked)
    with st.container(horizontal=True):
        title = _("Label {count} posts as {label}").format(count=f"{count:,}", label=label_word(label))
        if st.button(title, type="primary", key=f"label-all-{label}", disabled=not count):
            attempt(lambda account: _label(account, seen, label, ticked))
            st.rerun()
        if st.button(_("Leave them as they are"), key="bulk-cancel"):
            _leave()
            st.rerun()


def _tick(seen: Preview, label: str) -> frozenset[int]:
    """The posts with their labels before and after the step; returns the numbers of those that stay ticked."""
    if not seen.posts:
        return frozenset()
    names = (_("include"), _("id"), _("text"), _("before"), _("after"))
    before, after = _("not labelled"), label_word(label)
    rows = [
        (True, post_text(post.external_id), post_text(shortened(post.text, TEXT_SHOWN)), before, after)
        for post in seen.posts
    ]
    edited = st.data_editor(
        pandas.DataFrame(rows, columns=list(names)),
        hide_index=True,
        disabled=names[1:],
        column_config={names[0]: st.column_config.CheckboxColumn(width="small")},
        key=f"bulk-ticks-{label}",
    )
    return frozenset(
        post.post_id for post, is_ticked in zip(seen.posts, edited[names[0]], strict=True) if is_ticked
    )


def _label(account: Account, seen: Preview, label: str, ticked: Collection[int]) -> None:
    st.session_state.pop("bulk-seen", None)
    st.session_state.pop("ticked", None)
    bulk = bulk_labels.label_all(project(), account, seen, label, ticked=ticked)
    st.session_state["bulk-done"] = _(
        "{count} posts were labelled {label}. It can be taken back below."
    ).format(count=f"{bulk.posts:,}", label=label_word(label))


def bulks(account: Account) -> None:
    if done := st.session_state.pop("bulk-done", None):
        note(done, is_done=True)
    newest = bulk_labels.newest(project(), account)
    if newest:
        heading(_("Labelled in one go"))
    for one in newest:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            html(_line(one))
            if one.standing and st.button(_("Take back"), key=f"take-back-{one.id}", width="content"):
                attempt(lambda account, one=one: _take_back(account, one))  # type: ignore[misc]
                st.rerun()


def _line(one: Bulk) -> Markup:
    stands = _("{standing} of {count} posts still stand").format(
        standing=f"{one.standing:,}", count=f"{one.posts:,}"
    )
    if not one.standing:
        stands = _("{count} posts, nothing of it stands any more").format(count=f"{one.posts:,}")
    line = Markup('<div class="facts"><span>{}</span><span>{}</span>{}<span>{}</span></div>')
    return line.format(clock(one.at), person_word(one.by), label_html(one.label), stands)


def _take_back(account: Account, one: Bulk) -> None:
    count = bulk_labels.take_back(project(), account, one.id)
    st.session_state["bulk-done"] = _("{count} posts are as they were before.").format(count=f"{count:,}")
