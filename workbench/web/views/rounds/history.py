"""All rounds, one line each; a click opens one: what runs, what is to be decided, the details."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import streamlit as st
from markupsafe import Markup

from db.tables import Round
from workbench.rounds import lifecycle
from workbench.rounds.durations import worked_until
from workbench.rounds.lifecycle import Progress
from workbench.rounds.measured import Figure, read_measured
from workbench.web.current_project import project
from workbench.web.elements.markup import NOTHING, each, html
from workbench.web.elements.widgets import (
    heading,
    local,
    note,
    percent,
    quiet,
    require_account,
    seconds,
)
from workbench.web.views.rounds.decision import OPENED
from workbench.web.views.rounds.details import show_details
from workbench.web.views.rounds.running import LOOK_AGAIN_SECONDS, watch
from workbench.web.wording.i18n import _
from workbench.web.wording.messages import shown_as_stored
from workbench.web.wording.words import STATE_WORDS, author_word, person_word

MOST_SHOWN = 40
CELL = Markup('<span class="{}"><small>{}</small>{}</span>')


def show_history(
    history: Sequence[dict[str, Any]], running: Round | None, earlier: int | None, *, is_lead: bool
) -> None:
    """The one that runs comes first. A lead may put an ended one in use while none runs."""
    heading(_("All rounds"))
    if not history:
        quiet(_("None yet. Label some posts, then start one."))
        return
    at_work = None if running is None else running.number
    first_run = sorted(history, key=lambda entry: entry["number"] != at_work)[:MOST_SHOWN]
    opened = st.session_state.get(OPENED, _opened_at_first(first_run, at_work))
    with st.container(key="runs"):
        html(_head())
        for entry in first_run:
            _line(entry, at_work, is_open=entry["number"] == opened)
            if entry["number"] != opened:
                continue
            with st.container(key=f"opened-{opened}"):
                if running is not None and opened == at_work:
                    watch(running.number, is_lead)
                show_details(entry, earlier, may_decide=is_lead and running is None)
    if older := len(history) - len(first_run):
        quiet(_("Older rounds, listed by `workbench round list`: {count}").format(count=f"{older:,}"))


def failure_line(history: Sequence[dict[str, Any]]) -> None:
    ended = [entry for entry in history if entry["finished_at"]]
    last = max(ended, key=lambda entry: str(entry["finished_at"]), default=None)
    if last is not None and last["failure"]:
        line = _("Round {number}: {failure}")
        note(line.format(number=last["number"], failure=shown_as_stored(last["failure"])))


def _opened_at_first(history: Sequence[dict[str, Any]], running: int | None) -> int | None:
    """The one that runs, else the newest that waits for a decision, else the newest if it failed."""
    if running is not None:
        return running
    newest = max(history, key=lambda entry: int(entry["number"]))
    failed = newest["number"] if newest["failure"] else None
    return next((entry["number"] for entry in history if entry["state"] == "awaiting"), failed)


def _open_or_close(number: int, *, is_open: bool) -> None:
    st.session_state[OPENED] = None if is_open else number


def _line(entry: dict[str, Any], running: int | None, *, is_open: bool) -> None:
    number = entry["number"]
    with st.container(key=f"run-{number}"):
        st.button(
            _("Round {number}").format(number=number),
            key=f"open-{number}",
            type="tertiary",
            on_click=_open_or_close,
            args=(number,),
            kwargs={"is_open": is_open},
        )
        if number == running:
            _live_cells(number, is_open=is_open)
        else:
            html(_cells(entry, _state(entry), _took(entry["worked_seconds"]), is_open=is_open))


@st.fragment(run_every=LOOK_AGAIN_SECONDS)
def _live_cells(number: int, *, is_open: bool) -> None:
    require_account()
    with project().database.read() as session:
        row = lifecycle.find(session, number)
        entry = lifecycle.describe(session, row)
    if not row.is_running:
        st.rerun()
    progress = lifecycle.read_progress(project(), row)
    state = _state(entry) + _step(progress)
    html(_cells(entry, state, _took(worked_until(row, project().now())), is_open=is_open))


def _head() -> Markup:
    return Markup('<div class="run head" aria-hidden="true">{}</div>').format(
        each(Markup("<span>{}</span>"), _names())
    )


def _names() -> tuple[str, ...]:
    return (
        _("state"),
        _("labels"),
        _("violations caught"),
        _("flags that were right"),
        _("took"),
        _("who"),
        _("started"),
    )


def _cells(entry: dict[str, Any], state: Markup, took: str, *, is_open: bool) -> Markup:
    measured = read_measured(entry["metrics"])
    labels = entry["train"]["n"]
    values = (
        state,
        "–" if labels is None else f"{labels:,}",
        "–" if measured is None else _measure(measured.caught),
        "–" if measured is None else _measure(measured.right),
        took,
        _who(entry),
        f"{local(datetime.fromisoformat(entry['created_at'])):%m-%d %H:%M}",
    )
    kinds = ("state", "number", "number", "number", "number", "who", "when")
    cells = NOTHING.join(map(CELL.format, kinds, _names(), values))
    return Markup('<div class="run{}">{}</div>').format(" open" if is_open else "", cells)


def _measure(figure: Figure | None) -> str:
    """The figure with a bar on a scale from 0 to 100%."""
    if figure is None:
        return Markup("<em>{}</em>").format(_("too few posts"))
    bar = Markup('{}<i class="meter" aria-hidden="true"><i style="width:{:.1f}%"></i></i>')
    return bar.format(percent(figure.value), 100 * figure.value)


def _state(entry: dict[str, Any]) -> Markup:
    kind = "used" if entry["in_use"] else entry["state"]
    word = _("in use") if entry["in_use"] else _(STATE_WORDS[entry["state"]])
    trial = Markup(' <span class="tag">{}</span>').format(_("trial")) if entry["quick"] else NOTHING
    return Markup('<b class="{}">{}</b>{}').format(kind, word, trial)


def _step(progress: Progress) -> Markup:
    """The progress and the time left of the step, as far as they are known."""
    parts = []
    if progress.share is not None:
        parts.append(percent(progress.share))
    if progress.seconds_left is not None:
        parts.append(_("about {time} left").format(time=seconds(progress.seconds_left)))
    return Markup(" <em>{}</em>").format(" · ".join(parts)) if parts else NOTHING


def _took(worked: float | None) -> str:
    return "–" if worked is None else seconds(worked)


def _who(entry: dict[str, Any]) -> str:
    if entry["decided_by"]:
        return person_word(entry["decided_by"])
    return author_word(entry["started_by"] or "", is_automatic=entry["automatic"])
