"""Rounds: the figures of the one in use, a start, the table of all, a comparison; the rest in folds."""

from typing import Any

import streamlit as st
from markupsafe import Markup

from db.tables import Round
from workbench.accounts import Right
from workbench.adapting import lifecycle as adapting
from workbench.queue.status import Status, read_status
from workbench.rounds import lifecycle
from workbench.rounds.lifecycle import InUse
from workbench.rounds.measured import read_measured
from workbench.rounds.new_labels import NewLabels, read_new_labels
from workbench.web.current_project import project
from workbench.web.elements.partly_scored import partly_scored_line
from workbench.web.elements.rounds.measured import basis, interval, value
from workbench.web.elements.rounds.outlook import show_outlook
from workbench.web.elements.widgets import (
    clock,
    decimal,
    headline,
    note,
    quiet,
    require_account,
    show_notice,
)
from workbench.web.frame.title import title
from workbench.web.views.rounds.adapting import offer_adaptation, watch_adaptation
from workbench.web.views.rounds.automatic import show_automatic
from workbench.web.views.rounds.behaviour import show_behaviour
from workbench.web.views.rounds.comparison import show_comparison
from workbench.web.views.rounds.exports import show_exports
from workbench.web.views.rounds.history import failure_line, show_history
from workbench.web.views.rounds.queue_band import band_line, quick_line
from workbench.web.views.rounds.start import start_round
from workbench.web.views.rounds.trust import show_trust
from workbench.web.wording.i18n import _
from workbench.web.wording.words import NO_WORKER, ORDER_WORDS, author_word


def show() -> None:
    account = require_account()
    is_lead = account.may(Right.RUN_ROUNDS)
    with project().database.read() as session:
        history, in_use = lifecycle.history(session), lifecycle.in_use(session)
        running, earlier = lifecycle.running(session), lifecycle.rollback_target(session)
        adaptation, new_labels = adapting.running(session), read_new_labels(session)
    status = read_status(project())
    title(_("Rounds"), _in_use_line(in_use, status))
    show_notice()
    _worker_line(status, running)
    used = None if in_use is None else _entry(history, in_use.number)
    if used is not None:
        _figures(used, new_labels)
    if adaptation is not None:
        watch_adaptation(adaptation, is_lead=is_lead)
    elif running is None:
        failure_line(history)
        if is_lead:
            start_round(status, new_labels)
    show_history(history, running, earlier, is_lead=is_lead)
    if is_lead:
        show_comparison(account, history)
    with st.container(key="folds"):
        _statistics(used, status)
        show_automatic(is_lead)
        if is_lead:
            if adaptation is None and running is None:
                offer_adaptation()
            show_behaviour(account, history)
            show_exports()


def _entry(history: list[dict[str, Any]], number: int) -> dict[str, Any]:
    return next(entry for entry in history if entry["number"] == number)


def _in_use_line(in_use: InUse | None, status: Status) -> Markup:
    if in_use is None:
        line = _(ORDER_WORDS[status.queue_order]).format(count=f"{status.quick_labels or 0:,}")
    else:
        line = _("In use: round {number}, since {since}, by {name}").format(
            number=in_use.number,
            since=clock(in_use.since),
            name=author_word(in_use.by or "", is_automatic=in_use.is_automatic),
        )
    return Markup("<span>{}</span>").format(line)


def _figures(used: dict[str, Any], new_labels: NewLabels) -> None:
    measured = read_measured(used["metrics"])
    if measured is None:
        note(_("The round in use could not be measured: no test post had a label."))
        return
    headline(
        [
            (_("violations caught"), value(measured.caught), basis(measured, measured.caught)),
            (_("flags that were right"), value(measured.right), basis(measured, measured.right)),
            (
                _("test posts"),
                f"{measured.posts:,}",
                _("{count} violations among them").format(count=f"{measured.violations:,}"),
            ),
            (
                _("new labels"),
                f"{new_labels.count:,}",
                _("{count} to learn from").format(count=f"{new_labels.to_learn:,}"),
            ),
        ]
    )


def _statistics(used: dict[str, Any] | None, status: Status) -> None:
    """One fold down, for those who want them."""
    lines = list(filter(None, (band_line(status), quick_line(status))))
    if status.partly_scored is not None:
        lines.append(partly_scored_line(status.partly_scored))
    measured = None if used is None else read_measured(used["metrics"])
    if used is None or measured is None:
        quiet(*lines)
        return
    with st.expander(_("Statistics of the round in use"), key="statistics"):
        if measured.macro_f1 is not None:
            text = _("Macro-F1 {value}, 95% interval {interval}.")
            quiet(
                text.format(
                    value=value(measured.macro_f1, decimal), interval=interval(measured.macro_f1, decimal)
                )
            )
        show_trust(used)
        show_outlook()
        quiet(*lines)


def _worker_line(status: Status, running: Round | None) -> None:
    if not status.worker:
        waits = (
            "" if running is None else _("Round {number} waits for a worker.").format(number=running.number)
        )
        # The command comes last: text after it could be taken for a part of it.
        note(f"{waits} {_(NO_WORKER)}".strip())
