"""The comments on one post, and a field to add one."""

from functools import partial

import streamlit as st
from markupsafe import Markup

from workbench.accounts import Account
from workbench.review import comments
from workbench.review.comments import LONGEST, Discussion, Remark
from workbench.web.current_project import project
from workbench.web.elements.markup import NOTHING, html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import attempt, clock
from workbench.web.wording.i18n import _
from workbench.web.wording.words import ROLE_WORDS, person_word

FIELD_HEIGHT = 80


def show(discussion: Discussion) -> None:
    """The keys of the page rest while the field has the focus."""
    if discussion.remarks:
        html(Markup('<div class="comments">{}</div>').format(NOTHING.join(map(_remark, discussion.remarks))))
    post, field = discussion.post_id, f"comment-{discussion.post_id}"
    with st.form(key=f"say-{post}", border=False), st.container(gap="small"):
        st.text_area(_("Comment"), key=field, max_chars=LONGEST, height=FIELD_HEIGHT)
        with st.container(horizontal=True):
            st.form_submit_button(
                _("Send"), on_click=attempt, args=(partial(_say, post_id=post, field=field),)
            )
            if discussion.waits_from:
                st.form_submit_button(
                    _("Read, no answer needed"),
                    type="tertiary",
                    on_click=attempt,
                    args=(partial(_mark_read, post_id=post, up_to=discussion.waits_from),),
                )


def _say(account: Account, post_id: int, field: str) -> None:
    comments.say(project(), account, post_id, st.session_state.get(field) or "")
    st.session_state[field] = ""


def _mark_read(account: Account, post_id: int, up_to: int) -> None:
    comments.mark_read(project(), account, post_id, up_to)


def _remark(remark: Remark) -> Markup:
    line = Markup('<div class="{}"><span class="quiet">{} · {}</span><p dir="auto">{}</p></div>')
    side = "me" if remark.is_mine else ""
    return line.format(side, _who(remark), clock(remark.at), post_html(remark.text))


def _who(remark: Remark) -> str:
    if remark.is_mine:
        return _("you")
    name = person_word(remark.name) if remark.name else ""
    return " · ".join(filter(None, (name, _(ROLE_WORDS[remark.role]))))
