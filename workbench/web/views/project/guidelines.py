"""The guidelines: written as plain text, looked at, published as a version."""

import streamlit as st
from markupsafe import Markup

from workbench.accounts import Account
from workbench.labelling.guidelines import LONGEST, publish, text_in_force, version_in_force, without_rulings
from workbench.web.current_project import project
from workbench.web.elements.guidelines import DEFAULT_GUIDELINES
from workbench.web.elements.markup import html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import attempt, heading, quiet
from workbench.web.wording.i18n import _

PREVIEW = Markup('<div class="preview" dir="auto" role="region" aria-label="{}" tabindex="0">{}</div>')
"""With the tabulator key it is reached, to be scrolled."""


def guidelines() -> None:
    with project().database.read() as session:
        version, text = version_in_force(session), without_rulings(text_in_force(session))
    heading(_("Guidelines"))
    quiet(
        _("Plain text: lines stay as they are written. Rulings are added below by themselves."),
        _("Version {number} is in force.").format(number=version)
        if version
        else _("The default text is in force."),
    )
    # Kept with the version that it changes, so that what is half written survives a version of another lead.
    based_on: int = st.session_state.setdefault("guidelines-version", version)
    left, right = st.columns(2, gap="medium")
    with left:
        written = st.text_area(
            _("Text"),
            text or _(DEFAULT_GUIDELINES),
            height=320,
            max_chars=LONGEST,
            key=f"guidelines-text-{based_on}",
        )
    with right, st.container(gap=None):
        name = _("As annotators will read it")
        html(Markup('<div class="field">{}</div>').format(name))
        html(PREVIEW.format(name, post_html(written)))
    is_changed = written.strip() != text.strip()
    if st.button(_("Publish"), key="publish", type="primary", disabled=not is_changed):
        attempt(lambda account: _publish(account, written, based_on))
        st.rerun()


def _publish(account: Account, text: str, based_on: int) -> None:
    number = publish(project(), account, text, based_on=based_on)
    st.session_state["guidelines-version"] = number
