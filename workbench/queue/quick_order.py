"""The order that a quick model gave to the queue before the first round or between two: what it learned from, and when it is due again.

In a file beside the database, without any text. It holds for one queue: a rebuild, after a promotion or an import, ends
it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries.standing import current_labels, labelled_since, standing_resolutions
from db.queries.training import labels_by_split
from db.tables import Annotation, Champion, QueueState, Resolution, Round
from trainer.files import write_text
from trainer.labels import LABELS
from workbench.project import Project

FEWEST_LABELS = 20
"""Labels of the pool from which a model is learned."""
FEWEST_EACH = 3
"""Of each of two labels: with fewer the model only guesses."""


@dataclass(frozen=True)
class Newest:
    """Ids of the newest annotation and resolution."""

    annotation: int
    resolution: int

    @classmethod
    def of(cls, session: Session) -> "Newest":
        return cls(
            session.scalar(select(func.max(Annotation.id))) or 0,
            session.scalar(select(func.max(Resolution.id))) or 0,
        )


@dataclass(frozen=True)
class QuickOrder:
    """`built_at` and `round_number`: of the queue that was ordered. `labels`: posts of the pool that the model learned from."""

    built_at: str
    round_number: int | None
    labels: int
    newest: Newest

    def is_of(self, state: QueueState) -> bool:
        return (self.built_at, self.round_number) == (state.built_at.isoformat(), state.round_number)


def read_quick_order(project: Project, session: Session) -> QuickOrder | None:
    """None unless the quick model has ordered the present queue."""
    state = session.get(QueueState, 1)
    try:
        values: dict[str, Any] = json.loads(_file(project).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not saved yet
        return None
    order = QuickOrder(**values | {"newest": Newest(**values["newest"])})
    return order if state is not None and order.is_of(state) else None


def save_quick_order(project: Project, order: QuickOrder) -> None:
    write_text(_file(project), json.dumps(asdict(order)))


def is_due(project: Project, session: Session) -> bool:
    """Whether enough labels came since the quick model was learned, or since the round in use was started."""
    every = project.settings.quick_model_every
    if not every or session.get(QueueState, 1) is None or not _is_wanted(project, session):
        return False
    return _new_labels(project, session) >= every and can_learn(session)


def can_learn(session: Session) -> bool:
    counts = [count for split, _label, count in session.execute(labels_by_split(LABELS)) if split == "pool"]
    return sum(counts) >= FEWEST_LABELS and sum(count >= FEWEST_EACH for count in counts) >= 2


def _is_wanted(project: Project, session: Session) -> bool:
    return project.settings.quick_model_between_rounds or session.get(Champion, 1) is None


def _new_labels(project: Project, session: Session) -> int:
    order = read_quick_order(project, session)
    if order is not None:
        return _labelled_after(session, order.newest)
    champion = session.get(Champion, 1)
    if champion is None:
        return _labelled_after(session, Newest(0, 0))
    since = labelled_since(session.get_one(Round, champion.round_number).created_at).subquery()
    return session.scalar(select(func.count()).select_from(since)) or 0


def _labelled_after(session: Session, newest: Newest) -> int:
    labels = current_labels().where(Annotation.id > newest.annotation).subquery()
    decisions = standing_resolutions().where(Resolution.id > newest.resolution).subquery()
    return sum(session.scalar(select(func.count()).select_from(rows)) or 0 for rows in (labels, decisions))


def _file(project: Project) -> Path:
    return project.data / "quick_order.json"
