"""Scores are appended in whole segments and found again by post."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.selection.budget import Picker, is_drawn
from workbench.scores.round_scores import (
    Coverage,
    Scores,
    append_pass,
    append_segment,
    count_of,
    count_scored,
    coverage,
    fair_parts,
    forget,
    is_fair,
    last_scored,
    lowest_rate,
    read_first_scores,
    read_scores,
    read_scores_of,
    score_of,
    stream_fair,
)


def some(ids: list[int]) -> Scores:
    tops = np.array(ids, dtype=np.float32) / (max(ids) + 1)
    return Scores(np.array(ids, dtype=np.int64), np.stack([tops, 1 - tops, tops * 0], axis=1))


def test_segments_add_up(tmp_path: Path) -> None:
    append_segment(tmp_path, some([1, 2, 5]))
    append_segment(tmp_path, some([6, 9]))
    assert (last_scored(tmp_path), count_scored(tmp_path)) == (9, 5)
    assert read_scores(tmp_path).post_ids.tolist() == [1, 2, 5, 6, 9]


def test_the_first_scores_are_read_from_no_more_files_than_they_lie_in(tmp_path: Path) -> None:
    append_segment(tmp_path, some([1, 2, 5]))
    append_segment(tmp_path, some([6, 9]))
    append_segment(tmp_path, some([10]))
    (tmp_path / "0000000010-0000000010.parquet").unlink()
    first = read_first_scores(tmp_path, 4)
    assert first.post_ids.tolist() == [1, 2, 5, 6]
    assert first.probabilities.shape == (4, 3)


def test_a_post_is_scored_once(tmp_path: Path) -> None:
    append_segment(tmp_path, some([1, 2, 5]))
    with pytest.raises(ValueError, match="post 5 has been scored already"):
        append_segment(tmp_path, some([5, 6]))


def test_a_segment_without_its_manifest_line_is_not_there(tmp_path: Path) -> None:
    append_segment(tmp_path, some([1]))
    (tmp_path / "0000000002-0000000003.parquet").write_bytes(b"half a file")
    assert read_scores(tmp_path).post_ids.tolist() == [1]
    append_segment(tmp_path, some([2, 3]))
    assert count_scored(tmp_path) == 3


def test_before_the_first_segment_there_is_nothing(tmp_path: Path) -> None:
    assert (last_scored(tmp_path), count_scored(tmp_path), len(read_scores(tmp_path).post_ids)) == (0, 0, 0)


@given(
    scored=st.lists(st.integers(1, 60), min_size=1, unique=True).map(sorted),
    wanted=st.lists(st.integers(1, 60), unique=True),
)
def test_of_finds_exactly_the_scored_ones_in_the_order_asked(scored: list[int], wanted: list[int]) -> None:
    scores = some(scored)
    found = scores.of(np.array(wanted, dtype=np.int64))
    assert found.post_ids.tolist() == [post for post in wanted if post in scored]
    rows = dict(zip(scored, scores.probabilities.tolist(), strict=True))
    assert found.probabilities.tolist() == [rows[post] for post in found.post_ids.tolist()]


@settings(deadline=None)
@given(
    st.lists(st.sets(st.integers(1, 60), min_size=1), max_size=5),
    st.sets(st.integers(1, 80)),
)
def test_what_is_forgotten_is_gone_and_the_rest_is_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[set[int]], gone: set[int]
) -> None:
    folder, ids, last = tmp_path_factory.mktemp("scores"), [], 0
    for part in wanted:
        new = sorted(last + number for number in part)
        append_segment(folder, some(new))
        ids += new
        last = new[-1]
    before, targets = read_scores(folder), np.array(sorted(gone), dtype=np.int64)
    kept = [number for number in ids if number not in gone]
    assert count_of(folder, targets) == len(ids) - len(kept)
    assert forget(folder, targets) == len(ids) - len(kept)
    assert forget(folder, targets) == 0
    after = read_scores(folder)
    assert after.post_ids.tolist() == kept
    assert (after.probabilities == before.of(after.post_ids).probabilities).all()
    assert (count_scored(folder), last_scored(folder)) == (len(kept), max(kept, default=0))
    assert len(list(folder.glob("*.parquet"))) == sum(bool(set(part) & {*kept}) for part in _parts(wanted))
    for number in ids:
        found = score_of(folder, number)
        assert (found is None) == (number in gone)
        assert found is None or (found == before.of(np.array([number])).probabilities[0]).all()


def _parts(wanted: list[set[int]]) -> list[list[int]]:
    parts, last = [], 0
    for part in wanted:
        parts.append(sorted(last + number for number in part))
        last = parts[-1][-1]
    return parts


@given(st.lists(st.integers(1, 60), min_size=1, unique=True), st.sets(st.integers(0, 70)))
def test_the_scores_of_some_posts_are_those_among_all(
    tmp_path_factory: pytest.TempPathFactory, ids: list[int], wanted: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("some")
    ids.sort()
    for start in range(0, len(ids), 7):
        append_segment(folder, some(ids[start : start + 7]))
    asked = np.array(sorted(wanted), dtype=np.int64)
    found, expected = read_scores_of(folder, asked), read_scores(folder).of(asked)
    assert found.post_ids.tolist() == expected.post_ids.tolist()
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)


def test_only_files_with_wanted_posts_are_opened(tmp_path: Path) -> None:
    append_segment(tmp_path, some([1, 2, 5]))
    append_segment(tmp_path, some([6, 9]))
    (tmp_path / "0000000001-0000000005.parquet").unlink()
    assert read_scores_of(tmp_path, np.array([7, 9])).post_ids.tolist() == [9]


def budgeted(folder: Path, first: int, last: int, budget: int) -> Coverage:
    """Scores `budget` of these posts in a pass of its own."""
    numbers = np.arange(first, last + 1)
    picker = Picker(len(numbers), budget)
    taken = picker.draw(numbers, np.zeros(len(numbers), bool))
    scores = np.random.default_rng(0).dirichlet([3, 1, 1], len(numbers)).astype(np.float32)
    picker.consider(numbers[~taken], scores[~taken])
    picked, rate = picker.picked()
    made = Coverage(first, last, len(numbers), len(picked), rate, 12)
    append_pass(folder, Scores(picked, scores[picked - first]), made)
    return made


def test_a_pass_that_left_posts_out_says_so_and_they_count_as_looked_at(tmp_path: Path) -> None:
    append_segment(tmp_path, some([1, 2, 5]))
    assert coverage(tmp_path) == []
    made = budgeted(tmp_path, 6, 5_000, 1_000)
    assert coverage(tmp_path) == [made]
    assert (last_scored(tmp_path), count_scored(tmp_path), made.scored) == (5_000, 1_003, 1_000)
    append_segment(tmp_path, some([5_001]))
    assert coverage(tmp_path) == [made]


def test_fair_scores_are_those_nobody_chose_and_stand_for_the_others(tmp_path: Path) -> None:
    append_segment(tmp_path, some(list(range(1, 101))))
    made = budgeted(tmp_path, 101, 100_100, 20_000)
    assert lowest_rate(tmp_path) == made.rate == 0.02
    parts = list(fair_parts(tmp_path))
    ids = np.concatenate([scores.post_ids for scores, _ in parts])
    weights = np.concatenate([weights for _, weights in parts])
    beyond = np.arange(101, 100_101)
    assert ids.tolist() == [*range(1, 101), *beyond[is_drawn(beyond, 0.02)].tolist()]
    assert set(weights[:100]) == {1.0}
    assert set(weights[100:]) == {50.0}
    assert weights.sum() == pytest.approx(100_100, rel=0.1)
    assert is_fair(tmp_path, np.array([5, ids[-1], beyond[~is_drawn(beyond, 0.02)][0]])).tolist() == [
        True,
        True,
        False,
    ]
    assert sum(len(scores.post_ids) for scores in stream_fair(tmp_path)) == len(ids)
    first = read_first_scores(tmp_path, 150)
    assert first.post_ids.tolist() == ids[:150].tolist()


def test_posts_that_get_the_number_of_a_purged_one_are_looked_at(tmp_path: Path) -> None:
    made = budgeted(tmp_path, 1, 1_000, 100)
    scored = read_scores(tmp_path).post_ids
    inner = next(number for number in range(1, 1_000) if number not in scored)
    forget(tmp_path, np.array([inner]))
    assert coverage(tmp_path) == [made]
    forget(tmp_path, np.array([1_000]))
    left = scored[scored < 1_000]
    assert last_scored(tmp_path) == left[-1]
    forget(tmp_path, np.arange(1, 1_001))
    assert coverage(tmp_path) == []
    assert last_scored(tmp_path) == 0
