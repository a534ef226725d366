"""The script Streamlit runs for every visitor: the frame around the screens, nothing else."""

import streamlit as st

from workbench.web.i18n import _
from workbench.web.views import label, posts, rounds
from workbench.web.widgets import STYLE

st.set_page_config(page_title=_("Moderation workbench"), layout="centered")
st.html(STYLE)
st.navigation(
    [
        st.Page(label.show, title=_("Label"), url_path="label", default=True),
        st.Page(rounds.show, title=_("Rounds"), url_path="rounds"),
        st.Page(posts.show, title=_("Posts"), url_path="posts"),
    ],
    position="top",
).run()
