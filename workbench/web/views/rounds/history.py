"""The rounds so far: one row each, and what is behind a row."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any

import streamlit as st

from trainer.labels import LABELS
from workbench.rounds import lifecycle
from workbench.web.elements.widgets import clock, decimal, heading, note, one_line, percent, seconds
from workbench.web.opened import project
from workbench.web.views.rounds.decision import verdict_lines
from workbench.web.wording.i18n import _
from workbench.web.wording.messages import shown_as_stored
from workbench.web.wording.words import STATE_WORDS, label_html, person_word

MOST_OPENED = 20


def show_history(history: Sequence[dict[str, Any]]) -> None:
    """The table, then one fold a round."""
    heading(_("All rounds"))
    if not history:
        st.html(f'<div class="quiet">{escape(_("None yet. Label some posts, then start one."))}</div>')
        return
    st.html(_table(history))
    for entry in history[:MOST_OPENED]:
        with st.expander(_("Round {number}").format(number=entry["number"]), key=f"round-{entry['number']}"):
            _details(entry)


def failure_line(history: Sequence[dict[str, Any]]) -> None:
    """Say why what was tried last failed, where it did."""
    ended = [entry for entry in history if entry["finished_at"]]
    last = max(ended, key=lambda entry: str(entry["finished_at"]), default=None)
    if last is not None and last["failure"]:
        said = _("Round {number}: {failure}")
        note(said.format(number=last["number"], failure=shown_as_stored(last["failure"])))


def _table(history: Sequence[dict[str, Any]]) -> str:
    names = (
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
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = "".join(map(_row, history))
    return f'<table class="rows"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _row(entry: dict[str, Any]) -> str:
    metrics = entry["metrics"] or {}
    violation = metrics.get("per_label", {}).get("violation", {})
    labels = entry["train"]["n"]
    cells = (
        str(entry["number"]),
        _state(entry),
        "–" if labels is None else f"{labels:,}",
        percent(violation.get("recall")),
        percent(violation.get("precision")),
        _with_interval(metrics),
        decimal(metrics.get("linear_macro_f1")),
        decimal(metrics.get("ece")),
        _took(entry),
        person_word(entry["decided_by"] or entry["started_by"] or ""),
        _why(entry),
    )
    return f"<tr>{''.join(f'<td>{one_line(cell)}</td>' for cell in cells)}</tr>"


def _state(entry: dict[str, Any]) -> str:
    state = _("in use") if entry["in_use"] else _(STATE_WORDS[entry["state"]])
    return f"{state} · {_('trial')}" if entry["quick"] else state


def _with_interval(metrics: dict[str, Any]) -> str:
    if metrics.get("macro_f1") is None:
        return "–"
    low, high = metrics["macro_f1_interval"]
    return f"{decimal(metrics['macro_f1'])} [{decimal(low)}, {decimal(high)}]"


def _took(entry: dict[str, Any]) -> str:
    if entry["finished_at"] is None:
        return ""
    begun, ended = (datetime.fromisoformat(entry[name]) for name in ("created_at", "finished_at"))
    return seconds((ended - begun).total_seconds())


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
            f"{clock(datetime.fromisoformat(entry['created_at']))} · {person_word(entry['started_by'])}",
        ),
        (_("base encoder"), entry["base"]),
        (_("notes"), shown_as_stored(entry["notes"]) if entry["notes"] else None),
        (_("learned from"), _speed(entry["train"])),
        (_("scored"), _speed(entry["scored"] or {})),
        (_("computed in"), _precision(entry["scored"] or {})),
    ]
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{one_line(value)}</td></tr>" for name, value in facts if value
    )
    st.html(f'<table class="rows">{rows}</table>')
    lines = "".join(f"<div>{one_line(line)}</div>" for line in verdict_lines(entry))
    st.html(f'<div class="quiet">{lines}</div>')
    if entry["failure"]:
        st.html(f'<div class="quiet">{escape(_("Log"))}</div>')
        log = lifecycle.read_log(project(), entry["number"])
        st.code(log or " ", language=None, wrap_lines=True, height=240)
    if entry["metrics"]:
        st.html(confusion_html(entry["metrics"]))


def _speed(work: dict[str, Any]) -> str:
    if not work.get("n") or not work.get("seconds"):
        return ""
    text = _("{count} posts in {time}, {speed} a second")
    speed = f"{work['posts_per_second'] or 0:,.0f}"
    return text.format(count=f"{work['n']:,}", time=seconds(work["seconds"]), speed=speed)


def _precision(scored: dict[str, Any]) -> str:
    """Said where it is not what the adapter was judged in."""
    if scored.get("precision") != "int8":
        return ""
    text = _("8 bits: of the posts compared, {share} have the same label as in full precision")
    return text.format(share=f"{scored['agreement']:.1%}")


def confusion_html(metrics: dict[str, Any]) -> str:
    """People's labels down, the model's across; with recall and precision at the rims."""
    head = "".join(f'<th class="number">{label_html(label)}</th>' for label in LABELS)
    body = "".join(_confusion_row(metrics, label) for label in LABELS)
    precision = "".join(_number(percent(metrics["per_label"][label]["precision"])) for label in LABELS)
    return (
        f'<table class="rows"><thead><tr><th>{escape(_("people ↓  model →"))}</th>{head}'
        f'<th class="number">{escape(_("found"))}</th></tr></thead><tbody>{body}'
        f"<tr><th>{escape(_('right when said'))}</th>{precision}<td></td></tr></tbody></table>"
    )


def _confusion_row(metrics: dict[str, Any], label: str) -> str:
    cells = "".join(_number(f"{metrics['confusion'][label][guess]:,.0f}") for guess in LABELS)
    found = _number(percent(metrics["per_label"][label]["recall"]))
    return f"<tr><th>{label_html(label)}</th>{cells}{found}</tr>"


def _number(text: str) -> str:
    return f'<td class="number">{text}</td>'
