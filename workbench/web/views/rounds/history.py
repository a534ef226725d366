"""All rounds: a table, and the details of each."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

import streamlit as st
from markupsafe import Markup, escape

from trainer.labels import LABELS
from workbench.rounds import lifecycle
from workbench.rounds.lifecycle import Progress
from workbench.web.current_project import project
from workbench.web.elements.markup import each, html
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.widgets import (
    clock,
    decimal,
    heading,
    note,
    percent,
    quiet,
    require_account,
    seconds,
)
from workbench.web.views.rounds.decision import offer, verdict_lines
from workbench.web.views.rounds.running import LOOK_AGAIN_SECONDS
from workbench.web.wording.i18n import _
from workbench.web.wording.messages import shown_as_stored
from workbench.web.wording.words import STATE_WORDS, author_word, label_html, person_word

MOST_OPENED = 20


def show_history(history: Sequence[dict[str, Any]], running: int | None, *, is_lead: bool) -> None:
    """The ended rounds, and the one that runs. A lead may put an ended one in use while none runs."""
    heading(_("All rounds"))
    if running is not None:
        _live_table(running, history)
    elif history:
        _table(map(_row, history))
    else:
        quiet(_("None yet. Label some posts, then start one."))
    for entry in history[:MOST_OPENED]:
        with st.expander(_("Round {number}").format(number=entry["number"]), key=f"round-{entry['number']}"):
            _details(entry)
            if is_lead and running is None:
                offer(entry)


def failure_line(history: Sequence[dict[str, Any]]) -> None:
    ended = [entry for entry in history if entry["finished_at"]]
    last = max(ended, key=lambda entry: str(entry["finished_at"]), default=None)
    if last is not None and last["failure"]:
        line = _("Round {number}: {failure}")
        note(line.format(number=last["number"], failure=shown_as_stored(last["failure"])))


@st.fragment(run_every=LOOK_AGAIN_SECONDS)
def _live_table(running: int, ended: Sequence[dict[str, Any]]) -> None:
    require_account()
    with project().database.read() as session:
        row = lifecycle.find(session, running)
        entry = lifecycle.describe(session, row)
    progress = lifecycle.read_progress(project(), row)
    _table(chain([_running_row(entry, progress)], map(_row, ended)))


def _table(rows: Iterable[Sequence[Cell]]) -> None:
    headings = (
        _("round"),
        _("state"),
        _("labels"),
        _("violations caught"),
        _("flags that were right"),
        _("macro-F1"),
        _("linear baseline"),
        _("calibration error"),
        _("took"),
        _("who"),
        _("why"),
    )
    html(table(rows, headings))


def _row(entry: dict[str, Any]) -> Sequence[Cell]:
    metrics = entry["metrics"] or {}
    violation = metrics.get("per_label", {}).get("violation", {})
    labels = entry["train"]["n"]
    return (
        str(entry["number"]),
        _state(entry),
        "–" if labels is None else labels,
        percent(violation.get("recall")),
        percent(violation.get("precision")),
        _with_interval(metrics),
        decimal(metrics.get("linear_macro_f1")),
        decimal(metrics.get("ece")),
        _took(entry),
        _who(entry),
        _why(entry),
    )


def _running_row(entry: dict[str, Any], progress: Progress) -> Sequence[Cell]:
    number, state, *others, took, who, why = _row(entry)
    passed = project().now() - datetime.fromisoformat(entry["created_at"])
    return number, _step(str(state), progress), *others, took or seconds(passed.total_seconds()), who, why


def _step(state: str, progress: Progress) -> Markup:
    """The state, with the progress and the time left of its step as far as they are known."""
    parts = []
    if progress.share is not None:
        parts.append(percent(progress.share))
    if progress.seconds_left is not None:
        parts.append(_("about {time} left").format(time=seconds(progress.seconds_left)))
    return escape(state) + (Markup("<br><small>{}</small>").format(" · ".join(parts)) if parts else "")


def _state(entry: dict[str, Any]) -> str:
    state = _("in use") if entry["in_use"] else _(STATE_WORDS[entry["state"]])
    return f"{state} · {_('trial')}" if entry["quick"] else state


def _with_interval(metrics: dict[str, Any]) -> str:
    if metrics.get("macro_f1") is None:
        return "–"
    low, high = metrics["macro_f1_interval"]
    return f"{decimal(metrics['macro_f1'])} [{decimal(low)}, {decimal(high)}]"


def _took(entry: dict[str, Any]) -> str:
    worked = entry["worked_seconds"]
    return "" if entry["finished_at"] is None or worked is None else seconds(worked)


def _who(entry: dict[str, Any]) -> str:
    return person_word(entry["decided_by"]) if entry["decided_by"] else _author(entry)


def _author(entry: dict[str, Any]) -> str:
    return author_word(entry["started_by"] or "", is_automatic=entry["automatic"])


def _why(entry: dict[str, Any]) -> str:
    if entry["failure"]:
        return shown_as_stored(entry["failure"])
    if entry["decision_reason"]:
        return shown_as_stored(entry["decision_reason"])
    reasons = (entry["verdict"] or {}).get("reasons", [])
    return shown_as_stored(reasons[0]) if reasons else ""


def _details(entry: dict[str, Any]) -> None:
    facts = [
        (
            _("started"),
            f"{clock(datetime.fromisoformat(entry['created_at']))} · {_author(entry)}",
        ),
        (_("base encoder"), entry["base"]),
        (_("notes"), shown_as_stored(entry["notes"]) if entry["notes"] else None),
        (_("learned from"), _speed(entry["train"])),
        (_("scored"), _speed(entry["scored"] or {})),
        (_("computed in"), _precision(entry["scored"] or {})),
    ]
    html(table([(name, value) for name, value in facts if value], has_titles=True))
    quiet(each(Markup("<div>{}</div>"), verdict_lines(entry)))
    if entry["failure"]:
        quiet(_("Log"))
        log = lifecycle.read_log(project(), entry["number"])
        st.code(log or " ", language=None, wrap_lines=True, height=240)
    if entry["metrics"]:
        html(confusion_html(entry["metrics"]))


def _speed(work: dict[str, Any]) -> str:
    if not work.get("n") or not work.get("seconds"):
        return ""
    text = _("{count} posts in {time}, {speed} a second")
    speed = f"{work['posts_per_second'] or 0:,.0f}"
    return text.format(count=f"{work['n']:,}", time=seconds(work["seconds"]), speed=speed)


def _precision(scored: dict[str, Any]) -> str:
    """Empty if the pass ran in the precision of the evaluation."""
    if scored.get("precision") != "int8":
        return ""
    text = _("8 bits: of the posts compared, {share} have the same label as in full precision")
    return text.format(share=f"{scored['agreement']:.1%}")


def confusion_html(metrics: dict[str, Any]) -> Markup:
    """Rows: labels of people; columns: labels of the model; recall and precision at the edges."""
    confusion, per_label = metrics["confusion"], metrics["per_label"]
    rows: list[Sequence[Cell]] = [
        (
            label_html(label),
            *(f"{confusion[label][guess]:,.0f}" for guess in LABELS),
            percent(per_label[label]["recall"]),
        )
        for label in LABELS
    ]
    precision = (percent(per_label[label]["precision"]) for label in LABELS)
    rows.append((_("right when said"), *precision, ""))
    headings = (_("people ↓  model →"), *map(label_html, LABELS), _("found"))
    return table(rows, headings, has_titles=True, has_numbers=True)
