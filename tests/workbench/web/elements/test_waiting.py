"""The number in the navigation follows the comments that come while a fragment reruns alone."""

from streamlit.testing.v1 import AppTest

from tests.workbench.making import add_label, posts_of, ready_queue
from tests.workbench.web.conftest import VisitAs
from workbench.accounts import Account
from workbench.project import Project
from workbench.review import comments
from workbench.web.elements.comments.waiting import page_of_comments


def screen() -> None:
    import streamlit as st  # noqa: PLC0415 - AppTest runs this function's source alone

    from workbench.web.elements.comments.waiting import (  # noqa: PLC0415
        count_for_navigation,
        count_now,
        renew_if_changed,
    )
    from workbench.web.elements.widgets import require_account  # noqa: PLC0415

    account = require_account()
    st.text(f"navigation: {count_for_navigation(account)}")
    if "arrives" in st.session_state:
        st.session_state.pop("arrives")()
    renew_if_changed(count_now(account))


def test_the_page_reruns_when_another_number_waits(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead)
    post = posts_of(project, "pool")[0]
    add_label(project, ann, post, "normal", is_flagged=True)
    visit_as(ann)
    app = AppTest.from_function(screen, default_timeout=10).run()
    assert app.text[0].value == "navigation: 0"
    app.session_state["arrives"] = lambda: comments.say(project, lead, post, "see rule 3")
    app.run()
    assert app.text[0].value == "navigation: 1"


def test_leads_find_comments_on_the_review_page(lead: Account, ann: Account) -> None:
    assert (page_of_comments(lead), page_of_comments(ann)) == ("review", "label")
