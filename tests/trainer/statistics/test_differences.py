"""Differences of two models equal those of a plain count, and lie inside their intervals."""

import numpy as np
import pytest

from trainer.labels import LABELS
from trainer.statistics.differences import differences

ROWS = 90


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    one, other = (rng.dirichlet([1, 1, 1], ROWS) for _ in range(2))
    labels = [LABELS[at] for at in rng.integers(0, 3, ROWS)]
    return one, other, labels, rng.uniform(1, 4, ROWS), [f"g{at // 2}" for at in range(ROWS)]


def share(is_counted: list[bool], is_hit: list[bool], weights: np.ndarray) -> float:
    whole = sum(weight for weight, counted in zip(weights, is_counted, strict=True) if counted)
    hits = sum(
        weight for weight, counted, hit in zip(weights, is_counted, is_hit, strict=True) if counted and hit
    )
    return float(hits / whole)


@pytest.mark.parametrize("seed", range(3))
def test_they_equal_a_plain_count(seed: int) -> None:
    one, other, labels, weights, groups = drawn(seed)
    compared = differences(one, other, labels, weights, groups, rng=np.random.default_rng(1), resamples=400)
    assert (compared.posts, compared.violations) == (ROWS, labels.count("violation"))
    is_violation = [label == "violation" for label in labels]
    assert compared.caught is not None
    assert compared.right is not None
    for scores, caught, right in (
        (one, compared.caught.one, compared.right.one),
        (other, compared.caught.other, compared.right.other),
    ):
        is_flagged = [LABELS[int(row.argmax())] == "violation" for row in scores]
        assert caught == pytest.approx(share(is_violation, is_flagged, weights))
        assert right == pytest.approx(share(is_flagged, is_violation, weights))
    for figure in (compared.caught, compared.right, compared.macro_f1):
        assert figure is not None
        assert figure.difference == figure.other - figure.one
        assert figure.interval[0] <= figure.difference <= figure.interval[1]
        assert figure.interval[0] < figure.interval[1]


def test_equal_models_differ_by_nothing() -> None:
    one, _, labels, weights, groups = drawn(0)
    compared = differences(one, one, labels, weights, groups, rng=np.random.default_rng(1), resamples=100)
    assert compared.caught is not None
    assert compared.caught.difference == 0
    assert compared.caught.interval == pytest.approx((0, 0))


def test_a_figure_without_a_violation_is_none() -> None:
    one, other, _, weights, groups = drawn(0)
    compared = differences(
        one, other, ["normal"] * ROWS, weights, groups, rng=np.random.default_rng(1), resamples=100
    )
    assert compared.caught is None
