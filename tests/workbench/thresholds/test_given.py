"""What the forum has been told: counted as new once, and again whenever the verdict changes."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from typer.testing import CliRunner

from db.tables import GivenVerdict
from tests.conftest import Clock
from tests.workbench.making import add_decision, add_label, add_policy
from tests.workbench.thresholds.test_verdicts import decided_by, lines, more_posts
from trainer.statistics.thresholds import VERDICTS
from workbench.accounts import Account
from workbench.cli import app
from workbench.errors import InputError
from workbench.project import Project
from workbench.thresholds import given as given_module
from workbench.thresholds import verdicts
from workbench.thresholds.given import Given, remember, verdicts_given
from workbench.thresholds.verdicts import decide

__all__ = ["decided_by"]


def test_each_post_is_new_once(project: Project, lead: Account, decided_by: np.ndarray) -> None:
    first, again = decide(project, lead), decide(project, lead)
    assert (first.new, first.changed) == (60, 0)
    assert (again.rows, again.new, again.changed) == (60, 0, 0)


def test_a_file_of_only_what_is_new_covers_every_import(
    project: Project, lead: Account, clock: Clock, decided_by: np.ndarray
) -> None:
    whole = decide(project, lead, is_new_only=True)
    assert (whole.rows, whole.new) == (60, 60)
    assert {row["before"] for row in lines(whole.file).values()} == {""}
    more_posts(project, lead, start=61, count=5, violation=0.9)
    clock.move(hours=1)
    later = decide(project, lead, is_new_only=True)
    assert list(lines(later.file)) == [f"p{post}" for post in range(61, 66)]
    clock.move(hours=1)
    nothing = decide(project, lead, is_new_only=True)
    assert (nothing.rows, nothing.new, lines(nothing.file)) == (0, 0, {})
    assert len({whole.file, later.file, nothing.file}) == 3


def test_another_verdict_is_new_and_says_what_it_was(
    project: Project, lead: Account, ann: Account, decided_by: np.ndarray
) -> None:
    decide(project, lead)
    add_label(project, ann, 1, "violation")
    add_label(project, ann, 2, "normal")  # the verdict stays
    add_decision(project, lead, 60, "normal")
    decided = decide(project, lead, is_new_only=True)
    rows = lines(decided.file)
    assert {name: (row["before"], row["verdict"]) for name, row in rows.items()} == {
        "p1": ("pass", "flag"),
        "p60": ("flag", "pass"),
    }
    assert (decided.new, decided.changed, decided.rows, decided.by_people) == (0, 2, 2, 2)


def test_other_thresholds_bring_only_the_posts_that_they_judge_differently(
    project: Project, lead: Account, decided_by: np.ndarray
) -> None:
    decide(project, lead)
    add_policy(project, lead, version=2, pass_below=0.1, flag_from=0.9)
    decided = decide(project, lead, is_new_only=True)
    moved = [f"p{post}" for post, score in enumerate(decided_by, start=1) if 0.7 <= score < 0.9]
    assert moved
    assert list(lines(decided.file)) == moved
    with project.database.read() as session:
        versions = dict(session.execute(select(GivenVerdict.post_id, GivenVerdict.policy_version)).all())
    assert {f"p{post}" for post, version in versions.items() if version == 2} == set(moved)


def test_it_leaves_the_next_whole_file_as_it_was(
    project: Project, lead: Account, clock: Clock, decided_by: np.ndarray
) -> None:
    first = decide(project, lead)
    more_posts(project, lead, start=61, count=5, violation=0.9)
    decide(project, lead, is_new_only=True)
    following = decide(project, lead)
    assert (following.first_import, following.rows, following.new) == (first.last_import + 1, 5, 0)


def test_a_file_whose_posts_would_not_come_again_is_not_overwritten(
    project: Project, lead: Account, decided_by: np.ndarray, tmp_path: Path
) -> None:
    file = tmp_path / "new.tsv"
    decide(project, lead, out=file, is_new_only=True)
    before = file.read_bytes()
    with pytest.raises(InputError, match="exists already"):
        decide(project, lead, out=file, is_new_only=True)
    assert file.read_bytes() == before


def test_a_file_that_fails_half_way_gave_nothing(
    project: Project, lead: Account, decided_by: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(verdicts, "CHUNK", 7)
        patch.setattr(verdicts, "labels_by_people", lambda _session, ids: {} if ids[0] < 20 else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            decide(project, lead, is_new_only=True)
    assert decide(project, lead, is_new_only=True).new == 60


def test_the_command_says_how_many_are_new(project: Project, lead: Account, decided_by: np.ndarray) -> None:
    command = ["decide", "--home", str(project.home)]
    assert (
        "60 posts have a verdict for the first time, 0 another one" in CliRunner().invoke(app, command).output
    )
    nothing = CliRunner().invoke(app, [*command, "--new-only"]).output
    assert "Nothing is new" in nothing
    assert "How many violations" not in nothing
    facts = json.loads(CliRunner().invoke(app, [*command, "--json"]).output)
    assert (facts["new"], facts["changed"], facts["is_new_only"]) == (0, 0, False)


@given(st.lists(st.sampled_from(VERDICTS), max_size=30), st.integers(1, 7))
def test_chunks_hold_every_verdict_once_and_in_order(names: list[verdicts.Verdict], size: int) -> None:
    held = Given()
    for post, verdict in enumerate(names):
        held.add(post, verdict, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(given_module, "ROWS_AT_ONCE", size)
        chunks = list(held.chunks())
    assert [row for chunk in chunks for row in chunk] == list(enumerate(names))
    assert all(1 <= len(chunk) <= size for chunk in chunks)


def test_a_post_that_was_purged_meanwhile_is_not_remembered(
    project: Project, lead: Account, decided_by: np.ndarray
) -> None:
    held = Given()
    held.add(1, "pass", None)
    held.add(1_000, "flag", None)
    remember(project, held, 1)
    with project.database.read() as session:
        assert verdicts_given(session, 1, 2_000) == {1: "pass"}
