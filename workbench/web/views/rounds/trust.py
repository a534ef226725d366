"""How reliable the certainty of the round in use is, in one line."""

import math
from typing import Any

from markupsafe import Markup

from trainer.config import STEADY_VALIDATION_ROWS
from workbench.rounds.measured import Figure, read_measured
from workbench.web.elements.markup import html
from workbench.web.wording.i18n import _

SAYS = 70
"""The certainty in the example, in percent."""
CHANCE = 0.8
"""Typical calibration error of a perfectly calibrated model on n test posts, times the root of n
(computed: 0.10 at 60, 0.018 at 2,000).
"""
FEW_TEST_POSTS = 300


def show_trust(entry: dict[str, Any]) -> None:
    metrics, measured = entry["metrics"], read_measured(entry["metrics"])
    if measured is None or measured.calibration_error is None:
        return
    sentences = (
        _measured(measured.calibration_error, metrics["n"]),
        _rests_on(entry["calibration"]),
        _caution(metrics["n"]),
    )
    html(Markup('<div class="quiet trust">{}</div>').format(" ".join(filter(None, sentences))))


def _measured(figure: Figure, rows: int) -> str:
    error = 100 * figure.value
    says = _("Certainty: when the model says {says}%, it is typically right {least} to {most} times in 100.")
    line = says.format(says=SAYS, least=max(0, round(SAYS - error)), most=min(100, round(SAYS + error)))
    if figure.interval is None:
        return line
    low, high = figure.interval
    off = _("Off by {error} points on average (95% interval {low} to {high}), on {posts} test posts.")
    shown = {"error": f"{error:.1f}", "low": f"{100 * low:.1f}", "high": f"{100 * high:.1f}"}
    return f"{line} {off.format(**shown, posts=f'{rows:,}')}"


def _rests_on(calibration: dict[str, Any] | None) -> str:
    """The rows that calibrated the certainty; empty if the report is older than this field."""
    rows = (calibration or {}).get("rows", 0)
    match (calibration or {}).get("fitted_on"):
        case "nothing":
            return _("It is not calibrated: take it as an order of posts, not as a measure.")
        case "validation" if rows >= STEADY_VALIDATION_ROWS:
            return _("Calibrated on {rows} validation posts.").format(rows=f"{rows:,}")
        case "validation":
            return _("Calibrated on {rows} validation posts only, so it is rough.").format(rows=rows)
        case "out-of-fold":
            rough = _(
                "Calibrated on {rows} posts, training posts among them, so it is rough until {steady} validation "
                "posts have a label."
            )
            return rough.format(rows=f"{rows:,}", steady=STEADY_VALIDATION_ROWS)
    return ""


def _caution(posts: int) -> str:
    if posts >= FEW_TEST_POSTS:
        return ""
    few = _("So few test posts make an error of about {chance} points by chance alone.")
    return few.format(chance=round(100 * CHANCE / math.sqrt(posts)))
