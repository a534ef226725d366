"""Learning curves of a simulation: summary figures, CSV and plot."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import t

from trainer.simulation.replay import FULL, Point

SHARES = (90, 95, 99)
"""Percentages of the macro-F1 of the whole pool."""
AGAINST = "random"
COLUMNS = ("strategy", "seed", "labels", "macro_f1", "violations")
Curve = Mapping[int, Point]
"""The points of one seed by their number of labels."""


def summary(points: Sequence[Point]) -> dict[str, Any]:
    """`{"full": macro-F1, "strategies": {name: {auc, auc_interval, labels_to, against_random, seeds, violations}}}`.

    `auc` is the mean over seeds of the normalised area under macro-F1 against labels, 0 to 1. Intervals are
    95% t intervals over seeds, null with one seed; `against_random` pairs the seeds. `labels_to` is read from
    the mean curve, null if it does not reach the share.
    """
    full = [point.macro_f1 for point in points if point.strategy == FULL]
    top = float(np.mean(full)) if full else None
    curves = by_strategy(points)
    areas = {name: {seed: area(curve) for seed, curve in runs.items()} for name, runs in curves.items()}
    return {
        "full": top,
        "strategies": {
            name: _described(runs, areas[name], areas.get(AGAINST, {}), top) for name, runs in curves.items()
        },
    }


def by_strategy(points: Sequence[Point]) -> dict[str, dict[int, Curve]]:
    curves: defaultdict[str, defaultdict[int, dict[int, Point]]] = defaultdict(lambda: defaultdict(dict))
    for point in points:
        if point.strategy != FULL:
            curves[point.strategy][point.seed][point.labels] = point
    return {name: dict(runs) for name, runs in curves.items()}


def area(curve: Curve) -> float:
    labels = sorted(curve)
    heights = [curve[count].macro_f1 for count in labels]
    if len(labels) == 1:
        return heights[0]
    return float(np.trapezoid(heights, labels) / (labels[-1] - labels[0]))


def interval(values: Sequence[float]) -> list[float] | None:
    if len(values) < 2:
        return None
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    middle = float(np.mean(values))
    return [middle - half, middle + half]


def mean_curve(runs: Mapping[int, Curve]) -> tuple[list[int], NDArray[np.float64]]:
    """Numbers of labels that every seed has reached, and macro-F1 (seeds, numbers)."""
    labels = sorted(set.intersection(*(set(curve) for curve in runs.values())))
    return labels, np.array([[curve[count].macro_f1 for count in labels] for curve in runs.values()])


def labels_to(labels: Sequence[int], heights: NDArray[np.float64], wanted: float) -> int | None:
    above = np.flatnonzero(heights >= wanted)
    if not len(above):
        return None
    at = int(above[0])
    if at == 0:
        return labels[0]
    part = (wanted - heights[at - 1]) / (heights[at] - heights[at - 1])
    return int(np.ceil(labels[at - 1] + part * (labels[at] - labels[at - 1])))


def write_csv(file: Path, points: Sequence[Point]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows([getattr(point, name) for name in COLUMNS] for point in points)


def draw(file: Path, points: Sequence[Point]) -> None:
    top = summary(points)["full"]
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.subplots()
        for name, runs in by_strategy(points).items():
            labels, heights = mean_curve(runs)
            (line,) = axes.plot(labels, heights.mean(axis=0), label=name, marker="o", markersize=3)
            if len(heights) > 1:
                bounds = np.array([interval(list(column)) for column in heights.T])
                axes.fill_between(labels, bounds[:, 0], bounds[:, 1], color=line.get_color(), alpha=0.12)
        if top is not None:
            axes.axhline(top, color="#6b7280", linestyle="--", label="the whole pool")
        axes.set(xlabel="labels", ylabel="macro-F1 on the test posts")
        axes.legend()
        figure.savefig(file, dpi=150, metadata={"Software": None})


def _described(
    runs: Mapping[int, Curve], areas: Mapping[int, float], random: Mapping[int, float], top: float | None
) -> dict[str, Any]:
    labels, heights = mean_curve(runs)
    gains = [areas[seed] - random[seed] for seed in areas if seed in random]
    return {
        "auc": float(np.mean(list(areas.values()))),
        "auc_interval": interval(list(areas.values())),
        "labels_to": {
            str(share): None if top is None else labels_to(labels, heights.mean(axis=0), top * share / 100)
            for share in SHARES
        },
        "against_random": {"mean": float(np.mean(gains)), "interval": interval(gains)} if gains else None,
        "violations": float(np.mean([curve[max(curve)].violations for curve in runs.values()])),
        "seeds": len(runs),
    }
