"""Each figure of the Radar page, recomputed from the posts."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from db.tables import Import, Post, PostGroup, PostText
from tests.conftest import Clock
from tests.workbench.making import different_texts, import_texts, make_champion
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.figures.plain import plain
from workbench.accounts import Account
from workbench.imports.preparing import prepare
from workbench.overview.radar_scan import watch
from workbench.overview.watch_list import watch_term
from workbench.project import Project

BINS = 10


def screen() -> None:
    from workbench.web.views.radar import page as radar_page  # noqa: PLC0415 - AppTest runs this function's source alone

    radar_page.show()


@pytest.fixture
def weeks(project: Project, lead: Account, clock: Clock) -> Sequence[Sequence[tuple[int, str]]]:
    """(number, text) of the posts of the pool, import by import: adverts come in the third week."""
    texts = different_texts(240)
    starts = ["今天的天气不错，", "红包雨来了，", "加我领红包，"]
    for week, start in enumerate(starts):
        some = [
            f"{start if number % (4 - week) == 0 else ''}{text}"
            for number, text in enumerate(texts[80 * week : 80 * (week + 1)])
        ]
        import_texts(project, lead, some, start=1 + 1_000 * week)
        clock.move(days=7)
    prepare(project)
    watch_term(project, lead, "天气")
    with project.database.read() as session:
        posts = session.scalars(select(Post.id)).all()
        query = (
            select(Post.id, PostText.text)
            .join(PostText, PostText.post_id == Post.id)
            .join(PostGroup, PostGroup.id == Post.group_id)
            .where(PostGroup.split == "pool")
            .order_by(Post.id)
        )
        found = [
            [(row.id, row.text) for row in session.execute(query.where(Post.import_id == number))]
            for number in session.scalars(select(Import.id).order_by(Import.id))
        ]
    rng = np.random.default_rng(2)
    make_champion(project, lead, rng.dirichlet([1, 0.5, 0.6], len(posts)).astype(np.float32))
    watch(project)
    return found


def rate(texts: Sequence[tuple[int, str]], term: str) -> float:
    return 1000 * sum(term in text for _, text in texts) / len(texts)


def shown_rate(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


@pytest.mark.parametrize("term", ["红包", "天气"])
def test_the_rates_of_a_term_now_before_and_by_week(
    weeks: Sequence[Sequence[tuple[int, str]]], lead: Account, visit_as: VisitAs, term: str
) -> None:
    visit_as(lead)
    page = plain(AppTest.from_function(screen, default_timeout=20).run())
    row = re.search(rf'<div class="term"><div class="name"><b>{term}</b>.*?(?=<div class="term">|$)', page)
    assert row is not None
    *earlier, now = weeks
    before = [post for week in earlier for post in week]
    numbers = re.findall(
        r'<div class="rate"><small>(?:now|before)</small> ([\d.]+)</div>', page[row.start() :]
    )[:2]
    assert numbers == [shown_rate(rate(now, term)), shown_rate(rate(before, term))]
    told = re.search(r"Week by week, of 1,000 posts: ([\d., ]+)", page[row.start() :])
    assert told is not None
    shown = [float(value) for value in told[1].split(", ")]
    assert shown == pytest.approx([rate(week, term) for week in weeks], abs=0.06)
    assert f"{len(now)} posts looked at, beside {len(before)} imported before" in page


def test_the_shares_of_the_scores_and_their_stability_index(
    weeks: Sequence[Sequence[tuple[int, str]]], project: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    page = plain(AppTest.from_function(screen, default_timeout=20).run())
    rng = np.random.default_rng(2)
    with project.database.read() as session:
        posts = len(session.scalars(select(Post.id)).all())
    violation = rng.dirichlet([1, 0.5, 0.6], posts).astype(np.float32)[:, 2]
    *earlier, now = [[post for post, _ in week] for week in weeks]
    before = [post for week in earlier for post in week]
    counts = [
        np.array([sum(int(violation[post - 1] * BINS) == at for post in ids) for at in range(BINS)])
        for ids in (before, now)
    ]
    shares = [count / count.sum() for count in counts]
    titles = re.findall(r'<div title="(\d+%) → (\d+%)">', page)[:BINS]
    assert titles == [(f"{old:.0%}", f"{new:.0%}") for old, new in zip(*shares, strict=True)]
    # Half a post in each bin, so that no bin is empty.
    smooth = [(count + 0.5) / (count.sum() + 5) for count in counts]
    psi = float(np.sum((smooth[1] - smooth[0]) * np.log(smooth[1] / smooth[0])))
    assert f"Violation score: population stability index (PSI) {psi:.2f}" in page
