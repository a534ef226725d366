"""The README.md of an evaluated adapter: its figures in tables and plots."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from trainer.adapters.card import Card, calibration_in_words
from trainer.labels import LABELS
from trainer.messages import Message
from trainer.statistics.metrics import ECE_BINS, reliability
from trainer.statistics.table import interval

FIGURES = {
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "violation_pr_auc": "area under precision and recall of violation",
    "violation_recall_at_90_precision": "recall of violation at 90% precision",
    "ece": "calibration error (ECE)",
}
INK, ACCENT, FAINT = "#1f2937", "#2563eb", "#d1d5db"


def write_report(
    folder: Path, report: Mapping[str, Any], table: pa.Table, card: Card, behaviour: Sequence[str] = ()
) -> None:
    """`behaviour`: the lines of that section."""
    plots = []
    if report["metrics"] is not None:
        _plot(folder / "confusion.png", _draw_confusion, report["metrics"]["confusion"])
        _plot(folder / "reliability.png", _draw_reliability, table)
        plots += ["confusion", "reliability"]
    if card.epochs:
        _plot(folder / "loss.png", _draw_loss, card)
        plots.append("loss")
    text = "\n".join(_lines(report, card, plots, behaviour))
    (folder / "README.md").write_text(text, encoding="utf-8")


def _lines(
    report: Mapping[str, Any], card: Card, plots: Sequence[str], behaviour: Sequence[str]
) -> Iterator[str]:
    yield from ("---", "library_name: peft", "pipeline_tag: text-classification")
    yield from ("tags: [lora, content-moderation]", "---", "", "# Forum moderation adapter", "")
    rows = {name: file.rows for name, file in card.data.items()}
    yield (
        f"LoRA over `{card.base.name}` ({card.base.model_type}, {card.base.layers} layers of "
        f"{card.base.hidden_size}), trained {card.created[:10]} on {rows.get('train', 0):,} posts and measured "
        f"on {report['rows']:,} others, which chose nothing: neither the epoch nor the calibration. "
        f"{calibration_in_words(card.calibration)}"
    )
    yield ""
    if warnings := (*card.warnings, *map(Message.from_dict, report["warnings"])):
        yield from (*(f"- Warning: {warning}." for warning in warnings), "")
    metrics, linear = report["metrics"], report.get("linear")
    if metrics is not None:
        yield from ("## Figures", "", "With 95% intervals, from a bootstrap over groups of near-copies.", "")
        yield from _figures(metrics, linear, report["uncalibrated"])
        yield from ("", "| label | posts | precision | recall | F1 |", "|---|---|---|---|---|")
        for label, values in metrics["per_label"].items():
            cells = (interval(values, name) for name in ("precision", "recall", "f1"))
            yield f"| {label} | {values['support']:,} | {' | '.join(cells)} |"
        yield ""
    if "comparison" in report:
        compared = report["comparison"]
        yield from ("## Against the champion", "", f"**{compared['outcome'].capitalize()}.**", "")
        yield from (f"- {Message.from_dict(reason)}" for reason in compared["reasons"])
        yield ""
    yield from behaviour
    yield from (f"![{plot}]({plot}.png)" for plot in plots)
    yield from ("", "Meant to order posts for people to look at, not to decide about people by itself.")
    yield from (f"`report.json` holds every figure; test rows SHA-256 `{report['test_sha256']}`.", "")


def _figures(
    adapter: Mapping[str, Any], linear: Mapping[str, Any] | None, uncalibrated: Mapping[str, Any]
) -> Iterator[str]:
    titles = ["", "adapter", *(["linear baseline"] if linear else [])]
    yield f"| {' | '.join(titles)} |"
    yield "|---" * len(titles) + "|"
    for name, title in FIGURES.items():
        cells = [interval(values, name) for values in (adapter, linear) if values]
        yield f"| {title} | {' | '.join(cells)} |"
    yield f"| the same before calibration | {interval(uncalibrated, 'ece')} |{' |' if linear else ''}"


def _plot(path: Path, draw: Any, *what: Any) -> None:
    with mpl.rc_context({"text.color": INK, "axes.edgecolor": FAINT, "axes.labelcolor": INK, "font.size": 9}):
        figure = Figure(figsize=(4, 3.4), layout="constrained")
        draw(figure.subplots(), *what)
        figure.savefig(path, dpi=150, metadata={"Software": None})


def _draw_confusion(axes: Axes, confusion: Mapping[str, Mapping[str, float]]) -> None:
    matrix = np.array([[confusion[true][guess] for guess in LABELS] for true in LABELS])
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1e-9)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        color = "white" if share > 0.5 else INK
        text = f"{matrix[row, column]:,.0f}\n{share:.0%}"
        axes.text(column, row, text, ha="center", va="center", color=color)
    axes.set_xticks(range(len(LABELS)), LABELS)
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.set(xlabel="predicted", ylabel="label", title="Confusion, shares of each label")


def _draw_reliability(axes: Axes, table: pa.Table) -> None:
    probabilities = np.stack([table[f"p_{label}"].to_numpy() for label in LABELS], axis=1)
    held, sure, right = reliability(probabilities, table["label"].to_pylist(), table["weight"].to_numpy()).T
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle="--")
    there = held > 0
    axes.plot(sure[there], right[there], color=ACCENT, marker="o", markersize=4)
    shares = axes.twinx()
    shares.bar((np.arange(ECE_BINS) + 0.5) / ECE_BINS, held, width=0.9 / ECE_BINS, color=FAINT, alpha=0.5)
    shares.set_ylim(0, held.max() * 3)
    shares.set_yticks([])
    axes.set(xlim=(1 / len(LABELS), 1), ylim=(0, 1), xlabel="confidence", ylabel="share right")
    axes.set_title("Reliability (bars: how many posts)")


def _draw_loss(axes: Axes, card: Card) -> None:
    epochs = [epoch.epoch for epoch in card.epochs]
    axes.plot(epochs, [epoch.loss for epoch in card.epochs], color=INK, label="training loss")
    scores = [epoch.macro_f1 for epoch in card.epochs if epoch.macro_f1 is not None]
    if scores:
        right = axes.twinx()
        right.plot(epochs, scores, color=ACCENT, label="validation macro-F1")
        right.set_ylabel("validation macro-F1", color=ACCENT)
        right.set_ylim(0, 1)
    axes.axvline(card.best_epoch, color=FAINT, linestyle="--")
    axes.set(xlabel="epoch (the line: the one that was kept)", ylabel="training loss", title="Training")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
