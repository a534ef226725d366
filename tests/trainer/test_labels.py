"""Labels are ordered by severity, not by the alphabet, and severity decides a tie."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.labels import LABELS, Label, majority


def test_labels_are_in_order_of_severity() -> None:
    assert LABELS == ("normal", "suspicious", "violation")
    assert [label.position for label in Label] == [0, 1, 2]
    assert [Label(name).position for name in LABELS] == [0, 1, 2]


def test_a_name_that_is_no_label_has_no_position() -> None:
    with pytest.raises(ValueError, match="spam"):
        Label("spam")


def test_a_tie_goes_to_the_more_severe_label() -> None:
    assert majority({"violation": 1, "normal": 1}) == "violation"
    assert majority({"normal": 2, "suspicious": 2, "violation": 1}) == "suspicious"


@given(st.lists(st.sampled_from(LABELS), min_size=1))
def test_no_label_has_more_votes_and_no_more_severe_one_as_many(said: list[str]) -> None:
    votes = Counter(said)
    label = majority(votes)
    assert all(votes[label] >= count for count in votes.values())
    assert all(votes[label] > votes[name] for name in LABELS[Label(label).position + 1 :])
