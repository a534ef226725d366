"""Scores are appended in whole segments and looked up by post."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.selection.budget import Picker, is_drawn
from workbench.scores import round_scores
from workbench.scores.round_scores import Coverage, RoundScores, Scores


@pytest.fixture
def own(tmp_path: Path) -> RoundScores:
    return RoundScores(tmp_path)


def some(ids: list[int]) -> Scores:
    tops = np.array(ids, dtype=np.float32) / (max(ids) + 1)
    return Scores(np.array(ids, dtype=np.int64), np.stack([tops, 1 - tops, tops * 0], axis=1))


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_a_round_is_read_in_parts_as_it_was_written(
    own: RoundScores, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_scores, "SEGMENT", at_once)
    rng = np.random.default_rng(0)
    ids = np.arange(1, 12, dtype=np.int64)
    table = rng.dirichlet([1, 1, 1], 11).astype(np.float32)
    for part in (slice(0, 4), slice(4, 11)):
        own.append(Scores(ids[part], table[part]))
    parts = list(own.parts())
    assert max(len(part.post_ids) for part in parts) <= at_once
    assert np.concatenate([part.post_ids for part in parts]).tolist() == ids.tolist()
    assert np.array_equal(np.concatenate([part.probabilities for part in parts]), table)


def test_nothing_appended_is_nothing_written(tmp_path: Path) -> None:
    scores = RoundScores(tmp_path / "scores")
    scores.append(Scores(np.empty(0, np.int64), np.empty((0, 3), np.float32)))
    assert not scores.folder.exists()


def test_segments_add_up(own: RoundScores) -> None:
    own.append(some([1, 2, 5]))
    own.append(some([6, 9]))
    assert (own.last_scored(), own.count()) == (9, 5)
    assert own.read().post_ids.tolist() == [1, 2, 5, 6, 9]


def test_the_first_scores_are_read_from_no_more_files_than_they_lie_in(own: RoundScores) -> None:
    own.append(some([1, 2, 5]))
    own.append(some([6, 9]))
    own.append(some([10]))
    (own.folder / "0000000010-0000000010.parquet").unlink()
    first = own.read_first(4)
    assert first.post_ids.tolist() == [1, 2, 5, 6]
    assert first.probabilities.shape == (4, 3)


def test_a_post_is_scored_once(own: RoundScores) -> None:
    own.append(some([1, 2, 5]))
    with pytest.raises(ValueError, match="post 5 has been scored already"):
        own.append(some([5, 6]))


def test_a_segment_without_its_manifest_line_is_not_there(own: RoundScores) -> None:
    own.append(some([1]))
    (own.folder / "0000000002-0000000003.parquet").write_bytes(b"half a file")
    assert own.read().post_ids.tolist() == [1]
    own.append(some([2, 3]))
    assert own.count() == 3


def test_before_the_first_segment_there_is_nothing(own: RoundScores) -> None:
    assert (own.last_scored(), own.count(), len(own.read().post_ids)) == (0, 0, 0)


@given(
    scored=st.lists(st.integers(1, 60), min_size=1, unique=True).map(sorted),
    wanted=st.lists(st.integers(1, 60), unique=True),
)
def test_of_finds_exactly_the_scored_ones_in_the_order_asked(scored: list[int], wanted: list[int]) -> None:
    scores = some(scored)
    read = scores.of(np.array(wanted, dtype=np.int64))
    assert read.post_ids.tolist() == [post for post in wanted if post in scored]
    rows = dict(zip(scored, scores.probabilities.tolist(), strict=True))
    assert read.probabilities.tolist() == [rows[post] for post in read.post_ids.tolist()]


@settings(deadline=None)
@given(
    st.lists(st.sets(st.integers(1, 60), min_size=1), max_size=5),
    st.sets(st.integers(1, 80)),
)
def test_what_is_forgotten_is_gone_and_the_rest_is_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[set[int]], gone: set[int]
) -> None:
    own, ids, last = RoundScores(tmp_path_factory.mktemp("scores")), [], 0
    for part in wanted:
        new = sorted(last + number for number in part)
        own.append(some(new))
        ids += new
        last = new[-1]
    before, targets = own.read(), np.array(sorted(gone), dtype=np.int64)
    remaining = [number for number in ids if number not in gone]
    assert own.count_of(targets) == len(ids) - len(remaining)
    assert own.forget(targets) == len(ids) - len(remaining)
    assert own.forget(targets) == 0
    after = own.read()
    assert after.post_ids.tolist() == remaining
    assert (after.probabilities == before.of(after.post_ids).probabilities).all()
    assert (own.count(), own.last_scored()) == (len(remaining), max(remaining, default=0))
    assert len(list(own.folder.glob("*.parquet"))) == sum(
        bool(set(part) & {*remaining}) for part in _parts(wanted)
    )
    for number in ids:
        score = own.score_of(number)
        assert (score is None) == (number in gone)
        assert score is None or (score == before.of(np.array([number])).probabilities[0]).all()


def _parts(wanted: list[set[int]]) -> list[list[int]]:
    parts, last = [], 0
    for part in wanted:
        parts.append(sorted(last + number for number in part))
        last = parts[-1][-1]
    return parts


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, unique=True), st.sets(st.integers(0, 70)))
def test_the_scores_of_some_posts_are_those_among_all(
    tmp_path_factory: pytest.TempPathFactory, ids: list[int], wanted: set[int]
) -> None:
    own = RoundScores(tmp_path_factory.mktemp("some"))
    ids.sort()
    for start in range(0, len(ids), 7):
        own.append(some(ids[start : start + 7]))
    asked = np.array(sorted(wanted), dtype=np.int64)
    read, expected = own.read_of(asked), own.read().of(asked)
    assert read.post_ids.tolist() == expected.post_ids.tolist()
    np.testing.assert_array_equal(read.probabilities, expected.probabilities)


def test_only_files_with_wanted_posts_are_opened(own: RoundScores) -> None:
    own.append(some([1, 2, 5]))
    own.append(some([6, 9]))
    (own.folder / "0000000001-0000000005.parquet").unlink()
    assert own.read_of(np.array([7, 9])).post_ids.tolist() == [9]


def budgeted(own: RoundScores, first: int, last: int, budget: int) -> Coverage:
    numbers = np.arange(first, last + 1)
    picker = Picker(len(numbers), budget)
    taken = picker.draw(numbers, np.zeros(len(numbers), bool))
    scores = np.random.default_rng(0).dirichlet([3, 1, 1], len(numbers)).astype(np.float32)
    picker.consider(numbers[~taken], scores[~taken])
    picked, rate = picker.picked()
    coverage = Coverage(first, last, len(numbers), len(picked), rate, 12)
    own.append(Scores(picked, scores[picked - first]), coverage)
    return coverage


def test_a_pass_that_left_posts_out_says_so_and_they_count_as_looked_at(own: RoundScores) -> None:
    own.append(some([1, 2, 5]))
    assert own.coverage() == []
    coverage = budgeted(own, 6, 5_000, 1_000)
    assert own.coverage() == [coverage]
    assert (own.last_scored(), own.count(), coverage.scored) == (5_000, 1_003, 1_000)
    own.append(some([5_001]))
    assert own.coverage() == [coverage]


def test_fair_scores_are_those_nobody_chose_and_stand_for_the_others(own: RoundScores) -> None:
    own.append(some(list(range(1, 101))))
    coverage = budgeted(own, 101, 100_100, 20_000)
    assert own.lowest_rate() == coverage.rate == 0.02
    parts = list(own.fair_parts())
    ids = np.concatenate([scores.post_ids for scores, _ in parts])
    weights = np.concatenate([weights for _, weights in parts])
    beyond = np.arange(101, 100_101)
    assert ids.tolist() == [*range(1, 101), *beyond[is_drawn(beyond, 0.02)].tolist()]
    assert set(weights[:100]) == {1.0}
    assert set(weights[100:]) == {50.0}
    assert weights.sum() == pytest.approx(100_100, rel=0.1)
    asked = np.array([5, ids[-1], beyond[~is_drawn(beyond, 0.02)][0]])
    assert own.is_fair(asked).tolist() == [True, True, False]
    assert sum(len(scores.post_ids) for scores in own.fair()) == len(ids)
    first = own.read_first(150)
    assert first.post_ids.tolist() == ids[:150].tolist()


def test_posts_that_get_the_number_of_a_purged_one_are_looked_at(own: RoundScores) -> None:
    coverage = budgeted(own, 1, 1_000, 100)
    scored = own.read().post_ids
    inner = next(number for number in range(1, 1_000) if number not in scored)
    own.forget(np.array([inner]))
    assert own.coverage() == [coverage]
    own.forget(np.array([1_000]))
    left = scored[scored < 1_000]
    assert own.last_scored() == left[-1]
    own.forget(np.arange(1, 1_001))
    assert own.coverage() == []
    assert own.last_scored() == 0
