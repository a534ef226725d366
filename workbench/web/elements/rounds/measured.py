"""Figures of rounds as people read them: a percentage with its interval, or that there are too few posts."""

from collections.abc import Callable

from workbench.rounds.measured import Figure, Measured
from workbench.web.elements.widgets import percent
from workbench.web.wording.i18n import _


def value(figure: Figure | None, formatted: Callable[[float | None], str] = percent) -> str:
    return formatted(None if figure is None else figure.value)


def interval(figure: Figure, formatted: Callable[[float | None], str] = percent) -> str:
    if figure.interval is None:
        return ""
    low, high = map(formatted, figure.interval)
    return f"{low.removesuffix('%') if high.endswith('%') else low}–{high}"


def basis(measured: Measured | None, figure: Figure | None) -> str:
    """The small print of a figure: its 95% interval, or why there is none."""
    if measured is None:
        return _("not measured yet")
    return _("too few posts") if figure is None else interval(figure)
