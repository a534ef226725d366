"""Changes between two rounds' scores, checked against a plain loop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer.labels import LABELS
from workbench.rounds.flips import ENTERED, FLIP_KINDS, LEFT, find_flips, flip_kind
from workbench.scores.round_scores import Scores

LOW, HIGH = 0.4, 0.6

rows = st.lists(st.integers(1, 9), min_size=3, max_size=3).map(lambda parts: np.array(parts) / sum(parts))
scored = st.dictionaries(st.integers(1, 40), rows, max_size=30)


def scores_of(posts: dict[int, np.ndarray]) -> Scores:
    ids = sorted(posts)
    table = np.array([posts[post] for post in ids], np.float32).reshape(len(ids), 3)
    return Scores(np.array(ids, np.int64), table)


def cut(scores: Scores, sizes: list[int]) -> list[Scores]:
    parts, start = [], 0
    for size in [*sizes, len(scores.post_ids)]:
        end = start + size
        if len(scores.post_ids[start:end]):
            parts.append(Scores(scores.post_ids[start:end], scores.probabilities[start:end]))
        start = end
    return parts


def is_inside(row: np.ndarray) -> bool:
    return bool(np.float32(LOW) <= row.max() <= np.float32(HIGH))


@given(before=scored, after=scored, sizes=st.lists(st.integers(1, 7), max_size=6))
def test_counts_and_largest_changes_are_those_of_a_plain_loop(
    before: dict[int, np.ndarray], after: dict[int, np.ndarray], sizes: list[int]
) -> None:
    one, other = scores_of(before), scores_of(after)
    flips = find_flips(cut(one, sizes), cut(other, sizes[::-1]), low=LOW, high=HIGH, most=3)
    rows = [dict(zip(side.post_ids.tolist(), side.probabilities, strict=True)) for side in (one, other)]
    common = sorted(set(before) & set(after))
    expected = np.zeros((3, 3), int)
    kinds: dict[str, list[tuple[float, int]]] = {}
    for post in common:
        was, now = rows[0][post], rows[1][post]
        expected[was.argmax(), now.argmax()] += 1
        size = -float(np.abs(now - was).sum())
        if was.argmax() != now.argmax():
            kinds.setdefault(flip_kind(LABELS[was.argmax()], LABELS[now.argmax()]), []).append((size, post))
        if is_inside(was) != is_inside(now):
            kinds.setdefault(LEFT if is_inside(was) else ENTERED, []).append((size, post))
    assert flips.matrix.tolist() == expected.tolist()
    assert flips.band_before == sum(is_inside(rows[0][post]) for post in common)
    assert (flips.entered, flips.left) == (len(kinds.get(ENTERED, [])), len(kinds.get(LEFT, [])))
    assert {kind: [change.post_id for change in changes] for kind, changes in flips.largest.items()} == {
        kind: [post for _, post in sorted(those)[:3]] for kind, those in kinds.items()
    }


@given(before=scored, after=scored)
def test_rows_columns_and_the_band_add_up(
    before: dict[int, np.ndarray], after: dict[int, np.ndarray]
) -> None:
    one, other = scores_of(before), scores_of(after)
    flips = find_flips([one], [other], low=LOW, high=HIGH)
    common = np.array(sorted(set(before) & set(after)), np.int64)
    for scores, sums in ((one, flips.matrix.sum(axis=1)), (other, flips.matrix.sum(axis=0))):
        verdicts = scores.of(common).probabilities.argmax(axis=1)
        assert sums.tolist() == np.bincount(verdicts, minlength=3).tolist()
    assert flips.posts == len(common)
    assert flips.changed == sum(flips.matrix[i, j] for i in range(3) for j in range(3) if i != j)
    assert flips.band_after == flips.band_before + flips.entered - flips.left


@given(posts=scored, sizes=st.lists(st.integers(1, 7), max_size=6))
def test_against_itself_nothing_changes(posts: dict[int, np.ndarray], sizes: list[int]) -> None:
    scores = scores_of(posts)
    flips = find_flips([scores], cut(scores, sizes), low=LOW, high=HIGH)
    assert (flips.posts, flips.changed, flips.entered, flips.left) == (len(posts), 0, 0, 0)
    assert flips.largest == {}


def test_the_six_kinds_of_flips_have_names_of_their_own() -> None:
    assert len(FLIP_KINDS) == 6
    assert ENTERED not in FLIP_KINDS
