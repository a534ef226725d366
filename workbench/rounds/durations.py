"""How long rounds took, and the expected duration of the next one, extrapolated from them. Nothing is measured here,
as pages call it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any

from sqlalchemy.orm import Session

from db.queries.rounds import rounds_by_number
from db.tables import Round
from trainer.config import TrainConfig, planned_steps


@dataclass(frozen=True)
class Expected:
    """Seconds on one kind of machine, scaled from round `like`; `scoring` is None if no speed has been
    measured.

    `training` includes the folds of the calibration.
    """

    like: int
    device: str
    """The device in the adapter's card: cpu, or the name of the GPU."""
    training: float
    scoring: float | None

    @property
    def seconds(self) -> float:
        return self.training + (self.scoring or 0.0)


def worked_until(row: Round, moment: datetime) -> float | None:
    """Seconds that the machine has worked on a round; the promotion of a settled one adds none."""
    if row.step_began_at is None or row.state_before is not None:
        return row.worked_seconds
    return (row.worked_seconds or 0.0) + (moment - row.step_began_at).total_seconds()


def expected_times(
    session: Session, *, base: str, is_quick: bool, labels: int, posts: int, longest: float = inf
) -> list[Expected]:
    """One estimate for each device that has trained a round of this base and kind, from the newest such round.

    Training time is proportional to the planned steps, which a trial caps; scoring time to `posts`, up to
    `longest` seconds.
    """
    by_device: dict[str, Expected] = {}
    rows = session.scalars(rounds_by_number()).all()
    speed = next((rate for row in rows if row.base == base and (rate := _scoring_speed(row.scored))), None)
    for row in rows:
        card = (row.report or {}).get("card", {})
        trained = card.get("data", {}).get("train", {}).get("rows")
        is_measured = trained and card.get("seconds") and card.get("config")
        if (row.base, row.is_quick) != (base, is_quick) or not is_measured:
            continue
        device = str(card.get("device", "?"))
        scoring = None if speed is None else min(posts / speed, longest)
        config = TrainConfig.from_dict(card["config"])
        share = planned_steps(max(labels, 1), config) / planned_steps(trained, config)
        training = card["seconds"] * _trainings(card, config) * share
        by_device.setdefault(device, Expected(row.number, device, training, scoring))
    return list(by_device.values())


def _trainings(card: Mapping[str, Any], config: TrainConfig) -> int:
    is_folded: bool = card.get("calibration", {}).get("fitted_on") == "out-of-fold"
    return 1 + config.calibration_folds if is_folded else 1


def _scoring_speed(scored: dict[str, Any] | None) -> float | None:
    return (scored or {}).get("posts_per_second")
