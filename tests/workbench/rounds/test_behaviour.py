"""A round's behaviour is read from its evaluation, by leads alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from trainer.behaviour.cases import read_cases, read_kinds
from trainer.behaviour.outcome import Outcome, outcome_of
from trainer.files import write_json
from workbench.accounts import Account
from workbench.errors import NotAllowedError, RoundError
from workbench.project import Project
from workbench.rounds.behaviour import examined, read_behaviour


def save_behaviour(project: Project, number: int, outcome: Outcome) -> Path:
    folder = project.round_folder(number) / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "behaviour.json", outcome.to_dict())
    return folder / "behaviour.json"


def always(label: int, champion: int | None = None) -> Outcome:
    """That of an adapter with one answer."""
    rows = [
        None if one is None else np.eye(3, dtype=np.float32)[[one] * len(read_cases())]
        for one in (label, champion)
    ]
    assert rows[0] is not None
    return outcome_of(read_kinds(), read_cases(), rows[0], rows[1])


def test_rounds_of_earlier_versions_are_not_offered(project: Project, lead: Account) -> None:
    save_behaviour(project, 2, always(0))
    assert examined(project, [3, 2, 1]) == [2]
    assert read_behaviour(project, lead, 2) == always(0)


def test_annotators_do_not_read_it(project: Project, ann: Account) -> None:
    save_behaviour(project, 1, always(0))
    with pytest.raises(NotAllowedError):
        read_behaviour(project, ann, 1)


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"kinds": [{"kind": 1}]}), "\0"])
def test_a_damaged_file_is_a_sentence_that_says_what_to_do(
    project: Project, lead: Account, content: str
) -> None:
    save_behaviour(project, 1, always(0)).write_text(content, encoding="utf-8")
    with pytest.raises(RoundError, match=r"behaviour\.json cannot be read .* `python -m trainer\.behaviour"):
        read_behaviour(project, lead, 1)
