import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trainer.selection.forecast import SHARED, expected_gain


def power_law(labels):
    return 0.8 - 1.2 * np.asarray(labels, float) ** -0.4


LABELS = [100, 200, 400, 600, 800]
TRUE = power_law(900) - power_law(800)


def width(gain):
    return gain.interval[1] - gain.interval[0]


def test_a_power_law_measured_well_is_carried_on():
    gain = expected_gain(LABELS, power_law(LABELS), [0.004] * 5)
    assert gain.mean == pytest.approx(TRUE, abs=0.003)
    assert gain.interval[0] < gain.likely[0] < TRUE < gain.likely[1] < gain.interval[1] < 0.03


def test_one_point_promises_little_and_excludes_little():
    gain = expected_gain([320], [0.56], [0.03])
    assert gain.interval[0] == 0
    assert gain.interval[1] > 0.04
    assert 0.005 < gain.mean < 0.03


def test_every_further_point_narrows_the_interval():
    widths = [width(expected_gain(LABELS[:k], power_law(LABELS[:k]), [0.015] * k)) for k in range(1, 6)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 5 * widths[-1]


def test_better_measured_points_narrow_the_interval():
    rough, fine = (expected_gain(LABELS, power_law(LABELS), [error] * 5) for error in (0.03, 0.005))
    assert width(fine) < width(rough)


def test_a_falling_curve_gains_next_to_nothing():
    gain = expected_gain([200, 400, 600], [0.70, 0.68, 0.66], [0.015] * 3)
    assert gain.interval[0] == 0
    assert gain.mean < 0.005


def test_a_flat_curve_gains_nothing_for_sure():
    gain = expected_gain([200, 400, 600, 800, 1000], [0.72] * 5, [0.01] * 5)
    assert gain.interval[0] == 0
    assert gain.interval[1] < 0.01


def test_a_curve_that_gathers_speed_is_not_called_flat():
    """The beginning of an S-shaped curve."""
    labels = [50, 150, 250, 350]
    gain = expected_gain(labels, [0.30, 0.32, 0.37, 0.45], [0.01] * 4)
    assert gain.interval[1] > 0.08


def test_two_rounds_of_the_same_labels_tell_nothing_of_the_slope():
    tied, single = expected_gain([500, 500], [0.70, 0.72], [0.015] * 2), expected_gain([500], [0.71], [0.015])
    assert tied.mean == pytest.approx(single.mean, rel=0.2)


def test_the_order_of_the_points_does_not_matter():
    scores = power_law(LABELS)
    forth, back = (expected_gain(LABELS[::way], scores[::way], [0.01] * 5) for way in (1, -1))
    assert (forth.mean, *forth.interval) == pytest.approx((back.mean, *back.interval))


def test_the_further_from_the_newest_point_the_less_is_gained_and_the_less_is_known():
    scores = power_law(LABELS)
    now, later = (expected_gain(LABELS, scores, [0.01] * 5, since=since) for since in (None, 1600))
    assert later.mean < now.mean
    assert width(later) / later.mean > width(now) / now.mean


def test_the_forecast_never_starts_before_the_newest_point():
    scores = power_law(LABELS)
    assert expected_gain(LABELS, scores, [0.01] * 5, since=10) == expected_gain(LABELS, scores, [0.01] * 5)


def test_nothing_is_gained_beyond_one():
    gain = expected_gain([500, 1000], [0.97, 0.98], [0.005] * 2, more=100_000)
    assert gain.interval[1] < 0.04


@settings(max_examples=60, deadline=None)
@example([(1, 0.0, 0.125), (1, 1.0, 0.25)], 7)
@given(
    st.lists(
        st.tuples(st.integers(1, 100_000), st.floats(0, 1), st.floats(0.001, 0.3)), min_size=1, max_size=12
    ),
    st.integers(1, 1000),
)
def test_whatever_the_curve_the_gain_is_no_less_than_nothing_and_no_more_than_all(points, more):
    gain = expected_gain(*zip(*points, strict=True), more=more)
    ends = [gain.interval[0], gain.likely[0], gain.likely[1], gain.interval[1]]
    assert ends == sorted(ends)
    assert ends[0] >= 0
    assert ends[-1] <= 1
    assert gain.interval[0] <= gain.mean <= 1


@pytest.mark.parametrize(
    "points",
    [
        ([], [], []),
        ([100, 200], [0.5], [0.01]),
        ([0], [0.5], [0.01]),
        ([100], [float("nan")], [0.01]),
        ([100], [0.5], [0.0]),
        ([100], [0.5], [float("nan")]),
    ],
)
def test_a_point_that_is_none_is_refused(points):
    with pytest.raises(ValueError, match="point"):
        expected_gain(*points)


def test_the_interval_holds_the_gain_about_as_often_as_it_says(rng):
    """Four shapes of curve, three noisy rounds each; `tests.benchmarks.quality.forecast` is the full check."""
    labels = np.array([100, 200, 300])
    shapes = [
        power_law,
        lambda n: 0.4 + 0.05 * np.log(n / 50),
        lambda n: 0.75 - 0.3 * np.exp(-n / 300),
        lambda n: 0.72 - 0.0 * n,
    ]
    held = []
    for shape in shapes * 40:
        noise = 0.02 * (np.sqrt(SHARED) * rng.normal() + np.sqrt(1 - SHARED) * rng.normal(size=3))
        scores = shape(labels) + noise + 0.005 * rng.normal(size=3)
        low, high = expected_gain(labels, scores, [0.02] * 3).interval
        held.append(low <= shape(400) - shape(300) <= high)
    assert np.mean(held) >= 0.9
