"""How the adapter of a round labels the written cases (`trainer.behaviour`), as its evaluation stored it."""

import json
from collections.abc import Iterable
from pathlib import Path

from trainer.behaviour.outcome import Outcome
from workbench.accounts import Account, Right, check
from workbench.errors import RoundError
from workbench.project import Project


def examined(project: Project, numbers: Iterable[int]) -> list[int]:
    """The rounds among these that have an outcome; those of earlier versions have none."""
    return [number for number in numbers if _file(project, number).exists()]


def read_behaviour(project: Project, account: Account, number: int) -> Outcome:
    """Raises NotAllowedError if `account` is not a lead, RoundError if the file is missing or damaged."""
    check(project, account, Right.RUN_ROUNDS)
    file = _file(project, number)
    try:
        return Outcome.from_dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RoundError(
            "{file} cannot be read ({kind}). To see the figures, run `python -m trainer.behaviour --model {adapter}`.",
            file=file,
            kind=type(error).__name__,
            adapter=project.round_folder(number),
        ) from error


def _file(project: Project, number: int) -> Path:
    return project.round_folder(number) / "evaluation" / "behaviour.json"
