"""The queue's composition: shares, turns, and which post goes into which lane."""

from collections import Counter
from dataclasses import asdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer.selection.lanes import (
    FALLBACK,
    HELD_OUT,
    RANDOM,
    TYPICAL,
    UNCERTAIN,
    VIOLATION,
    Band,
    Composition,
    at_cold_start,
    cold_lanes,
    compose,
    pool_lanes,
    preference,
    turns,
    with_second_opinions,
)

WIDE = Band(at_least=1)


def probabilities(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet([2, 0.5, 0.7], count)


def lanes_of(scores: np.ndarray, limits: Band = WIDE, **settings: object) -> dict[str, np.ndarray]:
    composition = Composition()
    return pool_lanes(scores, composition, limits, embed=None, rng=np.random.default_rng(3), **settings)  # type: ignore[arg-type]


def test_a_hundred_turns_are_what_the_settings_say_and_evenly_spread() -> None:
    cycle = turns(Composition())
    assert Counter(cycle) == {
        UNCERTAIN: 50,
        RANDOM: 10,
        VIOLATION: 10,
        "second_opinion": 10,
        HELD_OUT: 20,
    }
    places = [at for at, lane in enumerate(cycle) if lane == HELD_OUT]
    assert max(np.diff(places)) <= 8


@given(st.tuples(*[st.integers(0, 30)] * 5).filter(lambda shares: sum(shares) > 0))
def test_every_lane_gets_its_share_of_a_cycle(shares: tuple[int, ...]) -> None:
    cycle = Counter(turns(Composition(*shares)))
    assert sum(cycle.values()) == sum(shares)
    assert sorted(cycle.values()) == sorted(share for share in shares if share)


@given(st.tuples(st.integers(1, 30), *[st.integers(0, 30)] * 4), st.integers(0, 100))
def test_a_share_of_second_opinions_leaves_the_others_in_proportion(
    shares: tuple[int, ...], percent: int
) -> None:
    before = Composition(*shares)
    after = with_second_opinions(before, percent)
    assert after.second_opinion * 100 == percent * sum(asdict(after).values())
    if percent < 100:
        others = [name for name in asdict(before) if name != "second_opinion"]
        of_before, of_after = (sum(getattr(one, name) for name in others) for one in (before, after))
        for name in others:
            assert getattr(after, name) * of_before == getattr(before, name) * of_after


def test_a_lane_that_has_nothing_passes_its_turn_to_the_uncertain_one() -> None:
    cycle = turns(Composition(uncertain=1, random=1, violation=1, second_opinion=0, held_out=0))
    assert {preference(turn, cycle)[0] for turn in range(3)} == {UNCERTAIN, RANDOM, VIOLATION}
    assert all(preference(turn, cycle)[1] in {UNCERTAIN, TYPICAL} for turn in range(3))
    assert set(preference(0, ())) == set(FALLBACK)


def test_no_post_is_in_two_lanes() -> None:
    found = lanes_of(probabilities(500))
    everything = np.concatenate(list(found.values()))
    assert len(set(everything.tolist())) == len(everything)


def test_the_random_lane_is_a_share_of_all_whatever_the_model_thinks() -> None:
    scores = probabilities(700)
    drawn = lanes_of(scores)[RANDOM]
    assert len(drawn) == 100  # 10 of 70 served from the pool
    swapped = lanes_of(scores[:, [2, 1, 0]])[RANDOM]
    assert drawn.tolist() == swapped.tolist()


def test_likely_violations_lie_outside_the_band() -> None:
    scores = probabilities(500)
    chosen = scores[lanes_of(scores)[VIOLATION]]
    assert (chosen.argmax(axis=1) == 2).all()
    assert (chosen.max(axis=1) > 0.6).all()
    assert not (np.diff(chosen[:, 2]) <= 0).all()  # the surest are no better than the others


def test_the_uncertain_lane_is_widened_when_short_and_cut_when_long() -> None:
    scores = probabilities(500)
    sure = int((scores.max(axis=1) > 0.6).sum())
    assert sure > 0
    assert len(lanes_of(scores, Band(at_least=1_000))[UNCERTAIN]) > len(lanes_of(scores)[UNCERTAIN])
    assert len(lanes_of(scores, Band(at_least=5, at_most=7))[UNCERTAIN]) == 7


def test_newer_posts_come_first_but_not_in_the_random_lane() -> None:
    scores, is_new = probabilities(500), np.arange(500) % 5 == 0
    found, plain = lanes_of(scores, is_new=is_new), lanes_of(scores)
    for lane in (UNCERTAIN, VIOLATION):
        places = is_new[found[lane]]
        assert places[: places.sum()].all()
    assert found[RANDOM].tolist() == plain[RANDOM].tolist()


def test_a_cold_start_serves_typical_and_random_posts_by_turns() -> None:
    vectors = np.random.default_rng(0).normal(size=(300, 4))
    lanes = cold_lanes(300, embed=lambda at: vectors[at], rng=np.random.default_rng(1))
    served = compose(lanes, 100, at_cold_start(Composition(held_out=0, second_opinion=0)))
    assert Counter(lane for _, lane in served) == {TYPICAL: 50, RANDOM: 50}
    assert len({position for position, _ in served}) == 100


def test_without_vectors_a_cold_start_is_random() -> None:
    lanes = cold_lanes(30, embed=None, rng=np.random.default_rng(1))
    assert sorted(lanes[RANDOM].tolist()) == list(range(30))
    assert len(lanes[TYPICAL]) == 0


def test_what_is_composed_follows_the_turns_and_ends_with_the_posts() -> None:
    lanes = {UNCERTAIN: np.array([4, 5, 6]), RANDOM: np.array([1])}
    composition = Composition(uncertain=1, random=1, violation=0, second_opinion=0, held_out=0)
    served = compose(lanes, 10, composition)
    assert sorted(served) == [(1, RANDOM), (4, UNCERTAIN), (5, UNCERTAIN), (6, UNCERTAIN)]
    later = compose(lanes, 1, composition, first_turn=1)
    assert later != served[:1]
