"""Figures for a terminal: columns align, and what is not defined says so."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer.labels import LABELS
from trainer.statistics.metrics import metrics
from trainer.statistics.table import metrics_table


def table_of(labels: list[str]) -> list[str]:
    probabilities = np.full((len(labels), 3), 0.1)
    probabilities[:, 0] = 0.8
    return metrics_table(metrics(probabilities, labels, rng=np.random.default_rng(0))).split("\n")


def test_each_label_and_the_whole_has_a_line() -> None:
    heading, *labels, macro_f1, ece = table_of(["normal"] * 3 + ["suspicious"])
    assert heading.split() == ["label", "posts", "precision", "recall", "F1"]
    assert labels == [
        "normal          3      0.750   1.000  0.857",
        "suspicious      1          -   0.000  0.000",
        "violation       0          -       -      -",
    ]
    assert macro_f1.startswith("macro-F1                 0.429 [")
    assert ece.startswith("calibration error (ECE)  0.050 [")


@given(st.lists(st.sampled_from(LABELS), min_size=1, max_size=6))
def test_the_columns_align(labels: list[str]) -> None:
    lines = table_of(labels)[: 1 + len(LABELS)]
    assert len({len(line) for line in lines}) == 1
