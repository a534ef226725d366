"""From a case to a ruling on all cases of its kind: write, look at what it touches, put it in force."""

from collections.abc import Sequence
from functools import partial
from itertools import combinations

import streamlit as st
from markupsafe import Markup, escape

from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.posts.query import LONGEST_QUERY
from workbench.review import rulings
from workbench.review.cases import OpenCase
from workbench.review.rulings import LONGEST_KIND, LONGEST_TITLE, Draft, Preview
from workbench.web.current_project import project
from workbench.web.elements.markup import each, html
from workbench.web.elements.visible import post_html, post_text
from workbench.web.elements.widgets import attempt, note, quiet, shortened, show_notice
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_html, label_word, reason_word

SEEN = "ruling-seen"
TEXT_SHOWN = 80


def show(case: OpenCase, others: Sequence[OpenCase]) -> None:
    with st.expander(_("Settle this kind"), key=f"settle-kind-{case.post_id}"):
        quiet(
            _(
                "One ruling for all posts of a kind: the guidelines get it, this case is decided by it, and older labels "
                "that it contradicts come back for a look. No label changes by itself."
            )
        )
        draft = _draft(case, others)
        # Not by a callback, which would get the draft as it was before the last field changed.
        if st.button(_("See what it touches"), key="ruling-look"):
            attempt(partial(_look, draft=draft))
            show_notice()
        seen: Preview | None = st.session_state.get(SEEN)
        if seen is not None and seen.draft == draft:
            _confirm(seen, case)


def _draft(case: OpenCase, others: Sequence[OpenCase]) -> Draft:
    at = case.post_id
    title = st.text_input(_("Title"), key=f"ruling-title-{at}", max_chars=LONGEST_TITLE)
    kind = st.text_area(
        _("The kind of post, in words that annotators will read"),
        key=f"ruling-kind-{at}",
        max_chars=LONGEST_KIND,
        height=100,
    )
    with st.container(horizontal=True):
        label = st.selectbox(
            _("Label of them all"),
            LABELS,
            index=None,
            format_func=label_word,
            placeholder=_("choose one"),
            key=f"ruling-label-{at}",
        )
        reason = st.selectbox(
            _("Reason"),
            project().settings.violation_reasons,
            index=None,
            format_func=reason_word,
            placeholder=_("none"),
            key=f"ruling-reason-{at}",
        )
    quiet(
        _("Which older labels it touches: those of posts with all these words and with both of these labels.")
    )
    with st.container(horizontal=True):
        words = st.text_input(_("Words in the post"), key=f"ruling-words-{at}", max_chars=LONGEST_QUERY)
        pair = st.selectbox(
            _("Labelled differently"),
            tuple(combinations(LABELS, 2)),
            index=None,
            format_func=lambda pair: " · ".join(map(label_word, pair)),
            placeholder=_("does not matter"),
            key=f"ruling-pair-{at}",
        )
    texts = {one.post_id: _option(one) for one in others}
    examples = st.multiselect(
        _("Other cases of this kind"),
        list(texts),
        format_func=lambda post: texts.get(post, ""),
        placeholder=_("none chosen"),
        key=f"ruling-cases-{at}",
    )
    return Draft(title, kind, label or "", at, reason, words.strip(), pair, frozenset(examples))


def _option(case: OpenCase) -> str:
    return post_text(f"{case.external_id} · {shortened(case.text, TEXT_SHOWN)}")


def _look(account: Account, draft: Draft) -> None:
    st.session_state.pop(SEEN, None)
    st.session_state[SEEN] = rulings.preview(project(), account, draft)


def _confirm(seen: Preview, case: OpenCase) -> None:
    line = escape(_("{count} labelled posts would come back for a look at {label}.")).format(
        count=f"{seen.posts:,}", label=label_html(seen.draft.label)
    )
    html(Markup('<p class="last">{}</p>').format(line))
    if seen.is_cut:
        note(_("More are touched: these are the newest. The list of rulings can look for more."))
    rows = each(
        Markup('<p dir="auto">{}</p>'), (post_html(shortened(one.text, TEXT_SHOWN)) for one in seen.shown)
    )
    if rows:
        html(Markup('<div class="copies">{}</div>').format(rows))
    if st.button(_("Put the ruling in force"), type="primary", key="ruling-settle"):
        attempt(partial(_settle, draft=seen.draft, instead_of=case.decision_id))
        st.rerun()


def _settle(account: Account, draft: Draft, instead_of: int | None) -> None:
    st.session_state.pop(SEEN, None)
    rulings.settle(project(), account, draft, instead_of=instead_of)
    st.session_state["notice"] = _(
        "The ruling is in force, and a new version of the guidelines says so. Older labels wait under “Old label, new rule”."
    )
