"""Passes are counted by kind, and a file gives back what was measured."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer.behaviour.cases import Case, Kind, read_cases, read_kinds
from trainer.behaviour.outcome import Failure, Outcome, outcome_of
from trainer.labels import LABELS

EASY, HARD = (Kind(name, {"en": name, "zh": name}, {"en": "", "zh": ""}) for name in ("easy", "hard"))
CASES = (
    Case("easy-01", "easy", "好", ("normal",)),
    Case("hard-01", "hard", "坏", ("suspicious", "violation")),
    Case("hard-02", "hard", "更坏", ("suspicious", "violation")),
)
NORMAL, SUSPICIOUS, VIOLATION = np.eye(3, dtype=np.float32) * 0.7 + 0.1


def test_kinds_with_few_passes_come_first_and_each_accepted_label_passes() -> None:
    outcome = outcome_of((EASY, HARD), CASES, np.stack([NORMAL, SUSPICIOUS, NORMAL]))
    assert [(kind.kind, kind.passed, kind.cases) for kind in outcome.kinds] == [
        ("hard", 1, 2),
        ("easy", 1, 1),
    ]
    assert outcome.kinds[0].failures == (Failure("hard-02", "更坏", "normal", 0.8),)
    assert (outcome.passed, outcome.cases, outcome.champion_passed) == (2, 3, None)


def test_the_champion_is_counted_beside_it() -> None:
    ours, theirs = np.stack([NORMAL, NORMAL, NORMAL]), np.stack([VIOLATION, VIOLATION, SUSPICIOUS])
    outcome = outcome_of((EASY, HARD), CASES, ours, theirs)
    assert [(kind.passed, kind.champion_passed) for kind in outcome.kinds] == [(0, 2), (1, 0)]
    assert outcome.champion_passed == 2


@given(st.lists(st.sampled_from(range(3)), min_size=len(read_cases()), max_size=len(read_cases())))
def test_each_case_passes_or_is_listed_and_the_file_says_the_same(answers: list[int]) -> None:
    rows = np.eye(3, dtype=np.float32)[answers]
    outcome = outcome_of(read_kinds(), read_cases(), rows, rows)
    failed = {failure.id: failure.label for kind in outcome.kinds for failure in kind.failures}
    for case, answer in zip(read_cases(), answers, strict=True):
        label = LABELS[answer]
        assert (label in case.expected) != (failed.get(case.id) == label)
    assert outcome.passed + len(failed) == outcome.cases
    assert outcome.champion_passed == outcome.passed
    assert Outcome.from_dict(json.loads(json.dumps(outcome.to_dict()))) == outcome
