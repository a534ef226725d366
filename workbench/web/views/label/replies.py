"""Below the desk: what the leads have said about the posts that the annotator asked about."""

import streamlit as st
from markupsafe import Markup

from workbench.review.comments import Discussion, discussions
from workbench.web.current_project import project
from workbench.web.elements.comments import discussion
from workbench.web.elements.comments.waiting import count_now, renew_if_changed
from workbench.web.elements.markup import html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import require_account, show_notice
from workbench.web.wording.i18n import _


@st.fragment
def show() -> None:
    account = require_account()
    shown = discussions(project(), account)
    if shown:
        with st.expander(_title(shown), key="replies"):
            show_notice()
            for one in shown:
                html(
                    Markup('<div class="post small" dir="auto" lang="zh">{}</div>').format(
                        post_html(one.text)
                    )
                )
                discussion.show(one)
    renew_if_changed(count_now(account))


def _title(shown: list[Discussion]) -> str:
    waiting = sum(one.waits_from > 0 for one in shown)
    return (
        _("Answers for you: {count}").format(count=waiting) if waiting else _("Your questions to the leads")
    )
