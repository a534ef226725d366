"""Review: what people asked a lead about, and what they judge differently."""

from html import escape

import streamlit as st

from workbench.errors import WorkbenchError
from workbench.review import OpenCase, Opinion, open_cases
from workbench.web.i18n import _
from workbench.web.opened import project
from workbench.web.visible import post_html
from workbench.web.widgets import bar, clock, heading, note, refusal, require_account
from workbench.web.words import label_html


def show() -> None:
    """The screen."""
    account = require_account()
    bar(account, "/review")
    try:
        cases = open_cases(project(), account)
    except WorkbenchError as error:
        refusal(error)
        return
    _list(_("Asked of a lead"), [case for case in cases if case.is_flagged])
    _list(_("Judged differently"), [case for case in cases if not case.is_flagged])


def _list(title: str, cases: list[OpenCase]) -> None:
    heading(f"{title} ({len(cases):,})")
    if not cases:
        note(_("Nothing waits here."), is_done=True)
    for case in cases:
        st.html(
            f'<div class="case"><div class="post small" dir="auto" lang="zh">{post_html(case.text)}</div>{_opinions(case)}</div>'
        )


def _opinions(case: OpenCase) -> str:
    return "".join(f'<div class="facts">{_opinion(opinion)}</div>' for opinion in case.opinions)


def _opinion(opinion: Opinion) -> str:
    said = label_html(opinion.label) if opinion.label else escape(_("asks the lead"))
    parts = [f"<b>{escape(opinion.name)}</b>", said, f"<span>{clock(opinion.said_at)}</span>"]
    if opinion.note:
        parts.append(f"<span>“{post_html(opinion.note)}”</span>")
    return " ".join(parts)
