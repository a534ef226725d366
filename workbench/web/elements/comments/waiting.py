"""The number of comments that wait for the reader, in the navigation, and its renewal."""

import streamlit as st

from workbench.accounts import Account, Right
from workbench.review.comments import count_waiting
from workbench.web.current_project import project

SHOWN = "comments-waiting"


def page_of_comments(account: Account) -> str:
    return "review" if account.may(Right.REVIEW) else "label"


def count_for_navigation(account: Account) -> int:
    count = count_now(account)
    st.session_state[SHOWN] = count
    return count


def count_now(account: Account) -> int:
    with project().database.read() as session:
        return count_waiting(session, account)


def renew_if_changed(count: int) -> None:
    """A fragment reruns alone: if the navigation shows another number, the whole page reruns."""
    if st.session_state.get(SHOWN, count) != count:
        st.rerun()
