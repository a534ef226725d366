"""The outlook, from the measurements of finished rounds and the team's pace."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from db.queries.standing import is_labelled
from db.tables import Champion, Post, PostGroup, Round
from tests.conftest import Clock
from tests.workbench.making import add_round, make_champion, ready_queue
from trainer.selection.forecast import expected_gain
from workbench.accounts import Account
from workbench.commands.status import status_command
from workbench.labelling import answers
from workbench.project import Project
from workbench.review import resolutions
from workbench.rounds.outlook import SECONDS_EACH, curve, fixed_posts, read_outlook, seconds_each
from workbench.scores.round_scores import RoundScores, Scores

SURE = np.tile(np.eye(3), (20, 1))
"""Scores of sixty posts."""


def measured(
    labels: int, score: float | None, *, interval: Sequence[float | None] | None = None
) -> dict[str, Any]:
    if score is None:
        return {"metrics": None, "card": {"data": {"train": {"rows": labels}}}}
    ends = [score - 0.03, score + 0.03] if interval is None else list(interval)
    metrics = {
        "n": 400,
        "macro_f1": score,
        "macro_f1_interval": ends,
        "labels_counted": ["normal", "violation"],
    }
    return {"metrics": metrics, "card": {"data": {"train": {"rows": labels}}}}


def put_in_use(project: Project, number: int) -> None:
    with project.database.write() as session:
        session.merge(Champion(id=1, round_number=number, since=project.now()))


def numbers_on_curve(project: Project, like: int) -> list[int]:
    with project.database.read() as session:
        return [point.number for point in curve(session, session.get_one(Round, like))]


def label_posts(project: Project, account: Account, clock: Clock, count: int, seconds: float) -> None:
    for _ in range(count):
        card = answers.hold_posts(project, account)[0]
        clock.move(seconds=seconds)
        answers.submit(project, account, card.post_id, "normal")


def score_round(project: Project, number: int, probabilities: np.ndarray) -> None:
    ids = np.arange(1, len(probabilities) + 1, dtype=np.int64)
    RoundScores.of(project, number).append(Scores(ids, probabilities.astype(np.float32)))


def test_a_single_round_foretells_nothing(project: Project, lead: Account) -> None:
    add_round(project, lead, 1, measured(100, 0.6))
    put_in_use(project, 1)
    outlook = read_outlook(project)
    assert outlook is not None
    assert (outlook.gain, outlook.rounds) == (None, 1)
    assert outlook.to_dict() == {"gain": None, "interval": None, "minutes": outlook.minutes}


def test_before_a_round_is_in_use_nothing_is_foretold(project: Project, lead: Account) -> None:
    add_round(project, lead, 1, measured(100, 0.6), state="awaiting")
    assert read_outlook(project) is None


def test_a_round_in_use_that_was_not_measured_foretells_nothing(project: Project, lead: Account) -> None:
    add_round(project, lead, 1, measured(100, 0.6))
    add_round(project, lead, 2, measured(200, None))
    put_in_use(project, 2)
    assert read_outlook(project) is None


def test_the_gain_is_that_of_the_measured_rounds(project: Project, lead: Account) -> None:
    for number, (labels, score) in enumerate([(200, 0.6), (400, 0.66), (600, 0.69)], start=1):
        add_round(project, lead, number, measured(labels, score))
    put_in_use(project, 3)
    outlook = read_outlook(project)
    assert outlook is not None
    # Every fifth post is held out: of a hundred, eighty train.
    expected = expected_gain([200, 400, 600], [0.6, 0.66, 0.69], [0.03 / 1.96] * 3, more=80)
    assert outlook.gain.mean == pytest.approx(expected.mean)
    assert outlook.gain.interval == pytest.approx(expected.interval)
    assert (outlook.rounds, outlook.new_labels) == (3, 0)
    assert outlook.minutes == pytest.approx(100 * SECONDS_EACH / 60)
    assert outlook.hint.reason == "too few rounds"


def test_trials_other_encoders_and_other_labels_are_other_curves(project: Project, lead: Account) -> None:
    add_round(project, lead, 1, measured(100, 0.5))
    add_round(project, lead, 2, measured(150, 0.4), is_quick=True)
    add_round(project, lead, 3, measured(200, 0.7), base="another")
    three = measured(220, 0.5)
    three["metrics"]["labels_counted"] = ["normal", "suspicious", "violation"]
    add_round(project, lead, 4, three)
    add_round(project, lead, 5, None, state="failed")
    add_round(project, lead, 6, measured(250, 0.6), state="rejected")
    add_round(project, lead, 7, measured(300, 0.62), state="awaiting")
    assert numbers_on_curve(project, 1) == [1, 6, 7]
    assert numbers_on_curve(project, 2) == [2]


@pytest.mark.parametrize("interval", [(None, None), (0.6, 0.6)])
def test_a_round_without_a_usable_interval_counts_little(
    project: Project, lead: Account, interval: tuple[float | None, float | None]
) -> None:
    add_round(project, lead, 1, measured(100, 0.6, interval=interval))
    with project.database.read() as session:
        (point,) = curve(session, session.get_one(Round, 1))
    assert point.error == pytest.approx(0.5 / 20)


def test_new_labels_and_minutes_are_the_teams_own(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 120)
    label_posts(project, ann, clock, 3, 5)
    clock.move(minutes=1)
    add_round(project, lead, 1, measured(3, 0.5))
    put_in_use(project, 1)
    label_posts(project, ann, clock, 30, 12)
    label_posts(project, ann, clock, 5, 600)
    outlook = read_outlook(project)
    assert outlook is not None
    assert outlook.new_labels == 35
    assert outlook.minutes == pytest.approx(100 * 12 / 60)
    with project.database.read() as session:
        free = session.scalar(
            select(Post.id)
            .join(PostGroup, PostGroup.id == Post.group_id)
            .where(PostGroup.split == "pool", ~is_labelled())
            .limit(1)
        )
    assert free is not None
    resolutions.resolve(project, lead, free, "normal")
    after = read_outlook(project)
    assert after is not None
    assert after.new_labels == 36


def test_a_pace_of_few_labels_is_not_believed() -> None:
    assert seconds_each([60.0] * 29) == SECONDS_EACH
    assert seconds_each([60.0] * 30) == 60


def test_rounds_that_agree_on_a_flat_curve_bring_the_hint(project: Project, lead: Account) -> None:
    for number in range(1, 5):
        add_round(project, lead, number, measured(100 * number, 0.7))
        score_round(project, number, SURE)
    add_round(project, lead, 5, measured(500, 0.9), state="rejected")  # scored no post, so it does not count
    put_in_use(project, 4)
    outlook = read_outlook(project)
    assert outlook is not None
    assert outlook.hint.is_reached
    assert outlook.hint.agreements == (1, 1, 1)


def test_a_round_that_judges_otherwise_brings_none(project: Project, lead: Account) -> None:
    for number in range(1, 5):
        add_round(project, lead, number, measured(100 * number, 0.7))
        score_round(project, number, SURE[::-1] if number == 3 else SURE)
    put_in_use(project, 4)
    outlook = read_outlook(project)
    assert outlook is not None
    assert outlook.hint.reason == "still changing"


def test_the_fixed_posts_stay_the_same_when_more_are_scored() -> None:
    early = np.arange(1, 5_001, dtype=np.int64)
    posts = fixed_posts([early, early])
    assert len(posts) == 2_000
    assert (fixed_posts([early, np.arange(1, 20_001, dtype=np.int64)]) == posts).all()


def test_status_tells_the_next_hundred(
    project: Project, lead: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    ready_queue(project, lead, 60)
    status_command(project.home, as_json=True)
    assert json.loads(capsys.readouterr().out)["next_100"] is None
    make_champion(project, lead, SURE)
    with project.database.write() as session:
        session.get_one(Round, 1).report = measured(300, 0.6)
    status_command(project.home)
    assert "next 100 labels" not in capsys.readouterr().out
    add_round(project, lead, 2, measured(200, 0.5), state="rejected", is_quick=True)
    status_command(project.home, as_json=True)
    printed = json.loads(capsys.readouterr().out)["next_100"]
    assert set(printed) == {"gain", "interval", "minutes"}
    assert printed["interval"][0] <= printed["gain"] <= printed["interval"][1]
    status_command(project.home)
    assert "next 100 labels" in capsys.readouterr().out
