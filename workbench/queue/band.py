"""Unlabelled posts in and below the band. Commands and pages ask for them without the plan of the queue."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import QueueEntry, QueueState
from trainer.labels import LABELS
from trainer.selection.lanes import Band
from trainer.selection.strategies import below_band, in_band
from workbench.project import Project
from workbench.thresholds.policy import band_in_force


@dataclass(frozen=True)
class BandCounts:
    in_band: int
    below_band: int


def band_counts(session: Session, project: Project) -> BandCounts:
    """Current unlabelled posts in and below the band; a group of near-copies counts once."""
    state = session.get(QueueState, 1)
    if state is None:
        return BandCounts(0, 0)
    answered = select(QueueEntry.normal, QueueEntry.suspicious, QueueEntry.violation).where(
        QueueEntry.round_number.is_not(None), QueueEntry.is_answered
    )
    scores = [row for row in session.execute(answered) if None not in row]
    # The band with which the queue was filled: a newer one applies from the next rebuild.
    limits = band_in_force(session, project, at=state.built_at)
    done = count_in_band(limits, np.array(scores, dtype=np.float32).reshape(-1, len(LABELS)))
    return BandCounts(state.in_band - done.in_band, state.below_band - done.below_band)


def count_in_band(limits: Band, probabilities: NDArray[np.floating]) -> BandCounts:
    return BandCounts(
        int(in_band(probabilities, limits.low, limits.high).sum()),
        int(below_band(probabilities, limits.low).sum()),
    )
