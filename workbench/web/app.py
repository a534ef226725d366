"""The Streamlit script, run for every session: page configuration, style sheet, header and navigation."""

import streamlit as st

from workbench.web.elements.comments.waiting import count_for_navigation, page_of_comments
from workbench.web.elements.markup import show_style
from workbench.web.frame.header import Link, header
from workbench.web.frame.welcome import welcome
from workbench.web.identity import current_account
from workbench.web.pages import HOME, PAGES
from workbench.web.wording.i18n import _

st.set_page_config(page_title=_("Moderation workbench"), layout="wide")
show_style()
account = current_account()
pages = {
    page: st.Page(page.show, title=_(page.title), url_path=page.name, default=page is HOME)
    for page in PAGES
    if page.is_open_to(account)
}
shown = st.navigation(list(pages.values()), position="hidden")
if account is not None:
    counts = {page_of_comments(account): count_for_navigation(account)}
    links = [
        Link(entry, _(page.title), counts.get(page.name, 0))
        for page, entry in pages.items()
        if page.is_in_navigation
    ]
    header(account, links, here=f"/{shown.url_path}")
    welcome(account, {page.name: entry for page, entry in pages.items()})
shown.run()
