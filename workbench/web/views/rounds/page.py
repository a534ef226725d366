"""Rounds: the one in use, start, progress, decision, history, behaviour, comparison."""

from typing import Any

import streamlit as st
from markupsafe import Markup

from db.tables import Round
from workbench.accounts import Right
from workbench.adapting import lifecycle as adapting
from workbench.queue.status import Status, read_status
from workbench.rounds import lifecycle
from workbench.rounds.lifecycle import InUse
from workbench.web.current_project import project
from workbench.web.elements.outlook import show_outlook
from workbench.web.elements.partly_scored import partly_scored_line
from workbench.web.elements.widgets import (
    attempt,
    clock,
    decimal,
    figures,
    note,
    percent,
    require_account,
    show_notice,
)
from workbench.web.frame.title import title
from workbench.web.views.rounds.adapting import offer_adaptation, watch_adaptation
from workbench.web.views.rounds.automatic import show_automatic
from workbench.web.views.rounds.behaviour import show_behaviour
from workbench.web.views.rounds.comparison import show_comparison
from workbench.web.views.rounds.decision import decide
from workbench.web.views.rounds.exports import show_exports
from workbench.web.views.rounds.history import failure_line, show_history
from workbench.web.views.rounds.queue_band import band_line, quick_line
from workbench.web.views.rounds.running import watch
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
        adaptation = adapting.running(session)
    status = read_status(project())
    title(_("Rounds"), _in_use_line(in_use, status))
    show_notice()
    if in_use is not None:
        _figures(next(entry for entry in history if entry["number"] == in_use.number))
        show_outlook()
    _worker_line(status, running)
    for line in filter(None, (band_line(status), quick_line(status))):
        note(line)
    if status.partly_scored is not None:
        note(partly_scored_line(status.partly_scored))
    if running is not None:
        watch(running.number, is_lead)
    elif adaptation is not None:
        watch_adaptation(adaptation, is_lead=is_lead)
    else:
        failure_line(history)
        if is_lead:
            start_round(status)
            offer_adaptation()
    show_automatic(is_lead)
    decide([entry for entry in history if entry["state"] == "awaiting"], is_lead)
    if is_lead and earlier is not None and running is None:
        _roll_back(earlier)
    ended = [entry for entry in history if running is None or entry["number"] != running.number]
    show_history(ended, None if running is None else running.number, is_lead=is_lead)
    if is_lead:
        show_behaviour(account, ended)
        show_comparison(account, ended)
        show_exports()


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


def _figures(entry: dict[str, Any]) -> None:
    metrics = entry["metrics"]
    if metrics is None:
        note(_("The round in use could not be measured: no test post had a label."))
        return
    violation = metrics["per_label"]["violation"]
    low, high = metrics["macro_f1_interval"]
    figures(
        [
            (_("violations caught"), percent(violation["recall"])),
            (_("flags that were right"), percent(violation["precision"])),
            (
                _("macro-F1, 95% interval"),
                f"{decimal(metrics['macro_f1'])} [{decimal(low)}, {decimal(high)}]",
            ),
            (_("test posts"), f"{metrics['n']:,}"),
        ]
    )
    show_trust(entry)


def _worker_line(status: Status, running: Round | None) -> None:
    if not status.worker:
        waits = (
            "" if running is None else _("Round {number} waits for a worker.").format(number=running.number)
        )
        # The command comes last: text after it could be taken for a part of it.
        note(f"{waits} {_(NO_WORKER)}".strip())


def _roll_back(earlier: int) -> None:
    st.button(
        _("Roll back to round {number}").format(number=earlier),
        key="roll-back",
        on_click=attempt,
        args=(lambda account: lifecycle.rollback(project(), account, earlier),),
    )
