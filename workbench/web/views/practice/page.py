"""Ten posts whose answers are explained. Nothing is stored: it is for trying out."""

import streamlit as st
from markupsafe import Markup

from trainer.labels import LABELS
from workbench.web.elements.markup import html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import quiet, require_account
from workbench.web.frame.title import title
from workbench.web.views.practice.posts import POSTS, Practice
from workbench.web.wording.i18n import _
from workbench.web.wording.words import LABEL_WORDS

_ANSWERS = "practice-answers"
KEYS = ("1", "2", "3")


def show() -> None:
    require_account()
    answers: list[str] = st.session_state.setdefault(_ANSWERS, [])
    is_over = len(answers) == len(POSTS)
    title(_("Practice"), Markup("<span>{}</span>").format(_progress(answers)))
    quiet(
        _(
            "Nothing is stored here. The guidelines of your own forum may differ: G shows them on the Label page."
        )
    )
    if answers:
        _explain(POSTS[len(answers) - 1], answers[-1])
    if is_over:
        _end(answers)
        return
    post = POSTS[len(answers)]
    html(Markup('<div class="post">{}</div>').format(post_html(post.text)))
    with st.container(key="practice-answers"):
        for column, label, key in zip(st.columns(len(LABELS)), LABELS, KEYS, strict=True):
            # The number of the post is part of the key, so that a double press does not answer the next one.
            column.button(
                _(LABEL_WORDS[label]), key=f"practice-{len(answers)}-{label}", shortcut=key, width="stretch",
                on_click=_answer, args=(len(answers), label),
            )  # fmt: skip


def _progress(answers: list[str]) -> str:
    return _("{done} of {all}").format(done=len(answers), all=len(POSTS))


def _answer(number: int, label: str) -> None:
    answers = st.session_state[_ANSWERS]
    if number == len(answers):
        answers.append(label)


def _explain(post: Practice, answer: str) -> None:
    is_right = answer == post.label
    line = Markup(
        '<div class="practised{}" role="status"><p class="text">{}</p>'
        '<p><b>{}</b> <span class="label {}">{}</span></p><p>{}</p></div>'
    )
    verdict = _("As we would answer:") if is_right else _("We would answer:")
    html(
        line.format(
            "" if is_right else " other",
            post_html(post.text),
            verdict,
            post.label,
            _(LABEL_WORDS[post.label]),
            _(post.why),
        )
    )


def _end(answers: list[str]) -> None:
    same = sum(answer == post.label for answer, post in zip(answers, POSTS, strict=True))
    html(
        Markup("<h2>{}</h2>").format(
            _("{same} of {all} answers as we would give them").format(same=same, all=len(POSTS))
        )
    )
    quiet(
        _(
            "On the border people differ. That is what the label between the two others, second opinions and the lead are for."
        )
    )
    st.button(_("Once more"), key="practice-again", on_click=_again)


def _again() -> None:
    st.session_state[_ANSWERS] = []
