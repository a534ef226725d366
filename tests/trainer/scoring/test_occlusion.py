"""Occlusion with any scorer: the pieces are bounded, ordered and inside the text."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.scoring.occlusion import LEAST_DROP, PIECES, SHOWN, influential_spans

FILLERS = [
    "今天",
    "天气",
    "显卡",
    "城南",
    "楼主",
    "😀",
    "👨\u200d👩\u200d👧",
    "𠀀",
    "abc",
    "𝓿",
    "，",
    "！",
    "\u200b",
    " ",
    "\n",
]
PLANTED = "微信"
texts = st.lists(st.sampled_from(FILLERS), max_size=150).map("".join)


class Whim:
    """Arbitrary but reproducible probabilities, by hash of the text."""

    def __init__(self) -> None:
        self.calls: list[Sequence[str]] = []

    def __call__(self, asked: Sequence[str]) -> np.ndarray:
        self.calls.append(asked)
        draws = [np.frombuffer(sha256(text.encode()).digest()[:3], np.uint8) + 1.0 for text in asked]
        return np.array([draw / draw.sum() for draw in draws])


def keyed(asked: Sequence[str]) -> np.ndarray:
    """Depends only on the planted word."""
    return np.array([[0.1, 0.1, 0.8] if PLANTED in text else [0.6, 0.2, 0.2] for text in asked])


@given(st.lists(texts, max_size=4))
def test_what_is_found_lies_in_the_text_is_positive_and_in_order(posts):
    score = Whim()
    found = influential_spans(posts, score)
    assert len(found) == len(posts)
    for text, pieces in zip(posts, found, strict=True):
        assert len(pieces) <= SHOWN
        assert all(0 <= start < end <= len(text) for start, end, _ in pieces)
        assert [piece.drop for piece in pieces] == sorted((piece.drop for piece in pieces), reverse=True)
        assert all(piece.drop >= LEAST_DROP for piece in pieces)
        ordered = sorted(pieces)
        assert all(one.end <= other.start for one, other in pairwise(ordered))
    assert len(score.calls) <= 2
    assert all(len(asked) <= len(posts) * (PIECES + 1) for asked in score.calls)


@given(st.lists(texts, min_size=1, max_size=3))
def test_texts_explained_together_are_explained_as_alone(posts):
    assert influential_spans(posts, Whim()) == [influential_spans([text], Whim())[0] for text in posts]


@given(
    before=st.lists(st.sampled_from(FILLERS), max_size=14).map("".join),
    after=st.lists(st.sampled_from(FILLERS), max_size=14).map("".join),
)
def test_the_one_word_a_model_goes_by_is_found(before, after):
    text = f"{before}。{PLANTED}。{after}"
    ((piece,),) = influential_spans([text], keyed)
    assert text[piece.start : piece.end] == PLANTED
    assert piece.drop == pytest.approx(0.6)


@settings(max_examples=20)
@given(st.integers(0, 2_990), st.integers(0, 99))
def test_in_a_long_text_it_is_found_within_a_phrase(place, seed):
    filler = "".join(Random(seed).choices(FILLERS, k=3_000))[:2_990]
    text = f"{filler[:place]}。{PLANTED}。{filler[place:]}"
    asked: list[int] = []
    ((piece,),) = influential_spans(
        [text], lambda variants: (asked.append(len(variants)), keyed(variants))[1]
    )
    assert PLANTED in text[piece.start : piece.end]
    assert piece.end - piece.start < 40
    assert len(asked) == 2
    assert max(asked) <= PIECES + 1


def test_a_piece_stays_whole_where_none_of_its_words_does_it_alone():
    """One word twice in a piece: without either of them the other remains."""
    filler = "今天，" * 98
    text = f"{PLANTED}，{PLANTED}，{filler}"
    ((piece,),) = influential_spans([text], keyed)
    assert text[piece.start : piece.end].count(PLANTED) == 2


@pytest.mark.parametrize("text", ["", " \n", "！！……", "\u200b"])
def test_a_text_without_words_is_not_even_scored(text):
    score = Whim()
    assert influential_spans([text], score) == [[]]
    assert score.calls == []


def test_what_changes_next_to_nothing_carried_nothing():
    assert influential_spans(["今天天气好"], lambda asked: np.tile([0.2, 0.3, 0.5], (len(asked), 1))) == [[]]
