"""Posts of the last weeks, by their own times, with the verdicts that thresholds would have given."""

from datetime import date, timedelta

import numpy as np
import pytest
from sqlalchemy import select

from db.tables import Post, PostGroup
from tests.workbench.making import add_label, give_times, judge_held_out, posts_of
from trainer.statistics.thresholds import Prices, Thresholds
from workbench.accounts import Account
from workbench.errors import NotAllowedError
from workbench.project import Project
from workbench.thresholds import policy, recent
from workbench.thresholds.recent import RecentPosts, dry_run, examples
from workbench.thresholds.volumes import Volumes

NEWEST = date(2026, 1, 4)
CUTS = Thresholds(0.2, 0.8)


def read(project: Project, lead: Account) -> RecentPosts:
    return policy.read_evidence(project, lead).recent


def test_posts_a_day_are_counted_by_the_posts_own_days(project: Project, lead: Account) -> None:
    judge_held_out(project, lead)
    give_times(project, [NEWEST - timedelta(days=days) for days in range(40)])
    posts = read(project, lead)
    assert posts.has_times
    assert len(posts.days) == 600 * 28 / 40
    assert posts.posts_a_day == pytest.approx(600 / 40)


def test_a_time_in_the_future_is_none(project: Project, lead: Account) -> None:
    judge_held_out(project, lead)
    give_times(project, [NEWEST, NEWEST, date(2031, 5, 5)])
    posts = read(project, lead)
    assert posts.last_day == NEWEST.toordinal()
    assert posts.posts_a_day == 400


def test_without_times_the_weeks_are_those_of_the_imports(project: Project, lead: Account) -> None:
    judge_held_out(project, lead)
    posts = read(project, lead)
    assert (posts.has_times, posts.posts_a_day) == (False, None)
    (week,) = dry_run(posts, CUTS)
    assert week.last == project.now().date()
    assert week.volumes.total == 600


def test_the_dry_run_counts_each_week_with_peoples_labels_first(project: Project, lead: Account) -> None:
    score, is_violation = judge_held_out(project, lead)
    days = [NEWEST - timedelta(days=age) for age in range(20)]
    give_times(project, days)
    add_label(project, lead, posts_of(project, "pool")[0], "suspicious")
    held_out = {post for split in ("validation", "test", "audit") for post in posts_of(project, split)}
    expected = [[0, 0, 0] for _ in range(3)]
    for place, value in enumerate(score):
        post = place + 1
        verdict = int(value >= 0.2) + int(value >= 0.8)
        if post in held_out:
            verdict = 2 if is_violation[place] else 0
        elif post == posts_of(project, "pool")[0]:
            verdict = 1
        expected[place % 20 // 7][verdict] += 1
    weeks = dry_run(read(project, lead), CUTS)
    assert [week.volumes for week in weeks] == [Volumes(*counts) for counts in expected]
    assert [(week.first, week.last) for week in weeks] == [
        (date(2025, 12, 29), date(2026, 1, 4)),
        (date(2025, 12, 22), date(2025, 12, 28)),
        (date(2025, 12, 16), date(2025, 12, 21)),
    ]


def test_of_many_posts_a_drawn_part_stands_for_all(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MOST", 150)
    judge_held_out(project, lead)
    posts = read(project, lead)
    assert (len(posts.post_ids), posts.weight) == (150, 4)
    assert dry_run(posts, CUTS)[0].volumes.total == 600


def test_examples_are_the_closest_calls_of_the_model_among_open_posts(
    project: Project, lead: Account
) -> None:
    score, _ = judge_held_out(project, lead)
    labelled = posts_of(project, "pool")[:50]
    for post in labelled:
        add_label(project, lead, post, "normal")
    posts = read(project, lead)
    shown = examples(project, lead, posts, CUTS, "flag", most=4)
    open_posts = np.array(posts_of(project, "pool")[50:])
    flagged = open_posts[score[open_posts - 1] >= 0.8]
    nearest = sorted(flagged.tolist(), key=lambda post: score[post - 1])[:4]
    assert [one.post_id for one in shown] == nearest
    assert [one.score for one in shown] == pytest.approx([score[post - 1] for post in nearest])


def test_the_score_of_a_held_out_post_is_never_an_example(project: Project, lead: Account) -> None:
    judge_held_out(project, lead)
    posts = read(project, lead)
    with project.database.read() as session:
        held_out = set(session.scalars(select(Post.id).join(PostGroup).where(PostGroup.split != "pool")))
    shown = examples(project, lead, posts, CUTS, "pass", most=1_000)
    assert shown
    assert not held_out & {one.post_id for one in shown}


def test_an_annotator_gets_no_examples(project: Project, lead: Account, ann: Account) -> None:
    judge_held_out(project, lead)
    proposal = policy.propose(policy.read_evidence(project, lead), Prices(20, 5, 1))
    with pytest.raises(NotAllowedError):
        examples(project, ann, read(project, lead), proposal.choice.thresholds, "flag")
