"""The keys of the labels, and the reasons with theirs."""

from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup

from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.labelling.options import Options, set_options
from workbench.settings import FREE_KEYS, LONGEST_REASON, MOST_REASONS
from workbench.web import current_project
from workbench.web.current_project import project
from workbench.web.elements.markup import html
from workbench.web.elements.widgets import attempt, heading, quiet
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_word

FIRST_KEY = 4


def options() -> None:
    now = Options.of(project().settings)
    heading(_("Keys and reasons"))
    with st.form("options", border=False):
        with st.container(horizontal=True, key="label-keys"):
            first, second, third = (
                _key(label, key) for label, key in zip(LABELS, now.label_keys, strict=True)
            )
        left, right = st.columns(2, gap="medium")
        with left:
            violation = _reasons(_("Reasons for a violation"), "violation", now.violation_reasons)
        with right:
            skip = _reasons(_("Reasons for a skip"), "skip", now.skip_reasons)
        quiet(_("Each reason has the key before it. Answers keep a reason that is no longer offered."))
        is_sent = st.form_submit_button(_("Save"), key="options-save")
    if is_sent:
        attempt(lambda account: _save(account, Options((first, second, third), violation, skip)))
        st.rerun()


def _key(label: str, key: str) -> str:
    chosen: str = st.selectbox(
        _("Key of {label}").format(label=label_word(label)),
        tuple(FREE_KEYS),
        index=FREE_KEYS.index(key),
        format_func=str.upper,
        filter_mode=None,
        key=f"key-{label}",
        width=160,
    )
    return chosen


def _reasons(title: str, name: str, reasons: Sequence[str]) -> tuple[str, ...]:
    """A field for each key; empty ones are left out, and those below move up."""
    html(Markup('<div class="field">{}</div>').format(title))
    padded = [*reasons, *[""] * (MOST_REASONS - len(reasons))]
    written = [
        st.text_input(
            f"{title}, {key}",
            reason,
            key=f"{name}-reason-{key}",
            max_chars=LONGEST_REASON,
            icon=f":material/counter_{key}:",
            label_visibility="collapsed",
        )
        for key, reason in enumerate(padded, start=FIRST_KEY)
    ]
    return tuple(filter(None, map(str.strip, written)))


def _save(account: Account, chosen: Options) -> None:
    set_options(project(), account, chosen)
    current_project.project.cache_clear()
