"""Agreement of people, against the published example and a recomputation from pairs."""

from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.statistics.agreement import (
    agreement,
    agreement_on_labels,
    apart,
    ordinal_interval,
)

PUBLISHED = ["aa", "ab", "bb", "bb", "bb", "bb", "bb", "bb", "ba", "bb"]
"""Two coders, ten units; reckoned by hand below."""

UNITS = ["111", "2232", "3333", "3333", "2222", "1234", "4444", "1121", "2222", "555", "11", "3"]

judgements = st.lists(st.lists(st.sampled_from("abc"), max_size=4), max_size=12)


def test_posts_that_one_person_judged_say_nothing() -> None:
    assert agreement([["a"], [], ["b"]], "ab") is None
    assert ordinal_interval([["a"]], "ab") is None
    assert agreement_on_labels([["a"]], "ab") == {}


def test_it_is_what_pencil_and_paper_say() -> None:
    found = agreement([[*labels] for labels in PUBLISHED], "ab")
    assert found is not None
    assert (found.posts, found.pairs, found.share) == (10, 10, 0.8)
    # a: 4 of 20 labels, b: 16; two units disagree: observed 2/10, by chance 2 * 4 * 16 / (20 * 19).
    assert found.alpha == pytest.approx(1 - 0.2 / (2 * 4 * 16 / (20 * 19)))


def test_the_published_example_with_missing_judgements() -> None:
    """Krippendorff 2011, parts C and D: four observers, twelve units; nominal 0.743, ordinal 0.815."""
    found = agreement([[*labels] for labels in UNITS], "12345")
    assert found is not None
    assert found.alpha == pytest.approx(0.743, abs=0.0005)
    assert found.ordinal == pytest.approx(0.815, abs=0.0005)


def test_where_all_say_the_same_nothing_is_known_of_chance() -> None:
    found = agreement([["a", "a"], ["a", "a"]], "abc")
    assert found is not None
    assert (found.share, found.alpha, found.ordinal) == (1.0, None, None)
    assert ordinal_interval([["a", "a"], ["a", "a"]], "abc") is None


@given(judgements)
def test_it_is_what_all_pairs_say(judged: list[list[str]]) -> None:
    found = agreement(judged, "abc")
    units = [labels for labels in judged if len(labels) > 1]
    if not units:
        assert found is None
        return
    assert found is not None
    pairs = [pair for labels in units for pair in combinations(labels, 2)]
    assert found.share == pytest.approx(sum(one == other for one, other in pairs) / len(pairs))
    flat = [label for labels in units for label in labels]
    apart = [one != other for one, other in permutations(flat, 2)]
    if not any(apart):
        assert found.alpha is None
        return
    observed = sum(
        (one != other) / (len(labels) - 1) for labels in units for one, other in permutations(labels, 2)
    ) / len(flat)
    assert found.alpha == pytest.approx(1 - observed / (sum(apart) / len(apart)))


@given(judgements)
def test_the_ordinal_one_is_what_all_pairs_say(judged: list[list[str]]) -> None:
    """The squared distance of two labels: the judgements between their middles, by plain counting."""
    units = [labels for labels in judged if len(labels) > 1]
    found = agreement(judged, "abc")
    flat = [label for labels in units for label in labels]
    if len(set(flat)) < 2:
        assert found is None or found.ordinal is None
        return
    assert found is not None

    def distance(one: str, other: str) -> float:
        low, high = sorted((one, other))
        between = sum(low <= label <= high for label in flat)
        return float(between - (flat.count(low) + flat.count(high)) / 2) ** 2

    observed = sum(
        distance(one, other) / (len(labels) - 1) for labels in units for one, other in permutations(labels, 2)
    ) / len(flat)
    chance = [distance(one, other) for one, other in permutations(flat, 2)]
    assert found.ordinal == pytest.approx(1 - observed / (sum(chance) / len(chance)))


def test_neighbours_on_the_scale_disagree_less_than_its_ends() -> None:
    same = [["a", "a"], ["b", "b"], ["c", "c"]] * 4
    near, far = agreement([*same, ["a", "b"]], "abc"), agreement([*same, ["a", "c"]], "abc")
    assert near is not None
    assert far is not None
    assert near.ordinal is not None
    assert far.ordinal is not None
    assert near.ordinal > far.ordinal


def test_the_interval_holds_the_value_and_narrows_with_more_posts() -> None:
    few = [["a", "a"], ["b", "b"], ["c", "b"], ["a", "a"], ["c", "c"], ["a", "b"]]
    widths = []
    for judged in (few, few * 30):
        found, interval = agreement(judged, "abc"), ordinal_interval(judged, "abc")
        assert found is not None
        assert found.ordinal is not None
        assert interval is not None
        assert interval[0] < found.ordinal < interval[1]
        widths.append(interval[1] - interval[0])
    assert widths[1] < widths[0] / 4


def test_agreement_on_a_label_is_about_the_posts_that_have_it() -> None:
    judged = [["a", "a"]] * 6 + [["a", "b"]] * 2 + [["b", "b"]]
    on = agreement_on_labels(judged, "abc")
    assert [*on] == ["a", "b"]
    assert (on["a"].mean, on["a"].rows) == (pytest.approx(12 / 14), 8)
    assert (on["b"].mean, on["b"].rows) == (pytest.approx(2 / 4), 3)
    assert on["b"].interval[0] < 0.5 < on["b"].interval[1]


def test_the_pairs_of_labels_that_are_apart_are_counted_by_post() -> None:
    assert apart([["a", "b"], ["b", "a"], ["c", "a", "b"], ["a"], ["c", "c"]], "abc") == {
        ("a", "b"): 3,
        ("a", "c"): 1,
        ("b", "c"): 1,
    }
