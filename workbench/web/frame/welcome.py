"""Where things are, for those who come in a role for the first time: three steps, to be skipped at any of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st
from markupsafe import Markup
from streamlit.navigation.page import StreamlitPage

from workbench.accounts import Account
from workbench.people.preferences import end_welcome, read_preferences
from workbench.web.current_project import project
from workbench.web.elements.markup import html
from workbench.web.identity import current_account
from workbench.web.wording.i18n import N_, _

_WELCOMED = "welcomed-as"
_STEP = "welcome-step"


@dataclass(frozen=True)
class Step:
    page: str
    """Name of the page that it tells of."""
    text: str


_LABEL = Step(
    "label",
    N_("Read the post, press the key of its label, and the next one comes. S skips, F asks the lead."),
)
STEPS: dict[str, tuple[Step, Step, Step]] = {
    "annotator": (
        _LABEL,
        Step("my-work", N_("U takes your last answer back. How you are doing stands on My work, for you alone.")),
        Step("practice", N_("Not sure what counts? Ten practice posts tell why each answer is right. Nothing of it is stored.")),
    ),
    "reviewer": (
        _LABEL,
        Step("review", N_("What annotators disagree about, or ask, waits here for a decision.")),
        Step("radar", N_("Words that are on the rise, and spellings that hide known ones.")),
    ),
    "lead": (
        Step("overview", N_("What to do next stands at the top, and how far the labels have brought the model below it.")),
        Step("rounds", N_("Start a round when labels are new. It goes into use when its figures prove it, or when you say so.")),
        Step("review", N_("What annotators disagree about, or ask, waits here for a decision.")),
    ),
    "admin": (
        Step("people", N_("Invite people by a link, and give each a role.")),
        Step("overview", N_("What to do next stands at the top, and how far the labels have brought the model below it.")),
        Step("audit", N_("Who did what. A change of this list would show.")),
    ),
}  # fmt: skip


def welcome(account: Account, pages: Mapping[str, StreamlitPage]) -> None:
    """`pages` by their names."""
    if _was_welcomed(account):
        return
    steps = STEPS[account.role]
    number = min(st.session_state.setdefault(_STEP, 0), len(steps) - 1)
    step = steps[number]
    with st.container(key="welcome", horizontal=True, vertical_alignment="center"):
        count = _("{number} of {all}").format(number=number + 1, all=len(steps))
        html(Markup('<div class="step"><small>{}</small>{}</div>').format(count, _(step.text)))
        st.page_link(pages[step.page])
        if number + 1 < len(steps):
            st.button(_("Next"), key=f"welcome-next-{number}", on_click=_go_on)
        is_last = number + 1 == len(steps)
        st.button(
            _("Done") if is_last else _("Skip"), key=f"welcome-end-{number}", type="tertiary", on_click=_end
        )


def _was_welcomed(account: Account) -> bool:
    if _WELCOMED not in st.session_state:
        st.session_state[_WELCOMED] = read_preferences(project(), account).welcomed_as
    return bool(st.session_state[_WELCOMED] == account.role)


def _go_on() -> None:
    st.session_state[_STEP] += 1


def _end() -> None:
    account = current_account()
    if account is not None:
        end_welcome(project(), account)
        st.session_state[_WELCOMED] = account.role
