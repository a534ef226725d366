"""The script Streamlit runs for every visitor: the frame around the screens, nothing else."""

import streamlit as st

from workbench.accounts import Right
from workbench.web.i18n import _
from workbench.web.identity import current_account
from workbench.web.views import label, overview, posts, radar, review, rounds, thresholds
from workbench.web.widgets import STYLE

st.set_page_config(page_title=_("Moderation workbench"), layout="centered")
st.html(STYLE)
pages = [
    st.Page(label.show, title=_("Label"), url_path="label", default=True),
    st.Page(rounds.show, title=_("Rounds"), url_path="rounds"),
    st.Page(posts.show, title=_("Posts"), url_path="posts"),
]
account = current_account()
if account is not None and account.may(Right.REVIEW):
    pages.insert(1, st.Page(overview.show, title=_("Overview"), url_path="overview"))
if account is not None and account.may(Right.SET_POLICY):
    pages.append(st.Page(thresholds.show, title=_("Thresholds"), url_path="thresholds"))
if account is not None and account.may(Right.REVIEW):
    pages.append(st.Page(review.show, title=_("Review"), url_path="review"))
    pages.append(st.Page(radar.show, title=_("Radar"), url_path="radar"))
st.navigation(pages, position="top").run()
