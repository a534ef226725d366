"""Written cases by kind, those with few passes first: the adapter of a round beside the one in use before it."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from markupsafe import Markup

from trainer.behaviour.outcome import Failure, KindOutcome, Outcome
from workbench.accounts import Account
from workbench.errors import WorkbenchError
from workbench.rounds.behaviour import examined, read_behaviour
from workbench.web.current_project import project
from workbench.web.elements.markup import NOTHING, QUIET, html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import percent, quiet, refusal
from workbench.web.wording.i18n import _, current_language
from workbench.web.wording.words import label_html

MOST_OFFERED = 30
SHOWN_FIRST = 12
"""Kinds; the others are folded."""
KIND = Markup(
    '<details class="kind"><summary><span class="name">{title}<small>{expected}</small></span>'
    '<span class="tracks" aria-hidden="true">{bars}</span><span class="count">{count}</span></summary>'
    '<p class="quiet">{tests}</p>{failures}</details>'
)
BAR = Markup('<span><i class="{}" style="width:{:.2f}%"></i></span>')
LEGEND = Markup(
    '<div class="key"><span><i class="now"></i>{}</span><span><i class="before"></i>{}</span></div>'
)


def show_behaviour(account: Account, history: Sequence[dict[str, Any]]) -> None:
    waiting_first = sorted(history, key=lambda entry: entry["state"] != "awaiting")
    offered = examined(project(), [entry["number"] for entry in waiting_first[:MOST_OFFERED]])
    if not offered:
        return
    with st.expander(_("Behaviour on written cases"), key="behaviour"):
        number = offered[0] if len(offered) == 1 else _choose(offered)
        try:
            outcome = read_behaviour(project(), account, number)
        except WorkbenchError as error:
            refusal(error)
            return
        _show(outcome, number)


def _choose(offered: Sequence[int]) -> int:
    return st.selectbox(
        _("Cases as labelled by"),
        offered,
        format_func=lambda number: _("Round {number}").format(number=number),
        key="behaviour-of",
        width=240,
    )


def _show(outcome: Outcome, number: int) -> None:
    quiet(
        _totals(outcome, number),
        _(
            "Each kind tests one ability with a few cases, so one or two more or fewer say little. They decide nothing by "
            "themselves. Open a kind to read what it tests and which cases failed."
        ),
    )
    if outcome.champion_passed is not None:
        html(LEGEND.format(_("Round {number}").format(number=number), _("in use before it")))
    html(_list(outcome.kinds[:SHOWN_FIRST]) + _folded(outcome.kinds[SHOWN_FIRST:]))


def _totals(outcome: Outcome, number: int) -> str:
    counts = {"number": number, "passed": outcome.passed, "cases": outcome.cases}
    if outcome.champion_passed is None:
        return _("Round {number} labels {passed} of {cases} cases as expected.").format(**counts)
    both = _(
        "Round {number} labels {passed} of {cases} cases as expected, the round in use before it {before}."
    )
    return both.format(**counts, before=outcome.champion_passed)


def _list(kinds: Sequence[KindOutcome]) -> Markup:
    return Markup('<div class="kinds">{}</div>').format(NOTHING.join(map(_kind, kinds)))


def _folded(kinds: Sequence[KindOutcome]) -> Markup:
    if not kinds:
        return NOTHING
    title = _("{count} kinds with as many passes or more").format(count=len(kinds))
    return Markup('<details class="more"><summary>{}</summary>{}</details>').format(title, _list(kinds))


def _kind(kind: KindOutcome) -> Markup:
    return KIND.format(
        title=_in_language(kind.titles),
        expected=Markup(" / ").join(map(label_html, kind.expected)),
        bars=_bars(kind),
        count=_count(kind),
        tests=_in_language(kind.tests),
        failures=NOTHING.join(map(_failure, kind.failures))
        or QUIET.format(_("All cases are labelled as expected.")),
    )


def _bars(kind: KindOutcome) -> Markup:
    before = kind.champion_passed
    bars = BAR.format("now", 100 * kind.passed / kind.cases)
    return bars if before is None else bars + BAR.format("before", 100 * before / kind.cases)


def _count(kind: KindOutcome) -> Markup:
    count = Markup("<span>{}</span>").format(
        _("{passed} of {cases}").format(passed=kind.passed, cases=kind.cases)
    )
    if kind.champion_passed is None:
        return count
    before = _("before: {passed}").format(passed=kind.champion_passed)
    return count + Markup("<small>{}</small>").format(before)


def _failure(failure: Failure) -> Markup:
    return Markup(
        '<div class="case"><div class="post small" dir="auto" lang="zh">{}</div>'
        '<div class="facts"><span>{} {} {}</span></div></div>'
    ).format(
        post_html(failure.text), _("the model says"), label_html(failure.label), percent(failure.confidence)
    )


def _in_language(words: Mapping[str, str]) -> str:
    return words[current_language()]
