"""How many cases of each kind an adapter labels as expected, and what it says of the others."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.behaviour.cases import Case, Kind
from trainer.labels import LABELS

SCHEMA = 1


@dataclass(frozen=True)
class Failure:
    id: str
    text: str
    label: str
    """What the adapter says."""
    confidence: float


@dataclass(frozen=True)
class KindOutcome:
    kind: str
    titles: Mapping[str, str]
    tests: Mapping[str, str]
    expected: tuple[str, ...]
    cases: int
    passed: int
    champion_passed: int | None
    """None without a champion to compare with."""
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class Outcome:
    """Kinds with few passes come first. It holds texts and titles, so that it stays readable when the cases change."""

    kinds: tuple[KindOutcome, ...]

    @property
    def cases(self) -> int:
        return sum(kind.cases for kind in self.kinds)

    @property
    def passed(self) -> int:
        return sum(kind.passed for kind in self.kinds)

    @property
    def champion_passed(self) -> int | None:
        counts = [kind.champion_passed for kind in self.kinds if kind.champion_passed is not None]
        return sum(counts) if counts else None

    def to_dict(self) -> dict[str, Any]:
        totals = {"cases": self.cases, "passed": self.passed, "champion_passed": self.champion_passed}
        return {"schema": SCHEMA, **totals, **asdict(self)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Outcome":
        return cls(tuple(map(_kind_outcome, value["kinds"])))


def outcome_of(
    kinds: Sequence[Kind],
    cases: Sequence[Case],
    probabilities: NDArray[np.float32],
    champion: NDArray[np.float32] | None = None,
) -> Outcome:
    """`probabilities`: (cases, 3), calibrated; those of the `champion` likewise. The label is the most likely one."""
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row, case in enumerate(cases):
        rows[case.kind].append(row)
    outcomes = [_of_kind(kind, rows[kind.name], cases, probabilities, champion) for kind in kinds]
    return Outcome(tuple(sorted(outcomes, key=lambda one: one.passed / one.cases)))


def _of_kind(
    kind: Kind,
    rows: Sequence[int],
    cases: Sequence[Case],
    probabilities: NDArray[np.float32],
    champion: NDArray[np.float32] | None,
) -> KindOutcome:
    failed = [row for row in rows if not _passes(cases[row], probabilities[row])]
    return KindOutcome(
        kind=kind.name,
        titles=kind.titles,
        tests=kind.tests,
        expected=cases[rows[0]].expected,
        cases=len(rows),
        passed=len(rows) - len(failed),
        champion_passed=None if champion is None else sum(_passes(cases[row], champion[row]) for row in rows),
        failures=tuple(_failure(cases[row], probabilities[row]) for row in failed),
    )


def _passes(case: Case, probabilities: NDArray[np.float32]) -> bool:
    return _label(probabilities) in case.expected


def _failure(case: Case, probabilities: NDArray[np.float32]) -> Failure:
    return Failure(case.id, case.text, _label(probabilities), round(float(probabilities.max()), 4))


def _label(probabilities: NDArray[np.float32]) -> str:
    return LABELS[int(probabilities.argmax())]


def _kind_outcome(value: Mapping[str, Any]) -> KindOutcome:
    failures = tuple(Failure(**failure) for failure in value["failures"])
    return KindOutcome(**{**value, "expected": tuple(value["expected"]), "failures": failures})
