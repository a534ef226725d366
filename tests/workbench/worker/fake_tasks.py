"""The torch process without torch: requests, steps and locks are real, the model is not.

Run as: python -m tests.workbench.worker.fake_tasks --home DIR

Labels follow from the number of a post, in the shares of the project `labelled`; no text has a vector or an
explanation.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from sqlalchemy import select

from db.tables import Post
from trainer.adapters.folders import vouched_card
from workbench.project import Project
from workbench.scores.round_scores import RoundScores, Scores

PROBABILITIES = np.float32([[0.5, 0.3, 0.2]] * 6 + [[0.3, 0.5, 0.2]] * 2 + [[0.2, 0.3, 0.5]] * 2)
"""Of the posts whose numbers end in 0, 1, ... 9."""


class StoppedError(Exception):
    pass


@dataclass(frozen=True)
class Scored:
    n: int
    seconds: float
    distinct: int
    precision: str = "fp32"
    agreement: float | None = None


def score_missing(
    project: Project, number: int, *, on_progress: object, should_stop: Callable[[], bool]
) -> Scored:
    """Refuses a damaged adapter even if no post is left to score, as the real one does."""
    vouched_card(project.round_folder(number))
    if should_stop():
        raise StoppedError
    scores = RoundScores.of(project, number)
    with project.database.read() as session:
        missing = select(Post.id).where(Post.group_id.is_not(None), Post.id > scores.last_scored())
        posts = np.array(session.scalars(missing.order_by(Post.id)).all(), dtype=np.int64)
    if len(posts):
        scores.append(Scores(posts, PROBABILITIES[posts % 10]))
    return Scored(len(posts), 0.0, len(posts))


def nothing(*_: object, **__: object) -> None:
    return None


def replace_torch() -> None:
    scoring = {"Scored": Scored, "score_missing": score_missing}
    names = ("explain_with", "tokenise_posts", "vectors_of_posts")
    _stand_in("workbench.worker.scoring", scoring | dict.fromkeys(names, nothing))
    _stand_in("trainer.scoring.scorer", {"Scorer": nothing, "StoppedError": StoppedError})
    _stand_in("trainer.scoring.sweep", {"Progress": nothing})
    _stand_in(
        "trainer.running.device", dict.fromkeys(("leave_a_core", "default_device", "gpu_memory"), nothing)
    )


def _stand_in(name: str, attributes: dict[str, Any]) -> None:
    module = ModuleType(name)
    vars(module).update(attributes)
    sys.modules[name] = module


if __name__ == "__main__":
    replace_torch()
    from workbench.worker import scoring_steps, torch_tasks

    assert scoring_steps.score_missing is score_missing
    assert "torch" not in sys.modules
    sys.exit(torch_tasks.main())
