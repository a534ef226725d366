"""A round that is opened in the table: the check before use, the decision, figures, facts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import streamlit as st
from markupsafe import Markup

from trainer.labels import LABELS
from workbench.rounds import lifecycle
from workbench.rounds.measured import Measured, read_measured
from workbench.web.current_project import project
from workbench.web.elements.markup import html
from workbench.web.elements.rounds.measured import interval, value
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.widgets import clock, decimal, percent, quiet, seconds
from workbench.web.views.rounds.decision import decide, verdict_lines
from workbench.web.wording.i18n import _
from workbench.web.wording.messages import shown_as_stored
from workbench.web.wording.words import author_word, label_html


def show_details(entry: dict[str, Any], earlier: int | None, *, may_decide: bool) -> None:
    """`earlier` is the round that a rollback leads to."""
    quiet(*verdict_lines(entry), *_why(entry))
    if may_decide:
        decide(entry, earlier)
    measured = read_measured(entry["metrics"])
    facts = table(_facts(entry, measured), has_titles=True)
    if measured is None:
        html(facts)
    else:
        left, right = st.columns(2, gap="large")
        with left:
            html(confusion_html(entry["metrics"]))
        with right:
            html(facts)
    if entry["failure"]:
        quiet(_("Log"))
        log = lifecycle.read_log(project(), entry["number"])
        st.code(log or " ", language=None, wrap_lines=True, height=240)


def _why(entry: dict[str, Any]) -> list[str]:
    """The failure, or the reason of a person's decision."""
    if entry["failure"]:
        return [shown_as_stored(entry["failure"])]
    if entry["decision_reason"] and entry["decided_by"]:
        reason = _("{name}: {reason}")
        return [reason.format(name=entry["decided_by"], reason=shown_as_stored(entry["decision_reason"]))]
    return []


def _facts(entry: dict[str, Any], measured: Measured | None) -> Sequence[tuple[str, str]]:
    author = author_word(entry["started_by"] or "", is_automatic=entry["automatic"])
    facts = [
        (_("started"), f"{clock(datetime.fromisoformat(entry['created_at']))} · {author}"),
        (_("base encoder"), entry["base"]),
        (_("notes"), shown_as_stored(entry["notes"]) if entry["notes"] else None),
        (_("learned from"), _speed(entry["train"])),
        (_("scored"), _speed(entry["scored"] or {})),
        (_("computed in"), _precision(entry["scored"] or {})),
        *([] if measured is None else _statistics(measured)),
    ]
    return [(name, fact) for name, fact in facts if fact]


def _statistics(measured: Measured) -> Sequence[tuple[str, str]]:
    test_posts = _("{posts}, {violations} violations among them").format(
        posts=f"{measured.posts:,}", violations=f"{measured.violations:,}"
    )
    if not measured.is_enough:
        return [(_("test posts"), f"{test_posts} · {_('too few posts')}")]
    figures = {
        _("macro-F1"): measured.macro_f1,
        _("linear baseline"): measured.linear_macro_f1,
        _("calibration error"): measured.calibration_error,
    }
    return [
        (_("test posts"), test_posts),
        *(
            (name, f"{value(figure, decimal)} {_in_brackets(interval(figure, decimal))}".strip())
            for name, figure in figures.items()
            if figure is not None
        ),
    ]


def _in_brackets(bounds: str) -> str:
    return f"[{bounds}]" if bounds else ""


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
    measured = read_measured(metrics)
    is_enough = measured is not None and measured.is_enough

    def edge(label: str, name: str) -> str:
        return percent(per_label[label][name] if is_enough else None)

    rows: list[Sequence[Cell]] = [
        (
            label_html(label),
            *(f"{confusion[label][guess]:,.0f}" for guess in LABELS),
            edge(label, "recall"),
        )
        for label in LABELS
    ]
    rows.append((_("right when said"), *(edge(label, "precision") for label in LABELS), ""))
    headings = (_("people ↓  model →"), *map(label_html, LABELS), _("found"))
    return table(rows, headings, has_titles=True, has_numbers=True, is_grid=True)
