"""The radar: rising words, disguised words of violations, and drift of the scores.

The worker writes one file after every import (`radar_scan`); pages and commands only read it.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from trainer.files import write_text
from workbench.accounts import Account, Right, reading
from workbench.overview.watch_list import key_of, terms_of
from workbench.project import Project

BINS = 10


@dataclass(frozen=True)
class Rising:
    """`count` posts of the period hold the word, `before` of those before it; `rates` are shares of the posts of each week
    before and, at the end, of the period."""

    word: str
    count: int
    before: int
    z: float
    examples: Sequence[str]
    rates: Sequence[float] = ()


@dataclass(frozen=True)
class Disguise:
    """`evidence`: standard errors by which its contexts resemble those of the word more than random ones do."""

    written: str
    word: str
    how: str
    count: int
    before: int
    examples: Sequence[str]
    evidence: float = 0.0
    rates: Sequence[float] = ()


@dataclass(frozen=True)
class Watched:
    """A term of the watch list, counted wherever its characters stand in a post."""

    term: str
    count: int
    before: int
    examples: Sequence[str]
    rates: Sequence[float]


@dataclass(frozen=True)
class Drift:
    """Shares of a score in ten equal bins, in the period and before it.

    `psi` is the population stability index; `examples` are posts of the bin that grew most. `is_chance`: so few
    posts reach this index without any change.
    """

    score: Literal["violation", "certainty"]
    psi: float
    now: Sequence[float]
    before: Sequence[float]
    examples: Sequence[str]
    is_chance: bool = False


@dataclass(frozen=True)
class Period:
    """An import compared with those before it, or a week with the weeks before. `name` is a file name or like 2026-W47.

    `posts` and `posts_before` are the sizes of the samples.
    """

    kind: Literal["import", "week"]
    name: str
    posts: int
    posts_before: int
    rising: Sequence[Rising]
    disguises: Sequence[Disguise]
    drifts: Sequence[Drift]
    watched: Sequence[Watched] = ()


@dataclass(frozen=True)
class Radar:
    made_at: str
    round_number: int | None
    known: Sequence[str]
    periods: Sequence[Period]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_radar(project: Project, account: Account) -> Radar | None:
    """Without the terms that were dismissed since; None before the first scan.

    Raises NotAllowedError without the right to review.
    """
    with reading(project, account, Right.REVIEW) as session:
        dismissed = {one.term for one in terms_of(session) if one.standing == "dismissed"}
    file = radar_file(project)
    if not file.exists():
        return None
    values = json.loads(file.read_text(encoding="utf-8"))
    return Radar(**{**values, "periods": [_period(one, dismissed) for one in values["periods"]]})


def save_radar(project: Project, radar: Radar) -> None:
    write_text(radar_file(project), json.dumps(radar.to_dict(), ensure_ascii=False))


def radar_file(project: Project) -> Path:
    return project.data / "radar.json"


def _period(values: dict[str, Any], dismissed: Collection[str]) -> Period:
    return Period(
        **{
            **values,
            "rising": [Rising(**one) for one in values["rising"] if key_of(one["word"]) not in dismissed],
            "disguises": [
                Disguise(**one) for one in values["disguises"] if key_of(one["written"]) not in dismissed
            ],
            "watched": [Watched(**one) for one in values.get("watched", ())],
            "drifts": [Drift(**one) for one in values["drifts"]],
        }
    )
