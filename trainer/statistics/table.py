"""The metrics of a model as aligned lines for a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

HEADINGS = ("label", "posts", "precision", "recall", "F1")
WHOLE = {"macro_f1": "macro-F1", "ece": "calibration error (ECE)"}


def metrics_table(metrics: Mapping[str, Any]) -> str:
    """`metrics`: the result of `trainer.statistics.metrics.metrics`. Intervals are 95%."""
    rows = [HEADINGS, *_label_rows(metrics["per_label"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_cells(row, widths)) for row in rows]
    title = max(map(len, WHOLE.values()))
    lines += [f"{name:<{title}}  {interval(metrics, key)}" for key, name in WHOLE.items()]
    return "\n".join(lines)


def interval(metrics: Mapping[str, Any], name: str) -> str:
    if metrics[name] is None:
        return "not defined"
    low, high = metrics["intervals"][name]
    return _figure(metrics[name]) + ("" if low is None else f" [{low:.3f}, {high:.3f}]")


def _label_rows(per_label: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for label, figures in per_label.items():
        shares = (_figure(figures[name]) for name in ("precision", "recall", "f1"))
        yield (label, f"{figures['support']:,}", *shares)


def _cells(row: tuple[str, ...], widths: list[int]) -> Iterator[str]:
    """Names to the left, figures to the right."""
    for position, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield f"{cell:>{width}}" if position else f"{cell:<{width}}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
