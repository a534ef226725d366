"""Every figure on Overview equals a count of the raw rows that does not go through the page's own functions."""

import json
from collections import Counter
from html import unescape
from itertools import combinations
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from tests.conftest import Clock
from tests.workbench.making import add_label, add_round, make_champion, posts_of, ready_queue
from tests.workbench.rounds.test_outlook import put_in_use
from tests.workbench.web.conftest import VisitAs
from workbench.accounts import Account
from workbench.labelling import answers
from workbench.project import Project
from workbench.review.resolutions import resolve

LABELS = ("normal", "suspicious", "violation")
CAUGHT, RIGHT = (0.5, 0.25, 0.75), (0.625, 0.375, 0.875)
"""Estimate, and the ends of its interval."""
Rows = list[dict[str, Any]]


def screen() -> None:
    from workbench.web.views.overview import page as overview_page  # noqa: PLC0415 - AppTest runs this function's source alone

    overview_page.show()


def report(labels: int, scale: float = 1.0) -> dict[str, Any]:
    (caught, *around_caught), (right, *around_right) = (
        [scale * value for value in values] for values in (CAUGHT, RIGHT)
    )
    violation = {
        "recall": caught,
        "precision": right,
        "support": 30,
        "intervals": {"recall": around_caught, "precision": around_right},
    }
    metrics = {
        "n": 250,
        "macro_f1": 0.6 * scale,
        "macro_f1_interval": [0.5 * scale, 0.7 * scale],
        "labels_counted": list(LABELS),
        "per_label": {"violation": violation},
    }
    return {"metrics": metrics, "card": {"data": {"train": {"rows": labels}}}}


@pytest.fixture
def project_at_work(project: Project, lead: Account, ann: Account, ben: Account, clock: Clock) -> Project:
    """Two measured rounds; labels before and after, twice judged posts, a settled one, an imported and an undone one."""
    ready_queue(project, lead, 200)
    pool, test = posts_of(project, "pool"), posts_of(project, "test")
    for place, post in enumerate(pool[:30]):
        add_label(project, ann, post, LABELS[place % 3])
    make_champion(project, lead, np.random.default_rng(1).dirichlet([1, 1, 1], 200))
    clock.move(minutes=1)
    add_round(project, lead, 2, report(20, 0.8), state="rejected")
    add_round(project, lead, 3, report(30), labels_until=project.now())
    put_in_use(project, 3)
    for place, post in enumerate(pool[25:40]):
        add_label(project, ben, post, LABELS[place % 2], slot=int(place < 5))
    for post in test[:4]:
        add_label(project, ben, post, "normal", lane="held_out")
    add_label(project, lead, pool[50], "violation", origin="import", source="modlog")
    add_label(project, lead, test[5], "violation", origin="import", source="modlog")
    clock.move(hours=1)
    resolve(project, lead, pool[25], "violation")
    for seconds, label in ((6, "normal"), (4, "violation"), (9, "normal"), (5, "normal"), (7, "suspicious")):
        card = answers.hold_posts(project, ann)[0]
        clock.move(seconds=seconds)
        answers.submit(project, ann, card.post_id, label)
    return project


def raw(project: Project, query: str) -> Rows:
    with project.database.read() as session:
        return [dict(row._mapping) for row in session.execute(text(query))]


def current(project: Project) -> Rows:
    """The rows of labels that nothing supersedes, with the splits of their posts."""
    rows = raw(
        project,
        "SELECT a.*, g.split FROM annotation a JOIN post p ON p.id = a.post_id"
        " LEFT JOIN post_group g ON g.id = p.group_id",
    )
    superseded = {row["supersedes_id"] for row in rows}
    return [row for row in rows if row["id"] not in superseded and row["action"] == "label"]


def settled(project: Project) -> dict[int, Any]:
    return {
        row["post_id"]: row for row in raw(project, "SELECT * FROM resolution ORDER BY id") if row["label"]
    }


@pytest.fixture
def page(project_at_work: Project, lead: Account, visit_as: VisitAs) -> AppTest:
    visit_as(lead)
    app = AppTest.from_function(screen, default_timeout=20).run()
    assert not app.exception
    return app


def html_of(page: AppTest) -> str:
    return unescape(" ".join(element.proto.body for element in page.get("html")))


def strip(page: AppTest) -> dict[str, tuple[str, str]]:
    body = html_of(page).partition('<div class="headline">')[2].partition("</div></div>")[0]
    cells = body.split("<div>")[1:]
    parts = [cell.replace("</span>", "|").replace("</b>", "|").replace("<b>", "") for cell in cells]
    rows = [
        part.replace("<span>", "").replace("<small>", "").split("</small>")[0].split("|") for part in parts
    ]
    return {name: (value, small) for name, value, small in rows}


def rows_below(page: AppTest, heading: str) -> list[list[str]]:
    """The cells of the table below a heading, as text."""
    table = html_of(page).partition(f"<h2>{heading}</h2>")[2].partition("<tbody>")[2].partition("</tbody>")[0]
    rows = []
    for row in table.split("<tr>")[1:]:
        cells = row.replace("<th", "<td").split("<td")[1:]
        rows.append(["".join(part.partition(">")[2] for part in cell.split("<")) for cell in cells])
    return rows


def test_violations_caught_and_right_flags_are_those_of_the_round_in_use(page: AppTest) -> None:
    assert strip(page)["violations caught"] == (f"{CAUGHT[0]:.0%}", "25–75%")
    assert strip(page)["flags that were right"] == (f"{RIGHT[0]:.0%}", "38–88%")


def test_labelled_posts_are_those_with_a_current_label_or_a_decision(
    project_at_work: Project, page: AppTest
) -> None:
    posts = len(raw(project_at_work, "SELECT id FROM post"))
    labelled = {row["post_id"] for row in current(project_at_work)} | set(settled(project_at_work))
    taken = max(
        row["labels_until"] or row["created_at"] for row in raw(project_at_work, "SELECT * FROM round")
    )
    new = {row["post_id"] for row in current(project_at_work) if row["saved_at"] > taken}
    new |= {post for post, row in settled(project_at_work).items() if row["decided_at"] > taken}
    assert 0 < len(new) < len(labelled) < posts
    assert strip(page)["labelled"] == (f"{len(labelled)}", f"of {posts} posts, {len(new)} new")


def test_agreement_is_the_share_of_equal_pairs(project_at_work: Project, page: AppTest) -> None:
    votes: dict[int, list[str]] = {}
    for row in current(project_at_work):
        if row["origin"] != "import":
            votes.setdefault(row["post_id"], []).append(row["label"])
    several = [labels for labels in votes.values() if len(labels) > 1]
    pairs = [one == other for labels in several for one, other in combinations(labels, 2)]
    shown = strip(page)["agreement of two people"]
    assert shown == (f"{sum(pairs) / len(pairs):.0%}", f"on {len(several)} posts")


def test_labels_by_split_are_counted_by_post(project_at_work: Project, page: AppTest) -> None:
    decided = {post: row["label"] for post, row in settled(project_at_work).items()}
    votes: dict[int, Rows] = {}
    split = {}
    for row in current(project_at_work):
        split[row["post_id"]] = row["split"]
        if row["split"] == "pool" or row["source"] is None:
            votes.setdefault(row["post_id"], []).append(row)
    counts: Counter[tuple[str, str]] = Counter()
    for post, rows in votes.items():
        people = [row["label"] for row in rows if row["source"] is None] or [row["label"] for row in rows]
        label = max(LABELS, key=lambda name: (people.count(name), LABELS.index(name)))
        counts[decided.get(post, label), split[post]] += 1
    splits = [
        name for name in ("pool", "validation", "test", "audit") if any(key[1] == name for key in counts)
    ]
    words = {"normal": "normal", "suspicious": "borderline", "violation": "violation"}
    assert rows_below(page, "Labels") == [
        [
            words[label],
            *(f"{counts[label, name]}" for name in splits),
            f"{sum(counts[label, name] for name in splits)}",
        ]
        for label in LABELS
    ]


def test_todays_annotators_are_timed_from_their_own_rows(
    project_at_work: Project, clock: Clock, page: AppTest
) -> None:
    names = {row["id"]: row["name"] for row in raw(project_at_work, "SELECT id, name FROM person")}
    today = [row for row in current(project_at_work) if row["origin"] == "person"]
    labelled = Counter(names[row["person_id"]] for row in today)
    shown = {name: count for name, count, *_ in rows_below(page, "Today")}
    assert {name: int(count) for name, count in shown.items()} == dict(labelled)
    ann = next(row for row in rows_below(page, "Today") if row[0] == "Ann")
    assert ann[2] == f"{np.median([6, 4, 9, 5, 7]):.0f}"
    assert ann[3] == f"{(6 + 4 + 9 + 5 + 7) / 60:.0f}"


def data_of(chart: Any) -> list[dict[str, Any]]:
    """The rows of a chart, from its specification and the tables that Streamlit sends beside it."""
    tables = [
        pa.ipc.open_stream(dataset.data.data).read_all().to_pandas() for dataset in chart.proto.datasets
    ]
    rows: list[dict[str, Any]] = pandas.concat(tables).to_dict("records") if tables else []
    assert json.loads(chart.proto.spec)
    return rows


def test_the_curve_has_a_point_for_each_measured_round(page: AppTest) -> None:
    rows = data_of(page.get("vega_lite_chart")[0])
    drawn = {(row["name"], row["labels"]): (row["value"], row["low"], row["high"]) for row in rows}
    assert drawn == {
        ("violations caught", 20): pytest.approx(tuple(0.8 * value for value in CAUGHT)),
        ("violations caught", 30): pytest.approx(CAUGHT),
        ("flags that were right", 20): pytest.approx(tuple(0.8 * value for value in RIGHT)),
        ("flags that were right", 30): pytest.approx(RIGHT),
    }
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows)


def test_weeks_count_posts_and_the_drawn_labels_among_them(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 200)
    make_champion(project, lead, np.full((200, 3), 1 / 3))
    pool = posts_of(project, "pool")
    for place, post in enumerate(pool[:20]):
        add_label(project, ann, post, LABELS[2 * (place % 4 == 0)], lane="random")
    for post in pool[20:26]:
        add_label(project, ann, post, "violation", lane="uncertain")  # chosen, not drawn
    visit_as(lead)
    app = AppTest.from_function(screen, default_timeout=20).run()
    ((week, posts, drawn, share, _scores),) = rows_below(app, "Week by week")
    assert (week, posts, drawn) == ("01-05", "200", "20")
    assert share.startswith(f"{5 / 20:.1%} ")
    low, high = (float(end.strip("%")) for end in share.split()[1].split("–"))
    assert low < 25 < high


def test_posts_that_the_model_is_unsure_of_are_counted_from_its_scores(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 200)
    top = np.random.default_rng(0).uniform(0.34, 0.99, 200).astype(np.float32)
    make_champion(project, lead, np.stack([top, (1 - top) / 2, (1 - top) / 2], axis=1))
    waiting = top[[post - 1 for post in posts_of(project, "pool")]]
    unsure, less = int(((waiting >= 0.4) & (waiting <= 0.6)).sum()), int((waiting < 0.4).sum())
    assert min(unsure, less) > 0
    visit_as(lead)
    app = AppTest.from_function(screen, default_timeout=20).run()
    assert f"the model is unsure: {unsure} posts, and {less} it is less sure of still." in html_of(app)
    bars = data_of(app.get("vega_lite_chart")[0])
    assert sum(row.get("posts", 0) for row in bars if row.get("posts", 0) > 0) == len(waiting)
    between = [row["posts"] for row in bars if row.get("posts", 0) > 0 and 0.6 <= row["from"] < 0.8]
    assert sum(between) == int(((waiting >= 0.6) & (waiting < 0.8)).sum())
