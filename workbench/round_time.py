"""How long the next round would take, as earlier ones like it did. Light: pages call it, nothing is measured here."""

from dataclasses import dataclass
from math import inf
from typing import Any

from sqlalchemy.orm import Session

from db.queries.rounds import rounds_by_number
from db.tables import Round
from trainer.config import TrainConfig, planned_steps


@dataclass(frozen=True)
class Expected:
    """Seconds on one kind of machine, scaled from round `like`; `scoring` is None where no speed is known.

    `training` is all that comes before scoring, as far as it is known: folds for the calibration, measuring.
    """

    like: int
    device: str
    """As its card says: cpu, or the name of the GPU it was trained on."""
    training: float
    scoring: float | None

    @property
    def seconds(self) -> float:
        return self.training + (self.scoring or 0.0)


def expected_times(
    session: Session, *, base: str, is_quick: bool, labels: int, posts: int, longest: float = inf
) -> list[Expected]:
    """For each machine that such a round was trained on, by its newest; none before there was one.

    Training takes as long as its planned steps, which a trial caps, and scoring as long as there are posts, `longest`
    seconds at most.
    """
    found: dict[str, Expected] = {}
    rows = session.scalars(rounds_by_number()).all()
    speed = next((rate for row in rows if row.base == base and (rate := _scoring_speed(row.scored))), None)
    for row in rows:
        card = (row.report or {}).get("card", {})
        trained = card.get("data", {}).get("train", {}).get("rows")
        is_told = trained and card.get("seconds") and card.get("config")
        if (row.base, row.is_quick) != (base, is_quick) or not is_told:
            continue
        device = str(card.get("device", "?"))
        scoring = None if speed is None else min(posts / speed, longest)
        config = TrainConfig.from_dict(card["config"])
        share = planned_steps(max(labels, 1), config) / planned_steps(trained, config)
        before = max(card["seconds"], _seconds_before_scoring(row))
        found.setdefault(device, Expected(row.number, device, before * share, scoring))
    return list(found.values())


def _seconds_before_scoring(row: Round) -> float:
    """By the clock; 0 where the time for which a lead was waited for would be counted in."""
    if row.started_at is None or row.finished_at is None or row.decided_by_id is not None:
        return 0.0
    scored = (row.scored or {}).get("seconds") or 0.0  # later imports are in it
    return (row.finished_at - row.started_at).total_seconds() - float(scored)


def _scoring_speed(scored: dict[str, Any] | None) -> float | None:
    return (scored or {}).get("posts_per_second")
