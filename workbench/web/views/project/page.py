"""What leads decide for the whole team: the guidelines, keys and reasons; and the verdicts for the forum."""

import streamlit as st

from workbench.web.elements.widgets import require_account, show_notice
from workbench.web.frame.title import title
from workbench.web.views.project.guidelines import guidelines
from workbench.web.views.project.options import options
from workbench.web.views.project.verdicts import show_verdicts
from workbench.web.wording.i18n import _


def show() -> None:
    account = require_account()
    title(_("Project"))
    show_notice()
    with st.container(key="project"):
        guidelines()
        options()
        show_verdicts(account)
