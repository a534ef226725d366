"""`workbench score` asks the worker for the scores of the adapter in use."""

import pytest

from workbench.commands.running import score_command
from workbench.errors import RoundError
from workbench.project import Project


def test_without_a_round_in_use_nothing_is_queued_and_the_way_to_one_is_named(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RoundError, match=r"No round is in use yet, .* `workbench round start --wait`"):
        score_command(project.home)
    assert "Queued" not in capsys.readouterr().out
