"""By week: the share of violations among randomly drawn posts, and the drift of scores."""

from datetime import date, timedelta

import numpy as np
import pytest
from sqlalchemy import select

from db.tables import Import, Post, PostGroup
from tests.workbench.making import (
    different_texts,
    import_texts,
    judge_held_out,
    label_row,
    make_champion,
    ready_queue,
)
from trainer.statistics.drift import in_tenths, stability_index
from trainer.statistics.proportions import wilson
from workbench.accounts import Account
from workbench.imports.preparing import prepare
from workbench.labelling.pace import monday_of
from workbench.overview.weeks import Week, weeks
from workbench.project import Project
from workbench.queue.plan import count_thousandths


def look(project: Project) -> list[Week]:
    with project.database.read() as session:
        return weeks(session, project)


def test_before_a_round_there_is_nothing_to_watch(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 20)
    assert look(project) == []


def test_violations_are_counted_among_the_posts_drawn_that_week(project: Project, lead: Account) -> None:
    _score, is_violation = judge_held_out(project, lead)
    monday = monday_of(project.now())
    with project.database.write() as session:
        session.get_one(Import, 1).started_at = project.now() - timedelta(days=70)
        query = select(Post.id).join(PostGroup, PostGroup.id == Post.group_id)
        judged = session.scalars(query.where(PostGroup.split.in_(("validation", "test")))).all()
        pool = session.scalars(query.where(PostGroup.split == "pool").limit(40)).all()
        drawn, chosen = pool[:30], pool[30:]
        for post in pool:
            label = "violation" if is_violation[post - 1] or post in chosen else "normal"
            lane, at = "random" if post in drawn else "uncertain", project.now() + timedelta(days=7)
            session.add(label_row(project, lead, post, label, lane=lane, saved_at=at))
    first, this, following = look(project)
    assert (first.monday, first.posts, first.violations) == (monday - timedelta(days=70), 600, None)
    wrong = sum(bool(is_violation[post - 1]) for post in judged)
    assert this.violations is not None
    assert (this.monday, this.violations.rows) == (monday, len(judged))
    assert this.violations.mean == pytest.approx(wrong / len(judged))
    assert this.violations.interval == pytest.approx(wilson(wrong / len(judged), len(judged)), abs=1e-4)
    wrong = sum(bool(is_violation[post - 1]) for post in drawn)
    assert following.violations is not None
    assert following.violations.rows == 30
    assert following.violations.mean == pytest.approx(wrong / 30)


def test_scores_of_a_week_are_held_against_all_weeks_before(project: Project, lead: Account) -> None:
    texts = different_texts(300)
    for week in range(3):
        import_texts(project, lead, texts[100 * week : 100 * week + 100], start=100 * week + 1)
    with project.database.write() as session:
        for number, days in ((1, 21), (2, 7), (3, 0)):
            session.get_one(Import, number).started_at = project.now() - timedelta(days=days)
    prepare(project)
    rng = np.random.default_rng(0)
    score = np.concatenate([rng.beta(1, 5, 100), rng.beta(1, 5, 100), rng.beta(5, 2, 100)]).astype(np.float32)
    make_champion(project, lead, np.stack([1 - score, np.zeros(300), score], axis=1))
    first, second, third = look(project)
    assert (first.drift, first.posts) == (None, 100)
    counts = [count_thousandths(part) for part in np.split(score, 3)]
    assert second.drift == pytest.approx(stability_index(*in_tenths(counts[0], counts[1])))
    assert third.drift == pytest.approx(stability_index(*in_tenths(counts[0] + counts[1], counts[2])))
    assert second.drift is not None
    assert third.drift is not None
    assert second.drift < 0.25 < third.drift
    assert [week.monday.weekday() for week in (first, second, third)] == [0, 0, 0]


def test_a_week_begins_on_monday() -> None:
    assert monday_of(date(2026, 1, 5)) == date(2026, 1, 5)
    assert monday_of(date(2026, 1, 11)) == date(2026, 1, 5)


@pytest.mark.parametrize("side", ["pool", "test"])
def test_near_copies_of_one_violation_count_once(project: Project, lead: Account, side: str) -> None:
    many = [
        "加我微信领红包，先到先得，名额有限，过期不候，老客户另有优惠" + "！" * more for more in range(1, 26)
    ]
    import_texts(project, lead, [*many, *different_texts(60)])
    prepare(project)
    with project.database.write() as session:
        rows = session.execute(select(Post.id, Post.group_id).order_by(Post.id)).all()
        (spam,) = {row.group_id for row in rows[: len(many)]}
        session.get_one(PostGroup, spam).split = side
    make_champion(project, lead, np.tile([0.9, 0.05, 0.05], (len(rows), 1)))
    with project.database.write() as session:
        labelled = session.execute(
            select(Post.id, Post.group_id, PostGroup.split)
            .join(PostGroup, PostGroup.id == Post.group_id)
            .where(PostGroup.split != "audit")
        ).all()
        for post, group, split in labelled:
            label, lane = (
                "violation" if group == spam else "normal",
                "random" if split == "pool" else "held_out",
            )
            session.add(label_row(project, lead, post, label, lane=lane))
    groups = {row.group_id for row in labelled}
    assert len(labelled) >= len(groups) + 24
    (this,) = look(project)
    assert this.violations is not None
    # Every group is drawn and labelled with probability 1, so each has weight 1: one violation among all.
    assert this.violations.mean == pytest.approx(1 / len(groups), rel=1e-4)
    assert this.violations.effective == pytest.approx(len(groups), rel=1e-3)
