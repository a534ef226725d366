"""Figures of a round: none from too few posts, none outside its interval."""

from typing import Any

import pytest

from workbench.rounds.measured import Figure, read_measured


def metrics(**values: Any) -> dict[str, Any]:
    violation = {"recall": 0.4, "precision": 0.6, "support": 8, "intervals": {"recall": [0.2, 0.7]}}
    return {
        "n": 40,
        "macro_f1": 0.61,
        "macro_f1_interval": [0.5, 0.7],
        "ece": 0.05,
        "intervals": {"ece": [0.06, 0.1]},
        "linear_macro_f1": 0.5,
        "per_label": {"violation": violation | values.pop("violation", {})},
    } | values


def test_figures_carry_their_intervals() -> None:
    measured = read_measured(metrics())
    assert measured is not None
    assert (measured.posts, measured.violations, measured.is_enough) == (40, 8, True)
    assert measured.caught == Figure(0.4, (0.2, 0.7))
    assert measured.right == Figure(0.6)
    assert measured.macro_f1 == Figure(0.61, (0.5, 0.7))
    assert measured.linear_macro_f1 == Figure(0.5)


def test_an_estimate_lies_inside_its_interval() -> None:
    measured = read_measured(metrics())
    assert measured is not None
    assert measured.calibration_error == Figure(0.05, (0.05, 0.1))


def test_fewer_posts_than_decide_anything_have_no_figure() -> None:
    measured = read_measured(metrics(n=29))
    assert measured is not None
    assert not measured.is_enough
    figures = (measured.caught, measured.right, measured.macro_f1, measured.calibration_error)
    assert (*figures, measured.linear_macro_f1) == (None,) * 5


def test_a_handful_of_violations_measures_no_recall() -> None:
    measured = read_measured(metrics(violation={"support": 4}))
    assert measured is not None
    assert (measured.caught, measured.right) == (None, None)
    assert measured.macro_f1 is not None


@pytest.mark.parametrize("missing", [None, {}])
def test_a_round_without_metrics_was_not_measured(missing: dict[str, Any] | None) -> None:
    assert read_measured(missing) is None


def test_a_figure_that_is_undefined_is_none() -> None:
    measured = read_measured(metrics(violation={"precision": None}, macro_f1_interval=[None, None]))
    assert measured is not None
    assert measured.right is None
    assert measured.macro_f1 == Figure(0.61)
