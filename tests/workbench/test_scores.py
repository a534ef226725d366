"""Scores are appended in whole segments and found again by post."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.scores import (
    Scores,
    append_segment,
    count_scored,
    last_scored,
    read_first_scores,
    read_scores,
    read_scores_of,
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
