"""Comments of annotators that no lead has answered."""

import streamlit as st
from markupsafe import Markup

from workbench.review.comments import waiting_discussions
from workbench.web.current_project import project
from workbench.web.elements.comments import discussion
from workbench.web.elements.comments.waiting import count_now, renew_if_changed
from workbench.web.elements.markup import html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import require_account, show_notice
from workbench.web.views.review import layout
from workbench.web.wording.i18n import _


@st.fragment
def show() -> None:
    account = require_account()
    show_notice()
    shown = waiting_discussions(project(), account)
    if not shown:
        layout.empty(
            _("No comment waits for an answer."),
            _("What annotators answer to the questions of leads comes here."),
        )
    for one in shown:
        html(Markup('<div class="post small" dir="auto" lang="zh">{}</div>').format(post_html(one.text)))
        discussion.show(one)
    renew_if_changed(count_now(account))
