"""What is new among the posts: rising words, known words in disguise, a model that sees other posts than before.

The worker watches after every import (`radar_scan`) and leaves one file; pages and commands only read it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from trainer.files import write_text
from workbench.accounts import Account, Right, reading
from workbench.project import Project

BINS = 10


@dataclass(frozen=True)
class Rising:
    """A word that `count` of the period's sampled posts say, `before` of the earlier ones."""

    word: str
    count: int
    before: int
    z: float
    examples: Sequence[str]


@dataclass(frozen=True)
class Disguise:
    """A way to write a word of known violations: `how` is sound, letters or look."""

    written: str
    word: str
    how: str
    count: int
    before: int
    examples: Sequence[str]


@dataclass(frozen=True)
class Drift:
    """A score's distribution in ten equal bins, as shares, in the period and before it.

    `psi` is the population stability index; `examples` are posts of the bin that grew most.
    """

    score: Literal["violation", "certainty"]
    psi: float
    now: Sequence[float]
    before: Sequence[float]
    examples: Sequence[str]


@dataclass(frozen=True)
class Period:
    """An import or a week (`name` is a file's name or like 2026-W47), beside the weeks before it.

    `posts` and `posts_before` are how many were sampled.
    """

    kind: Literal["import", "week"]
    name: str
    posts: int
    posts_before: int
    rising: Sequence[Rising]
    disguises: Sequence[Disguise]
    drifts: Sequence[Drift]


@dataclass(frozen=True)
class Radar:
    """`known` are the words of violations whose disguises are looked for; `made_at` is an ISO time."""

    made_at: str
    round_number: int | None
    known: Sequence[str]
    periods: Sequence[Period]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_radar(project: Project, account: Account) -> Radar | None:
    """The newest look; None before the first. Raises NotAllowedError for somebody who is no lead."""
    with reading(project, account, Right.REVIEW):
        pass
    file = radar_file(project)
    if not file.exists():
        return None
    values = json.loads(file.read_text(encoding="utf-8"))
    return Radar(**{**values, "periods": [_period(one) for one in values["periods"]]})


def save_radar(project: Project, radar: Radar) -> None:
    """Put a look in the place of the one before, whole or not at all."""
    write_text(radar_file(project), json.dumps(radar.to_dict(), ensure_ascii=False))


def radar_file(project: Project) -> Path:
    return project.data / "radar.json"


def _period(values: dict[str, Any]) -> Period:
    return Period(
        **{
            **values,
            "rising": [Rising(**one) for one in values["rising"]],
            "disguises": [Disguise(**one) for one in values["disguises"]],
            "drifts": [Drift(**one) for one in values["drifts"]],
        }
    )
