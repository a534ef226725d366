"""Summary figures of the points of a simulation."""

import csv
from pathlib import Path

import numpy as np
import pytest

from trainer.simulation.curves import area, draw, interval, labels_to, summary, write_csv
from trainer.simulation.replay import FULL, Point


def point(strategy: str, seed: int, labels: int, macro_f1: float, violations: int = 0) -> Point:
    return Point(strategy, seed, labels, macro_f1, violations, (), ())


POINTS = [
    *(point("random", seed, labels, 0.4 + labels / 1_000 + seed / 100) for seed in (0, 1) for labels in (100, 200, 300)),
    *(point("ours", seed, labels, 0.5 + labels / 1_000 + seed / 50, 7) for seed in (0, 1) for labels in (100, 200, 300)),
    point(FULL, 0, 1_000, 0.8),
]  # fmt: skip


def test_the_area_is_a_mean_height_whatever_the_steps() -> None:
    curve = {labels: point("a", 0, labels, labels / 1_000) for labels in (100, 150, 300)}
    assert area(curve) == pytest.approx(0.2)
    assert area({100: point("a", 0, 100, 0.3)}) == 0.3


def test_labels_to_a_height_are_read_between_the_points() -> None:
    heights = np.array([0.2, 0.4, 0.3, 0.6])
    assert labels_to([10, 20, 30, 40], heights, 0.3) == 15
    assert labels_to([10, 20, 30, 40], heights, 0.1) == 10
    assert labels_to([10, 20, 30, 40], heights, 0.7) is None


def test_the_summary_pairs_the_seeds() -> None:
    found = summary(POINTS)
    assert found["full"] == 0.8
    ours = found["strategies"]["ours"]
    assert ours["auc"] == pytest.approx(0.71)
    assert ours["against_random"]["mean"] == pytest.approx(0.105)
    assert ours["against_random"]["interval"] == pytest.approx(interval([0.1, 0.11]))
    assert ours["labels_to"] == {"90": 210, "95": 250, "99": 282}
    assert (ours["violations"], ours["seeds"]) == (7, 2)
    assert found["strategies"]["random"]["labels_to"]["99"] is None


def test_one_seed_has_no_interval_and_no_full_pool_no_labels_to() -> None:
    found = summary([point("ours", 0, 100, 0.5), point("ours", 0, 200, 0.6)])
    assert found["full"] is None
    ours = found["strategies"]["ours"]
    assert ours["auc_interval"] is None
    assert ours["against_random"] is None
    assert set(ours["labels_to"].values()) == {None}


def test_seeds_that_are_not_done_are_compared_as_far_as_they_came() -> None:
    found = summary([*POINTS[:-2], POINTS[-1]])
    assert found["strategies"]["ours"]["labels_to"]["99"] is None


def test_curves_as_csv_and_as_a_picture(tmp_path: Path) -> None:
    write_csv(tmp_path / "curves.csv", POINTS)
    with (tmp_path / "curves.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0] == {
        "strategy": "random",
        "seed": "0",
        "labels": "100",
        "macro_f1": "0.5",
        "violations": "0",
    }
    draw(tmp_path / "curves.png", POINTS)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
