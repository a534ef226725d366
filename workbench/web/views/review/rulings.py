"""The rulings, in force and withdrawn."""

from functools import partial

import streamlit as st
from markupsafe import Markup

from workbench.accounts import Account, Right
from workbench.review import rulings
from workbench.review.rulings import ListedRuling
from workbench.web.current_project import project
from workbench.web.elements.markup import NOTHING, each, html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import attempt, clock, shortened
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_html, person_word, reason_word

TEXT_SHOWN = 80


def show(account: Account) -> None:
    listed = rulings.listed_rulings(project(), account)
    if not listed:
        return
    in_force = sum(one.is_in_force for one in listed)
    with st.expander(_("Rulings in force: {count}").format(count=in_force), key="rulings"):
        for one in listed:
            html(_ruling(one))
            if one.is_in_force and account.may(Right.SET_GUIDELINES):
                _actions(one)


def _actions(one: ListedRuling) -> None:
    with st.container(horizontal=True):
        st.button(
            _("Look for more labels"),
            key=f"ruling-again-{one.id}",
            type="tertiary",
            on_click=attempt,
            args=(partial(_look_again, ruling_id=one.id),),
        )
        with st.popover(_("Withdraw"), key=f"ruling-withdraw-{one.id}", type="tertiary"):
            html(
                Markup("<p>{}</p>").format(
                    _("The guidelines get a version without it. Decisions that were made under it stay.")
                )
            )
            st.button(
                _("Withdraw the ruling"),
                key=f"ruling-withdraw-now-{one.id}",
                on_click=attempt,
                args=(partial(_withdraw, ruling_id=one.id),),
            )


def _look_again(account: Account, ruling_id: int) -> None:
    count = rulings.look_again(project(), account, ruling_id)
    st.session_state["notice"] = _("{count} more labels come back for a look.").format(count=f"{count:,}")


def _withdraw(account: Account, ruling_id: int) -> None:
    rulings.withdraw(project(), account, ruling_id)


def _ruling(one: ListedRuling) -> Markup:
    facts = [
        "" if one.is_in_force else _("withdrawn"),
        reason_word(one.reason) if one.reason else "",
        _("by {name}, {when}").format(name=person_word(one.by), when=clock(one.at)),
        _("guidelines, version {number}").format(number=one.guideline_version),
        _("decided by it: {count}").format(count=f"{one.decided:,}"),
        _("kept in spite of it: {count}").format(count=f"{one.kept:,}") if one.kept else "",
        _("left to look at: {count}").format(count=f"{one.left:,}") if one.left else "",
    ]
    examples = each(
        Markup('<p dir="auto">{}</p>'), (post_html(shortened(post.text, TEXT_SHOWN)) for post in one.examples)
    )
    return Markup(
        '<div class="ruling"><b>{title}</b> → {label}<p dir="auto">{kind}</p>{facts}{examples}</div>'
    ).format(
        title=post_html(one.title),
        label=label_html(one.label),
        kind=post_html(one.kind),
        facts=Markup('<div class="facts whole">{}</div>').format(
            each(Markup("<span>{}</span>"), filter(None, facts))
        ),
        examples=Markup('<div class="copies">{}</div>').format(examples) if examples else NOTHING,
    )
