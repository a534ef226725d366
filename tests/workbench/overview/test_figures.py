"""The lead's overview: every figure equals an independent count."""

import json
from collections import Counter
from datetime import timedelta
from itertools import combinations

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from db.tables import Annotation, Post, PostGroup
from tests.conftest import Clock
from tests.workbench.making import (
    add_label,
    add_round,
    different_texts,
    import_texts,
    judge_held_out,
    make_champion,
    ready_queue,
)
from tests.workbench.plans import plans_of
from tests.workbench.rounds.test_outlook import measured, put_in_use
from trainer.selection.forecast import expected_gain
from workbench.accounts import Account
from workbench.cli import app
from workbench.errors import NotAllowedError
from workbench.imports.preparing import prepare
from workbench.labelling import answers
from workbench.overview import figures, weeks
from workbench.overview.figures import Overview, read_overview
from workbench.posts import counting
from workbench.project import Project
from workbench.queue.band import band_counts
from workbench.queue.status import read_status
from workbench.review import resolutions


def look(project: Project, lead: Account) -> Overview:
    return read_overview(project, lead, project.now().replace(hour=0))


def test_posts_labels_and_the_band_are_counted(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 200)
    import_texts(project, lead, different_texts(210)[200:], start=201)
    top = np.random.default_rng(0).uniform(0.34, 0.99, 210)
    prepare(project)
    make_champion(project, lead, np.stack([top, (1 - top) / 2, (1 - top) / 2], axis=1))
    votes = [(1, ann, "normal"), (1, ben, "violation"), (2, ann, "violation"), (3, ann, "normal")]
    for post, who, label in votes:
        add_label(project, who, post, label)
    overview = look(project, lead)
    with project.database.read() as session:
        query = select(Post.id, PostGroup.split).join(PostGroup, PostGroup.id == Post.group_id)
        split = dict(session.execute(query).all())
        band = band_counts(session, project)
    assert (overview.posts, overview.labelled, overview.champion) == (210, 3, 1)
    assert (overview.in_band, overview.below_band) == (band.in_band, band.below_band)
    expected: dict[str, Counter[str]] = {"normal": Counter(), "suspicious": Counter(), "violation": Counter()}
    # Post 1 counts once: a tie goes to the more severe label.
    for post, label in ((1, "violation"), (2, "violation"), (3, "normal")):
        expected[label][split[post]] += 1
    assert overview.labels == expected
    in_pool = [post for post in sorted(split) if split[post] == "pool" and post > 3][:2]
    for post in (*in_pool, next(post for post, _who, _label in votes if split[post] == "pool")):
        resolutions.resolve(project, lead, post, "violation")
    assert look(project, lead).labelled == read_status(project).labelled == 5


def test_people_who_judged_the_same_posts_are_compared(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 20)
    rng = np.random.default_rng(3)
    judged: dict[int, list[str]] = {post: [] for post in range(1, 21)}
    for post, labels in judged.items():
        for who in (ann, ben, lead)[: 1 + post % 3]:
            label = str(rng.choice(["normal", "suspicious", "violation"], p=[0.6, 0.2, 0.2]))
            add_label(project, who, post, label, slot=int(bool(labels)))
            labels.append(label)
    add_label(project, lead, 3, "violation", origin="import")
    add_label(project, lead, 6, "violation", origin="import", source="modlog")
    several = [labels for labels in judged.values() if len(labels) > 1]
    pairs = [pair for labels in several for pair in combinations(labels, 2)]
    agreement = look(project, lead).agreement
    assert agreement is not None
    assert (agreement.posts, agreement.pairs) == (len(several), len(pairs))
    assert agreement.share == pytest.approx(sum(one == other for one, other in pairs) / len(pairs))
    assert agreement.alpha is not None
    assert agreement.alpha < agreement.share
    assert agreement.ordinal is not None
    assert agreement.ordinal != agreement.alpha


def test_nobody_judged_twice_is_no_agreement(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 20)
    add_label(project, ann, 1, "normal")
    assert look(project, lead).agreement is None


def test_first_answers_are_held_against_the_suggestion_seen_and_unseen(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead, 20)
    for post in range(1, 8):
        add_label(project, ann, post, "normal", suggestion="normal", was_suggestion_visible=True)
    add_label(project, ann, 8, "violation", suggestion="normal", was_suggestion_visible=True)
    add_label(project, ann, 9, "normal", suggestion="normal")
    add_label(project, ann, 10, "violation", suggestion="normal")
    add_label(project, ann, 11, "violation")
    with project.database.write() as session:
        last = session.scalar(select(Annotation.id).where(Annotation.post_id == 10))
    # Changed after the suggestion was shown, so not an unaided answer.
    add_label(
        project, ann, 10, "normal", suggestion="normal", was_suggestion_visible=True, supersedes_id=last
    )
    anchoring = look(project, lead).anchoring
    assert (anchoring.same_visible, anchoring.visible) == (7, 8)
    assert (anchoring.same_hidden, anchoring.hidden) == (1, 2)


def test_the_curve_is_that_of_the_rounds_and_leads_where_the_forecast_does(
    project: Project, lead: Account
) -> None:
    for number, (labels, score) in enumerate([(200, 0.6), (400, 0.66), (600, 0.69)], start=1):
        add_round(project, lead, number, measured(labels, score))
    put_in_use(project, 3)
    overview = look(project, lead)
    assert [(point.number, point.labels, point.macro_f1) for point in overview.curve] == [
        (1, 200, 0.6),
        (2, 400, 0.66),
        (3, 600, 0.69),
    ]
    assert list(overview.curve[0].interval) == pytest.approx([0.57, 0.63])
    assert overview.macro_f1 == 0.69
    assert [point.labels for point in overview.ahead] == [600, 700, 850, 1_100, 1_600]
    gain = expected_gain([200, 400, 600], [0.6, 0.66, 0.69], [0.03 / 1.96] * 3, more=500)
    assert overview.ahead[3].macro_f1 == pytest.approx(0.69 + gain.mean)
    assert (overview.ahead[3].low, overview.ahead[3].high) == pytest.approx(
        (0.69 + gain.interval[0], 0.69 + gain.interval[1])
    )
    assert overview.outlook is not None


def test_a_single_round_draws_no_forecast(project: Project, lead: Account) -> None:
    add_round(project, lead, 1, measured(200, 0.6))
    put_in_use(project, 1)
    overview = look(project, lead)
    assert (len(overview.curve), list(overview.ahead)) == (1, [])


def test_todays_people_stand_by_name_with_their_own_pace(
    project: Project, lead: Account, ann: Account, ben: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 60)
    clock.move(hours=-12)  # yesterday evening
    label_one(project, lead, clock, 5)
    clock.move(hours=12)
    for _ in range(6):
        label_one(project, ben, clock, 8)
    for _ in range(5):
        label_one(project, ann, clock, 4)
    hands = look(project, lead).hands
    assert [(hand.name, hand.labelled, hand.seconds_each) for hand in hands] == [
        ("Ann", 5, 4.0),
        ("Ben", 6, 8.0),
    ]
    assert [hand.minutes for hand in hands] == pytest.approx([20 / 60, 48 / 60])


def label_one(project: Project, who: Account, clock: Clock, seconds: float) -> None:
    card = answers.hold_posts(project, who)[0]
    clock.move(seconds=seconds)
    answers.submit(project, who, card.post_id, "normal")


def test_only_a_lead_sees_it(project: Project, ann: Account) -> None:
    with pytest.raises(NotAllowedError):
        look(project, ann)


def test_no_look_scans_the_posts(project: Project, lead: Account) -> None:
    judge_held_out(project, lead, 300)

    def read(session: Session) -> None:
        counting.count_posts(session)
        figures._agreement(session)
        figures._anchoring(session)
        figures._annotator_days(session, project.now(), project.now() - timedelta(hours=1))
        band_counts(session, project)
        weeks._spreads(session, project, 1)

    steps = [step for plan in plans_of(project, read) for step in plan]
    assert steps
    assert [step for step in steps if step.startswith("SCAN post")] == []


def test_the_command_says_the_same(project: Project, lead: Account) -> None:
    judge_held_out(project, lead, 300)
    given = ["overview", "--home", str(project.home)]
    printed = json.loads(CliRunner().invoke(app, [*given, "--json"]).output)
    overview = look(project, lead)
    for key in ("posts", "labelled", "in_band", "below_band", "labels"):
        assert printed[key] == getattr(overview, key)
    assert printed["advice"]["step"] == overview.advice.step
    assert "Next: label on." in CliRunner().invoke(app, given).output
