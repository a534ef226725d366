"""Agreement of people, against the published example and a recomputation from pairs."""

from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.statistics.agreement import agreement

PUBLISHED = ["aa", "ab", "bb", "bb", "bb", "bb", "bb", "bb", "ba", "bb"]
"""Two coders, ten units; reckoned by hand below."""

judgements = st.lists(st.lists(st.sampled_from("abc"), max_size=4), max_size=12)


def test_posts_that_one_person_judged_say_nothing() -> None:
    assert agreement([["a"], [], ["b"]]) is None


def test_it_is_what_pencil_and_paper_say() -> None:
    found = agreement([[*labels] for labels in PUBLISHED])
    assert found is not None
    assert (found.posts, found.pairs, found.share) == (10, 10, 0.8)
    # a: 4 of 20 labels, b: 16; two units disagree: observed 2/10, by chance 2 * 4 * 16 / (20 * 19).
    assert found.alpha == pytest.approx(1 - 0.2 / (2 * 4 * 16 / (20 * 19)))


def test_the_published_example_with_missing_judgements() -> None:
    """Krippendorff 2011, part C: four observers, twelve units, nominal alpha 0.743."""
    units = ["111", "2232", "3333", "3333", "2222", "1234", "4444", "1121", "2222", "555", "11", "3"]
    found = agreement([[*labels] for labels in units])
    assert found is not None
    assert found.alpha == pytest.approx(0.743, abs=0.0005)


def test_where_all_say_the_same_nothing_is_known_of_chance() -> None:
    found = agreement([["a", "a"], ["a", "a"]])
    assert found is not None
    assert (found.share, found.alpha) == (1.0, None)


@given(judgements)
def test_it_is_what_all_pairs_say(judged: list[list[str]]) -> None:
    found = agreement(judged)
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
