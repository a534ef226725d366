"""A step of a finished round does not start, and a failed step ends its round."""

import pytest

from tests.workbench.working import round_of
from trainer.messages import Message
from workbench.accounts import Account
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.worker.attempts import GO, begin
from workbench.worker.failures import guarded


def test_a_step_of_a_round_that_is_over_is_not_begun(labelled: Project, boss: Account) -> None:
    number = lifecycle.start(labelled, boss)
    assert guarded(labelled, number, "score", lambda _project, _number: GO) == GO
    lifecycle.cancel(labelled, boss, number)
    never = lambda *_: pytest.fail("it was begun")  # noqa: E731
    assert guarded(labelled, number, "score", never) == "superseded"


def test_a_step_that_breaks_ends_its_round_and_the_log_says_where(labelled: Project, boss: Account) -> None:
    number = lifecycle.start(labelled, boss)

    def breaks(project: Project, number: int) -> str:
        begin(project, number, "scoring")
        raise OSError("no space left")

    assert guarded(labelled, number, "score", breaks) == "failed"
    row = round_of(labelled, number)
    assert (row.state, row.is_running) == ("failed", False)
    assert str(Message.from_dict(row.failure or {})) == "score failed: OSError: no space left"
    assert "in breaks" in lifecycle.read_log(labelled, number)
