"""Start a round: a form, the labels it would use, and its expected duration."""

from collections.abc import Mapping, Sequence

import streamlit as st
from markupsafe import Markup

from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.queue.status import Status
from workbench.rounds import lifecycle
from workbench.rounds.base import adaptation_of, bases
from workbench.rounds.durations import Expected, expected_times
from workbench.rounds.new_labels import NewLabels
from workbench.web.current_project import project
from workbench.web.elements.markup import html
from workbench.web.elements.not_used import not_used
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.widgets import attempt, quiet
from workbench.web.views.rounds.decision import OPENED
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import label_html

QUICK, FULL = "quick", "full"
USES = {
    "pool": N_("it learns from"),
    "validation": N_("it is tuned by"),
    "test": N_("it is judged by"),
}


def start_round(status: Status, new_labels: NewLabels) -> None:
    with project().database.read() as session:
        known = bases(project(), session)
    with st.form("start", border=False, enter_to_submit=False):
        with st.container(key="start-line", horizontal=True, vertical_alignment="center"):
            html(Markup("<p>{}</p>").format(_waiting_line(new_labels)))
            is_sent = st.form_submit_button(_("Start a round"), type="primary")
        with st.expander(_("Trial or full, base encoder, note"), key="start-options"):
            kind = st.segmented_control(
                _("A new round"),
                [QUICK, FULL],
                default=QUICK,
                required=True,
                format_func=lambda kind: _("trial") if kind == QUICK else _("full"),
                key="kind",
            )
            _times(known[0], status)
            left, right = st.columns(2)
            with left:
                notes = st.text_input(_("Notes"), key="notes", max_chars=200)
            with right:
                other = st.selectbox(_("Base encoder"), known, format_func=_base_word, key="base")
            html(_uses(status.labels))
            not_used(status.not_used)
    if is_sent:
        attempt(lambda account: _begin(account, kind == QUICK, notes, other))
        st.session_state.pop(OPENED, None)
        st.rerun()


def _waiting_line(new_labels: NewLabels) -> str:
    line = _("{count} new labels since the last round, {learn} of them to learn from.")
    return line.format(count=f"{new_labels.count:,}", learn=f"{new_labels.to_learn:,}")


def _base_word(base: str) -> str:
    number = adaptation_of(base)
    return base if number is None else _("adapted to this forum ({number})").format(number=number)


def _begin(account: Account, is_quick: bool, notes: str, base: str) -> None:
    lifecycle.start(project(), account, is_quick=is_quick, base=base, notes=notes.strip() or None)


def _uses(labels: Mapping[str, Mapping[str, int]]) -> Markup:
    rows = (_use(_(word), labels.get(split, {})) for split, word in USES.items())
    headings = (_("labelled posts"), *map(label_html, LABELS), _("together"))
    return table(rows, headings, has_titles=True, has_numbers=True, is_grid=True)


def _use(word: str, counts: Mapping[str, int]) -> Sequence[Cell]:
    return (word, *(counts.get(label, 0) for label in LABELS), sum(counts.values()))


def _times(base: str, status: Status) -> None:
    learned = sum(status.labels.get("pool", {}).values())
    with project().database.read() as session:
        lines = [
            _time(
                word,
                expected_times(
                    session,
                    base=base,
                    is_quick=is_quick,
                    labels=learned,
                    posts=status.posts,
                    longest=3600 * project().settings.scoring_hours,
                ),
            )
            for word, is_quick in ((_("trial"), True), (_("full"), False))
        ]
    quiet(*lines)


def _time(word: str, expected: Sequence[Expected]) -> str:
    """Expected duration on each machine that has trained such a round."""
    if not expected:
        return _("{kind}: none has been trained yet; workbench doctor reckons how long one takes.").format(
            kind=word
        )
    each = _("about {minutes} min on {device} (as round {number} took)")
    times = [
        each.format(minutes=_minutes(one.seconds), device=_device(one.device), number=one.like)
        for one in expected
    ]
    return _("{kind}: {times}").format(kind=word, times=_(", ").join(times))


def _minutes(seconds: float) -> str:
    return f"{max(1, round(seconds / 60)):,}"


def _device(device: str) -> str:
    return _("the processor") if device == "cpu" else device
