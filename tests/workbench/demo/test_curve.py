"""The curve has a line for each round, and rises if each round is better than the one before."""

from typing import Any

import pytest

from workbench.demo.curve import is_rising, table_of


def entry(number: int, macro_f1: float) -> dict[str, Any]:
    metrics = {
        "macro_f1": macro_f1,
        "macro_f1_interval": [macro_f1 - 0.1, macro_f1 + 0.1],
        "linear_macro_f1": 0.5,
        "n": 200,
        "per_label": {"violation": {"support": 20}},
    }
    return {"number": number, "train": {"n": 100 * number}, "metrics": metrics}


@pytest.mark.parametrize(
    ("scores", "rises"), [([0.4, 0.5, 0.6], True), ([0.4, 0.4], False), ([0.5, 0.4, 0.6], False)]
)
def test_a_curve_rises_with_every_round(scores: list[float], rises: bool) -> None:
    assert is_rising([entry(number, score) for number, score in enumerate(scores, start=1)]) is rises


def test_the_table_has_a_line_for_each_round_with_its_test_posts() -> None:
    heading, *lines, margin = table_of([entry(1, 0.4), entry(2, 0.55)])
    assert "test posts" in heading
    assert "+5.0 points" in margin
    assert [line.split() for line in lines] == [
        ["1", "100", "0.400", "0.300", "to", "0.500", "0.500", "200", "20"],
        ["2", "200", "0.550", "0.450", "to", "0.650", "0.500", "200", "20"],
    ]
