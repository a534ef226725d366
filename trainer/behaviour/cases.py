"""The written cases: posts made to test one ability each, with the labels that are defensible.

The manner is that of CheckList (Ribeiro et al. 2020) and HateCheck (Röttger et al. 2021). No model is trained on them.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trainer.labels import LABELS
from trainer.texts.normalisation import group_key

FOLDER = Path(__file__).parent
CASES = FOLDER / "cases.tsv"
KINDS = FOLDER / "kinds.tsv"
EITHER = "|"
"""Between labels of which each is right."""


@dataclass(frozen=True)
class Kind:
    name: str
    titles: dict[str, str]
    """By language, `en` and `zh`."""
    tests: dict[str, str]
    """What the kind tests, by language."""


@dataclass(frozen=True)
class Case:
    id: str
    kind: str
    text: str
    expected: tuple[str, ...]
    """The labels that pass, by increasing severity."""


@cache
def read_kinds() -> tuple[Kind, ...]:
    return tuple(
        Kind(name, {"en": english, "zh": chinese}, {"en": english_tests, "zh": chinese_tests})
        for name, english, chinese, english_tests, chinese_tests in _rows(KINDS)
    )


@cache
def read_cases() -> tuple[Case, ...]:
    return tuple(Case(name, kind, text, _labels(labels)) for name, kind, text, labels in _rows(CASES))


@cache
def case_keys() -> frozenset[bytes]:
    """Keys of the normalised texts: a post with one of these is a copy of a case."""
    return frozenset(group_key(case.text) for case in read_cases())


def _labels(cell: str) -> tuple[str, ...]:
    return tuple(sorted(cell.split(EITHER), key=LABELS.index))


def _rows(file: Path) -> list[list[str]]:
    lines = file.read_text(encoding="utf-8").split("\n")
    return [line.split("\t") for line in lines[1:] if line]
