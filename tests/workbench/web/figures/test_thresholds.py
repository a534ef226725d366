"""Each figure of the Thresholds page, recomputed from the rows."""

import re
from collections import Counter
from datetime import date, timedelta
from html import unescape
from math import sqrt

import numpy as np
import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from db.tables import Annotation, Post, PostGroup, Resolution
from tests.workbench.making import add_decision, add_label, give_times, judge_held_out, posts_of
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.figures.plain import plain, rows
from workbench.accounts import Account
from workbench.project import Project
from workbench.queue import swap
from workbench.thresholds import policy
from workbench.thresholds.verdicts import decide

NEWEST = date(2026, 1, 4)
VERDICTS = {"normal": "pass", "suspicious": "human", "violation": "flag"}
SEVERITY = ("normal", "suspicious", "violation")


def screen() -> None:
    from workbench.web.views.thresholds import page as thresholds_page  # noqa: PLC0415 - AppTest runs this function's source alone

    thresholds_page.show()


class Page:
    """The page after the prices 3, 1 and 0.5, and the raw rows behind it."""

    def __init__(self, project: Project, lead: Account, app: AppTest, scores: np.ndarray) -> None:
        app.run()
        for name, price in {"missed": 3.0, "false_alarm": 1.0, "look": 0.5}.items():
            app.number_input(key=f"price-{name}").set_value(price)
        app.run()
        assert not app.exception
        self.app, self.scores = app, scores
        self.html = unescape(" ".join(element.proto.body for element in app.get("html")))
        cuts = re.findall(r'<div class="cuts">(.*?)</div>', self.html)[0]
        self.low, self.high = (float(cut) for cut in re.findall(r">(\d\.\d{3})<", cuts))
        self.labels = labels(project)
        with project.database.read() as session:
            self.ids = list(session.scalars(select(Post.id).order_by(Post.id)))
            self.split = dict(session.execute(select(Post.id, PostGroup.split).join(PostGroup)).all())

    def by_model(self, post: int) -> str:
        score = self.scores[post - 1]
        return "pass" if score < self.low else "flag" if score >= self.high else "human"

    def verdict(self, post: int) -> str:
        return VERDICTS[self.labels[post]] if post in self.labels else self.by_model(post)


def labels(project: Project) -> dict[int, str]:
    """The decision, else the more frequent label, of a tie the more severe one."""
    votes: dict[int, list[str]] = {}
    with project.database.read() as session:
        for row in session.scalars(select(Annotation)):
            votes.setdefault(row.post_id, []).append(str(row.label))
        decided = {
            row.post_id: str(row.label) for row in session.scalars(select(Resolution).order_by(Resolution.id))
        }
    of_votes = {
        post: max(SEVERITY, key=lambda label: (said.count(label), SEVERITY.index(label)))
        for post, said in votes.items()
    }
    return of_votes | decided


@pytest.fixture
def page(project: Project, lead: Account, ann: Account, visit_as: VisitAs) -> Page:
    scores, _ = judge_held_out(project, lead)
    pool = posts_of(project, "pool")
    for post in pool[:30]:
        add_label(project, lead, post, "suspicious")
    for post in pool[10:20]:
        add_label(project, ann, post, "violation")
    add_decision(project, lead, pool[40], "normal")
    swap.rebuild(project)
    give_times(project, [NEWEST - timedelta(days=age) for age in range(20)])
    visit_as(lead)
    return Page(project, lead, AppTest.from_function(screen, default_timeout=20), scores)


def test_the_bar_counts_every_post_as_the_file_of_verdicts_does(
    page: Page, project: Project, lead: Account
) -> None:
    counts = Counter(map(page.verdict, page.ids))
    for verdict, count in counts.items():
        share = f"{count / len(page.ids):.1%}"
        assert re.search(
            rf'<div class="{verdict}"><b>{count}</b> <span>[a-z ]+</span> <small>{share}<', page.html
        )
        assert f'<i class="{verdict}" style="flex-grow:{count}">' in page.html
    assert f"All {len(page.ids)} posts so far" in page.html
    assert f"{len(page.labels)} by people's labels" in page.html
    evidence = policy.read_evidence(project, lead)
    policy.save(project, lead, policy.propose(evidence, policy.Prices(3, 1, 0.5)))
    assert decide(project, lead).verdicts == dict(counts)


def test_a_day_is_the_models_share_of_the_posts_a_day(page: Page) -> None:
    counts = Counter(map(page.by_model, page.ids))
    a_day = {verdict: round(count / 20) for verdict, count in counts.items()}
    text = f"About {sum(a_day.values())} new posts a day: {a_day['pass']} pass, {a_day['human']} for people, {a_day['flag']} flagged."
    assert text in page.html


def test_caught_right_flags_and_cost_are_those_of_the_test_posts(page: Page) -> None:
    test = [post for post in page.ids if page.split[post] == "test"]
    bad = [post for post in test if page.labels[post] == "violation"]
    flagged = [post for post in test if page.by_model(post) == "flag"]
    caught = sum(page.by_model(post) != "pass" for post in bad) / len(bad)
    right = sum(post in bad for post in flagged) / len(flagged)
    assert f"<b>{caught:.0%}</b><span>violations flagged or seen by people</span>" in page.html
    assert f"<b>{right:.0%}</b><span>flags right at these thresholds</span>" in page.html
    missed = sum(page.by_model(post) == "pass" for post in bad)
    wrong = len(flagged) - sum(post in bad for post in flagged)
    looks = sum(page.by_model(post) == "human" for post in test)
    cost = 1000 * (3 * missed + wrong + 0.5 * looks) / len(test)
    assert f"<b>{cost:,.0f}</b><span>cost of 1,000 posts</span>" in page.html
    assert "<b>500</b><span>if people looked at every one</span>" in page.html
    assert f"{1000 * missed / len(test):,.1f} [" in page.html
    assert f"{1000 * wrong / len(test):,.1f} [" in page.html
    assert f"{len(test)} test posts that chose nothing ({len(bad)} violations)" in page.html


def test_the_columns_count_the_scores_of_the_posts_without_a_label(page: Page) -> None:
    counts = Counter(
        int(np.float64(page.scores[post - 1]) * 1000 + 1e-9) // 10
        for post in page.ids
        if post not in page.labels
    )
    tallest = max(counts.values())
    columns = re.findall(r'<div class="columns"[^>]*>(.*?)</div>', page.html)[0]
    heights = [float(height) for height in re.findall(r"height:([\d.]+)%", columns)]
    assert len(heights) == 100
    assert heights == pytest.approx([100 * sqrt(counts[place] / tallest) for place in range(100)], abs=0.06)


def test_the_zones_end_where_the_thresholds_are(page: Page) -> None:
    for name, low, high in (("pass", 0, page.low), ("human", page.low, page.high), ("flag", page.high, 1)):
        assert (
            f'<div class="{name}" style="left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%">' in page.html
        )


def test_each_week_counts_the_verdicts_of_its_posts(page: Page) -> None:
    weeks = [row for row in rows(plain(page.app)) if re.fullmatch(r"\d\d-\d\d – \d\d-\d\d", row[0])]
    assert [row[0] for row in weeks] == ["12-29 – 01-04", "12-22 – 12-28", "12-16 – 12-21"]
    for age, row in enumerate(weeks):
        counts = Counter(page.verdict(post) for post in page.ids if (post - 1) % 20 // 7 == age)
        assert row[2:] == [str(counts[name]) for name in ("pass", "human", "flag")]


def test_the_band_counts_what_waits(page: Page, project: Project) -> None:
    waiting = [post for post in page.ids if page.split[post] == "pool" and post not in page.labels]
    certainty = np.array([max(page.scores[post - 1], 1 - page.scores[post - 1]) for post in waiting])
    text = re.search(
        r"unsure about ([\d,]+) of the ([\d,]+) posts .*?: ([\d,]+) in this band, ([\d,]+) below", page.html
    )
    assert text is not None
    assert int(text[2]) == len(waiting)
    assert int(text[3]) == ((certainty >= 0.4) & (certainty < 0.6)).sum()
    assert int(text[4]) == (certainty < 0.4).sum()
    assert int(text[1]) == (certainty < 0.6).sum()
