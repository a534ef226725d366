"""The Streamlit script, run for every session: page configuration, style sheet and navigation."""

import streamlit as st

from workbench.web.elements.comments.waiting import count_for_navigation, page_of_comments
from workbench.web.elements.markup import show_style
from workbench.web.identity import current_account
from workbench.web.pages import HOME, PAGES
from workbench.web.wording.i18n import _

st.set_page_config(page_title=_("Moderation workbench"), layout="centered")
show_style()
account = current_account()
counts = {page_of_comments(account): count_for_navigation(account)} if account is not None else {}
pages = [
    st.Page(
        page.show,
        title=f"{_(page.title)} ({count})" if (count := counts.get(page.name)) else _(page.title),
        url_path=page.name,
        default=page is HOME,
        visibility="visible" if page.is_in_navigation else "hidden",
    )
    for page in PAGES
    if page.is_open_to(account)
]
st.navigation(pages, position="top").run()
