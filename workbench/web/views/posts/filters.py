"""One search box, and below it the conditions as one line of chips."""

from collections.abc import Mapping
from typing import Literal

import streamlit as st
from markupsafe import Markup

from trainer.labels import LABELS
from workbench.accounts import Account, Right
from workbench.posts import saved, search
from workbench.posts.search import UNLABELLED, Choices, Filter
from workbench.web.current_project import project
from workbench.web.elements.cache import cached
from workbench.web.elements.markup import html
from workbench.web.elements.visible import post_text
from workbench.web.elements.widgets import attempt
from workbench.web.wording.i18n import _
from workbench.web.wording.words import LANE_WORDS, label_word, lane_word, person_word

ANY = ""
LEAST_CERTAIN = 33
WHOLE = (LEAST_CERTAIN, 100)
EMPTY: dict[str, object] = {
    "search": "",
    "label": None,
    "board": ANY,
    "lane": ANY,
    "person": ANY,
    "round": ANY,
    "certainty": WHOLE,
}
"""The fields of a search, by their keys, without a condition."""


def ask_filter(account: Account) -> Filter:
    choices = _choices_of(account, account.id, account.role, str(project().home))
    text = st.text_input(
        _("Search"),
        key="search",
        placeholder=_("Words that all stand in the post: 微信 红包, or a phrase: “加 微信”"),
        label_visibility="collapsed",
        max_chars=200,
        icon=":material/search:",
    )
    with st.container(horizontal=True, key="chips", vertical_alignment="center"):
        label, board = (
            _label_chip(),
            _choice_chip(_("Board"), "board", {board.name: board.name for board in choices.boards}),
        )
        wanted = Filter(text=text.strip(), label=label, board=board)
        if account.may(Right.REVIEW):
            wanted = _for_leads(wanted, choices)
        _saved_chip(account, wanted)
        if wanted != Filter():
            st.button(
                _("Clear"), key="clear", type="tertiary", width="content", on_click=_fill, args=(Filter(),)
            )
    return wanted


def conditions(wanted: Filter) -> list[str]:
    """What is chosen, in words: names of boards come from the forum, so the chips do not show them."""
    low, high = wanted.certainty or (0, 0)
    parts = (
        wanted.label and (_("not labelled") if wanted.label == UNLABELLED else label_word(wanted.label)),
        wanted.board,
        wanted.lane and lane_word(wanted.lane),
        wanted.round_number and _("Round {number}").format(number=wanted.round_number),
        wanted.certainty
        and _("certainty {low}–{high}%").format(low=round(low * 100), high=round(high * 100)),
    )
    return [part for part in parts if part]


@cached(60)
def _choices_of(_account: Account, person: int, role: str, home: str) -> Choices:  # noqa: ARG001 - the cache's key
    return search.choices(project(), _account)


def _for_leads(wanted: Filter, choices: Choices) -> Filter:
    lane = _choice_chip(
        _("Why it was asked about"), "lane", {lane: _(word) for lane, word in LANE_WORDS.items()}
    )
    people = {str(key): person_word(name) for key, name in choices.people.items()}
    person = _choice_chip(_("Answered by"), "person", people)
    rounds = {str(number): _("Round {number}").format(number=number) for number in choices.rounds}
    number = _choice_chip(_("Model at the time"), "round", rounds)
    certainty = _certainty_chip(is_used=bool(choices.rounds))
    return Filter(
        text=wanted.text,
        label=wanted.label,
        board=wanted.board,
        certainty=certainty,
        lane=lane,
        round_number=int(number) if number else None,
        annotator=int(person) if person else None,
    )


def _label_chip() -> str | None:
    with _chip(_("Labelled as"), "label"):
        return st.pills(
            _("Labelled as"),
            (UNLABELLED, *LABELS),
            format_func=lambda value: _("not labelled") if value == UNLABELLED else label_word(value),
            key="label",
        )


def _choice_chip(title: str, key: str, options: Mapping[str, str]) -> str | None:
    with _chip(title, key):
        chosen = st.selectbox(
            title,
            (ANY, *options),
            format_func=lambda option: post_text(options.get(option, "")) or _("any"),
            key=key,
            placeholder=_("any"),
            disabled=not options,
            width=260,
        )
    return chosen or None


def _certainty_chip(*, is_used: bool) -> tuple[float, float] | None:
    with _chip(_("Certainty"), "certainty"):
        low, high = st.slider(
            _("Certainty of the model in use, %"),
            *WHOLE,
            WHOLE,
            key="certainty",
            disabled=not is_used,
            width=260,
        )
    return None if (low, high) == WHOLE else (low / 100, high / 100)


def _chip(title: str, key: str) -> st.delta_generator.DeltaGenerator:
    """A field behind its title, which stands out while the field has a condition."""
    is_on = st.session_state.get(key, EMPTY[key]) not in {EMPTY[key], None}
    kind: Literal["primary", "secondary"] = "primary" if is_on else "secondary"
    return st.popover(title, key=f"chip-{key}", type=kind, width="content")


def _saved_chip(account: Account, wanted: Filter) -> None:
    own = {one.name: one.wanted for one in saved.saved_searches(project(), account)}
    with (
        st.popover(_("Saved"), key="chip-saved", width="content", type="tertiary"),
        st.container(key="saved"),
    ):
        if own:
            name = st.selectbox(_("Saved searches"), tuple(own), filter_mode=None, key="saved-name")
            with st.container(horizontal=True):
                st.button(_("Use"), key="saved-use", on_click=_fill, args=(own[name],))
                st.button(_("Delete"), key="saved-delete", type="tertiary", on_click=_forget, args=(name,))
        if wanted == Filter():
            html(Markup('<p class="quiet">{}</p>').format(_("Search for something, and save it here.")))
            return
        title = st.text_input(_("Name of this search"), key="saved-title", max_chars=saved.LONGEST_NAME)
        st.button(_("Save"), key="saved-save", on_click=_save, args=(title, wanted))


def _fill(wanted: Filter) -> None:
    values = {
        "search": wanted.text,
        "label": wanted.label,
        "board": wanted.board or ANY,
        "lane": wanted.lane or ANY,
        "person": str(wanted.annotator or ANY),
        "round": str(wanted.round_number or ANY),
    }
    st.session_state.update(values)
    low, high = wanted.certainty or (0, 0)
    st.session_state["certainty"] = (round(low * 100), round(high * 100)) if wanted.certainty else WHOLE


def _save(title: str, wanted: Filter) -> None:
    attempt(lambda account: saved.save(project(), account, title, wanted))
    st.session_state.pop("saved-title", None)


def _forget(name: str) -> None:
    attempt(lambda account: saved.forget(project(), account, name))
