"""The duration of the next round is estimated from measured rounds, never guessed."""

from typing import Any

import pytest

from tests.workbench.making import add_round
from trainer.config import TrainConfig, planned_steps, quick
from workbench.accounts import Account
from workbench.project import Project
from workbench.rounds.durations import Expected, expected_times

FULL = TrainConfig()


def report(rows: int, seconds: float, *, device: str = "cpu", config: TrainConfig = FULL) -> dict[str, Any]:
    card = {
        "data": {"train": {"rows": rows}},
        "seconds": seconds,
        "device": device,
        "config": config.to_dict(),
    }
    return {"card": card}


def expected(project: Project, *, is_quick: bool = False, labels: int = 2_000) -> list[Expected]:
    with project.database.read() as session:
        return expected_times(session, base="starter", is_quick=is_quick, labels=labels, posts=10_000)


def test_before_any_round_nothing_is_told(project: Project, lead: Account) -> None:
    add_round(project, lead, 1, None, state="failed")
    add_round(project, lead, 2, {"metrics": None, "card": {}}, state="awaiting")
    assert expected(project) == []


def test_twice_the_labels_take_twice_as_long_and_scoring_goes_by_the_posts(
    project: Project, lead: Account
) -> None:
    add_round(project, lead, 1, report(1_024, 60.0), scored={"n": 500, "posts_per_second": 250.0})
    (duration,) = expected(project, labels=2_048)
    assert (duration.like, duration.device) == (1, "cpu")
    assert duration.training == pytest.approx(120.0)
    assert duration.scoring == pytest.approx(40.0)
    assert duration.seconds == pytest.approx(160.0)


@pytest.mark.parametrize(("fitted_on", "trainings"), [("validation", 1), ("out-of-fold", 4)])
def test_the_folds_of_a_young_project_are_trainings_too(
    project: Project, lead: Account, fitted_on: str, trainings: int
) -> None:
    measured = report(1_024, 60.0)
    measured["card"]["calibration"] = {"fitted_on": fitted_on}
    add_round(project, lead, 1, measured)
    (duration,) = expected(project, labels=1_024)
    assert duration.training == pytest.approx(trainings * 60.0)


def test_a_trial_that_is_cut_off_takes_no_longer_with_more_labels(project: Project, lead: Account) -> None:
    trial = quick(FULL)
    add_round(project, lead, 1, report(5_000, 50.0, config=trial), is_quick=True)
    assert planned_steps(5_000, trial) == planned_steps(50_000, trial) == trial.max_steps
    (duration,) = expected(project, is_quick=True, labels=50_000)
    assert duration.training == pytest.approx(50.0)
    assert duration.scoring is None


def test_each_machine_is_told_by_its_newest_round_of_the_same_kind(project: Project, lead: Account) -> None:
    add_round(project, lead, 1, report(2_000, 300.0))
    add_round(project, lead, 2, report(2_000, 9.0, device="NVIDIA H100"))
    add_round(project, lead, 3, report(2_000, 200.0))
    add_round(project, lead, 4, report(2_000, 5.0, config=quick(FULL)), is_quick=True)
    add_round(project, lead, 5, report(2_000, 7.0), base="another")
    assert [(one.device, one.like, one.training) for one in expected(project)] == [
        ("cpu", 3, pytest.approx(200.0)),
        ("NVIDIA H100", 2, pytest.approx(9.0)),
    ]


def test_a_pass_takes_no_longer_than_it_may(project: Project, lead: Account) -> None:
    add_round(project, lead, 1, report(1_024, 60.0), scored={"n": 500, "posts_per_second": 2.0})
    with project.database.read() as session:
        of = {"base": "starter", "is_quick": False, "labels": 1_024, "posts": 10_000}
        assert [one.scoring for one in expected_times(session, **of)] == [5_000.0]
        assert [one.scoring for one in expected_times(session, **of, longest=3_600.0)] == [3_600.0]
