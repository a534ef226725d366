"""Comparison of two rounds: reports, scores, and the posts with the largest changes."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from db.tables import Post, PostGroup, Round
from tests.workbench.making import (
    add_policy,
    add_round,
    different_texts,
    import_texts,
    make_champion,
    posts_of,
)
from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.commands.training.rounds import round_compare
from workbench.errors import NotAllowedError, RoundError
from workbench.imports.preparing import prepare
from workbench.labelling import answers
from workbench.project import Project
from workbench.review import resolutions
from workbench.rounds.comparison import EXAMPLES, compare_rounds, comparison_inputs

POSTS = 120
SURE, UNSURE, OTHER = [0.9, 0.05, 0.05], [0.5, 0.3, 0.2], [0.05, 0.05, 0.9]


@pytest.fixture
def two_rounds(project: Project, lead: Account) -> Project:
    """Round 1 calls all posts normal; round 2 calls the first 60 violations and is unsure of the next 10."""
    import_texts(project, lead, different_texts(POSTS))
    prepare(project)
    make_champion(project, lead, np.array([SURE] * POSTS))
    make_champion(project, lead, np.array([OTHER] * 60 + [UNSURE] * 10 + [SURE] * 50), number=2)
    return project


def splits(project: Project) -> dict[str, str]:
    with project.database.read() as session:
        rows = session.execute(
            select(Post.external_id, PostGroup.split).join(PostGroup, PostGroup.id == Post.group_id)
        )
        return {row.external_id: row.split for row in rows}


def test_verdicts_and_band_of_every_post_are_counted(two_rounds: Project, lead: Account) -> None:
    flips = compare_rounds(two_rounds, lead, 1, 2).to_dict()["flips"]
    assert flips["posts"] == POSTS
    assert flips["changed"] == 60
    assert flips["matrix"]["normal"] == {"normal": 60, "suspicious": 0, "violation": 60}
    assert (flips["band_before"], flips["entered_band"], flips["left_band"]) == (0, 10, 0)


def test_examples_are_pool_posts_alone_and_say_what_people_said(two_rounds: Project, lead: Account) -> None:
    first = posts_of(two_rounds, "pool")[0]
    label_post(two_rounds, lead, first)
    examples = compare_rounds(two_rounds, lead, 1, 2).examples
    shown = examples["normal to violation"]
    assert len(shown) == EXAMPLES
    assert {splits(two_rounds)[one.external_id] for kind in examples.values() for one in kind} == {"pool"}
    assert [one.labels for one in shown if one.labels] == [["suspicious"]]
    resolutions.resolve(two_rounds, lead, first, "violation")
    again = compare_rounds(two_rounds, lead, 1, 2).examples["normal to violation"]
    assert [one.labels for one in again if one.labels] == [["violation"]]
    assert shown[0].after == pytest.approx(OTHER, abs=1e-3)


def label_post(project: Project, person: Account, post_id: int) -> None:
    for _ in range(POSTS):
        card = answers.hold_posts(project, person)[0]
        if card.post_id == post_id:
            answers.submit(project, person, post_id, "suspicious")
            return
        answers.skip(project, person, card.post_id)


def test_certainty_is_that_of_the_stored_test_posts(two_rounds: Project, lead: Account) -> None:
    rng = np.random.default_rng(2)
    table = rng.dirichlet([2, 1, 1], 200)
    labels = [LABELS[at] for at in rng.integers(0, 3, 200)]
    folder = two_rounds.round_folder(1) / "evaluation"
    folder.mkdir(parents=True)
    columns = {f"p_{label}": table[:, at] for at, label in enumerate(LABELS)}
    pq.write_table(
        pa.table({"label": labels, "weight": np.ones(200), **columns}), folder / "test_probabilities.parquet"
    )
    bins = compare_rounds(two_rounds, lead, 1, 2).first.reliability
    assert sum(one.weight for one in bins) == 200
    right = [LABELS[row.argmax()] == label for row, label in zip(table, labels, strict=True)]
    assert math.isclose(sum(one.weight * one.right for one in bins), sum(right))
    assert math.isclose(sum(one.weight * one.confidence for one in bins), table.max(axis=1).sum())


def write_test_probabilities(
    project: Project, number: int, ids: list[str], scores: np.ndarray, labels: list[str]
) -> None:
    folder = project.round_folder(number) / "evaluation"
    folder.mkdir(parents=True)
    columns = {f"p_{label}": scores[:, at] for at, label in enumerate(LABELS)}
    about = {"id": ids, "group": ids, "label": labels, "weight": np.ones(len(ids))}
    pq.write_table(pa.table({**about, **columns}), folder / "test_probabilities.parquet")


def test_differences_are_of_the_test_posts_that_both_were_measured_on(
    two_rounds: Project, lead: Account
) -> None:
    assert compare_rounds(two_rounds, lead, 1, 2).differences is None
    flag, passed = [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]
    ids = [f"p{number}" for number in range(40)]
    labels = ["violation"] * 20 + ["normal"] * 20
    first = np.array([flag] * 10 + [passed] * 30)
    write_test_probabilities(two_rounds, 1, ids[::-1], first[::-1], labels[::-1])
    # Ten posts that only the second knows, all missed; of the shared ones it catches fifteen and flags one more.
    second = np.array([flag] * 15 + [passed] * 5 + [flag] + [passed] * 29)
    more = [f"n{number}" for number in range(10)]
    write_test_probabilities(two_rounds, 2, [*ids, *more], second, [*labels, *["violation"] * 10])
    changed = compare_rounds(two_rounds, lead, 1, 2).differences
    assert changed is not None
    assert (changed.posts, changed.violations) == (40, 20)
    assert changed.caught is not None
    assert changed.right is not None
    assert (changed.caught.one, changed.caught.other) == (0.5, 0.75)
    assert (changed.right.one, changed.right.other) == (1.0, 15 / 16)
    printed = compare_rounds(two_rounds, lead, 1, 2).to_dict()["differences"]
    assert json.loads(json.dumps(printed))["caught"]["other"] == 0.75


def test_rounds_without_a_shared_test_post_have_no_difference(two_rounds: Project, lead: Account) -> None:
    for number in (1, 2):
        write_test_probabilities(two_rounds, number, [f"r{number}"], np.array([SURE]), ["normal"])
    assert compare_rounds(two_rounds, lead, 1, 2).differences is None


def test_other_test_posts_are_told(two_rounds: Project, lead: Account) -> None:
    for number, sha256 in ((1, "a"), (2, "a")):
        set_report(two_rounds, number, {"test_sha256": sha256})
    assert compare_rounds(two_rounds, lead, 1, 2).is_same_test
    set_report(two_rounds, 2, {"test_sha256": "b"})
    assert not compare_rounds(two_rounds, lead, 1, 2).is_same_test


def set_report(project: Project, number: int, report: dict[str, str]) -> None:
    with project.database.write() as session:
        session.get_one(Round, number).report = report


def test_a_round_without_scores_is_compared_by_its_figures(two_rounds: Project, lead: Account) -> None:
    add_round(two_rounds, lead, 3, state="failed")
    compared = compare_rounds(two_rounds, lead, 2, 3)
    assert compared.flips is None
    assert compared.to_dict()["flips"] is None


def test_what_cannot_be_compared_is_refused(two_rounds: Project, lead: Account, ann: Account) -> None:
    with pytest.raises(RoundError, match="two different rounds"):
        compare_rounds(two_rounds, lead, 1, 1)
    with pytest.raises(RoundError, match="no round 9"):
        compare_rounds(two_rounds, lead, 1, 9)
    with pytest.raises(NotAllowedError):
        compare_rounds(two_rounds, ann, 1, 2)


def test_the_command_prints_and_its_json_is_the_comparison(
    two_rounds: Project, lead: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    round_compare(1, 2, two_rounds.home)
    assert "60 of 120 posts changed their verdict" in capsys.readouterr().out
    round_compare(1, 2, two_rounds.home, as_json=True)
    assert json.loads(capsys.readouterr().out) == compare_rounds(two_rounds, lead, 1, 2).to_dict()


def test_posts_are_counted_by_the_band_in_force(
    two_rounds: Project, lead: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    before = comparison_inputs(two_rounds, 1, 2)
    add_policy(two_rounds, lead, band_low=0.85, band_high=0.92)
    compared = compare_rounds(two_rounds, lead, 1, 2).to_dict()
    assert compared["band"] == [0.85, 0.92]
    # In round 1 all were in this band at 0.9; the ten at 0.5 have left it.
    assert (compared["flips"]["band_before"], compared["flips"]["left_band"]) == (POSTS, 10)
    assert (before, comparison_inputs(two_rounds, 1, 2)) == ((0, POSTS, POSTS), (1, POSTS, POSTS))
    round_compare(1, 2, two_rounds.home)
    assert "In the band (0.85 to 0.92): 120 before" in capsys.readouterr().out
