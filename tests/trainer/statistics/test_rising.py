"""Words stand out by the certainty of their rise and not by their rarity before."""

from collections import Counter
from math import log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.statistics.rising import PRIOR, log_odds, rises

COUNTS = st.dictionaries(st.sampled_from("甲乙丙丁戊己"), st.integers(1, 400), min_size=1)


@given(st.integers(0, 50), st.integers(100, 1_000), st.integers(0, 50), st.integers(100, 1_000))
def test_the_score_is_that_of_the_paper(count: int, n: int, before: int, m: int) -> None:
    if count + before == 0:
        return
    worth = min(PRIOR, (n + m) / 10)
    alpha = worth * (count + before) / (n + m)
    odds = (count + alpha) / (n + worth - count - alpha)
    other = (before + alpha) / (m + worth - before - alpha)
    variance = 1 / (count + alpha) + 1 / (before + alpha)
    assert log_odds(count, n, before, m) == pytest.approx((log(odds) - log(other)) / sqrt(variance))


@given(COUNTS, COUNTS)
def test_a_word_falls_by_as_much_as_it_rises_the_other_way(
    now: dict[str, int], before: dict[str, int]
) -> None:
    n, m = sum(now.values()), sum(before.values())
    for word, count in now.items():
        other = before.get(word, 0)
        assert log_odds(count, n, other, m) == pytest.approx(-log_odds(other, m, count, n))


@given(COUNTS, COUNTS)
def test_nothing_rises_on_both_sides_at_once(now: dict[str, int], before: dict[str, int]) -> None:
    here = {one.word for one in rises(now, before, most=10)}
    there = {one.word for one in rises(before, now, most=10)}
    assert not here & there


def test_a_word_said_much_more_often_comes_first_and_a_rare_accident_not_at_all() -> None:
    before = Counter({"天气": 500, "手机": 400, "红包": 5})
    now = Counter({"天气": 100, "手机": 80, "红包": 40, "偶然": 1, "两次": 2})
    assert [one.word for one in rises(now, before, most=10)] == ["红包"]
    first = rises(now, before, most=1)[0]
    assert (first.count, first.before) == (40, 5)


def test_the_same_shares_rise_nowhere() -> None:
    assert rises({"天气": 50, "手机": 40}, {"天气": 500, "手机": 400}, most=10) == []
