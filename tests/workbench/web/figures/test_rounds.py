"""Every figure on Rounds equals one that is worked out here from the raw rows and files."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from db.tables import Round
from tests.conftest import Clock
from tests.workbench.making import add_label, make_champion, posts_of, ready_queue
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.figures.test_overview import strip
from tests.workbench.web.views.rounds.test_page import open_round, open_screen, row_of, shown
from trainer.labels import LABELS
from trainer.statistics.metrics import metrics
from workbench.accounts import Account
from workbench.project import Project
from workbench.scores.round_scores import RoundScores
from workbench.worker.attempts import begin

POSTS = 120
VIOLATION = LABELS.index("violation")


@pytest.fixture
def measured(project: Project, lead: Account, ann: Account, clock: Clock) -> Project:
    """Rounds 1 and 2, with scores of all posts and of 60 and 80 test posts, 50 of them shared; labels since."""
    ready_queue(project, lead, POSTS)
    rng = np.random.default_rng(5)
    for number in (1, 2):
        make_champion(project, lead, rng.dirichlet([1, 1, 1], POSTS), number=number)
    for number, ids in ((1, range(60)), (2, range(10, 90))):
        evaluate(project, number, list(ids))
    clock.move(minutes=1)
    for place, post in enumerate([*posts_of(project, "pool")[:12], *posts_of(project, "test")[:3]]):
        add_label(project, ann, post, LABELS[place % 3])
    return project


def evaluate(project: Project, number: int, ids: list[int]) -> None:
    labels = [LABELS[at % 3] for at in ids]
    scores = np.random.default_rng(number).dirichlet([1, 1, 1], len(ids))
    weights = np.array([1.0 + at % 2 for at in ids])
    folder = project.round_folder(number) / "evaluation"
    folder.mkdir(parents=True)
    names = [f"t{at}" for at in ids]
    columns = {f"p_{label}": scores[:, at] for at, label in enumerate(LABELS)}
    about = {"id": names, "group": names, "label": labels, "weight": weights}
    pq.write_table(pa.table({**about, **columns}), folder / "test_probabilities.parquet")
    figures = metrics(scores, labels, weights, names, rng=np.random.default_rng(0))
    report = {
        "metrics": figures,
        "card": {"data": {"train": {"rows": 40 + number}}},
        "test_sha256": str(number),
    }
    with project.database.write() as session:
        row = session.get_one(Round, number)
        row.report, row.is_quick = report, False


def rows_of_test(project: Project, number: int) -> dict[str, dict[str, Any]]:
    file = project.round_folder(number) / "evaluation" / "test_probabilities.parquet"
    return {row["id"]: row for row in pq.read_table(file).to_pylist()}


def guess(row: dict[str, Any]) -> str:
    return max(LABELS, key=lambda label: row[f"p_{label}"])


def ratio(rows: list[dict[str, Any]], is_counted: str) -> float:
    """Recall of violations if `is_counted` is "label", precision if it is "guess"."""
    is_it = {"label": lambda row: row["label"], "guess": guess}[is_counted]
    counted = [row for row in rows if is_it(row) == "violation"]
    hits = [row for row in counted if row["label"] == guess(row) == "violation"]
    return float(sum(row["weight"] for row in hits) / sum(row["weight"] for row in counted))


def test_headline_figures_are_those_of_the_test_posts_of_the_round_in_use(
    measured: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    figures, rows = strip(open_screen()), list(rows_of_test(measured, 2).values())
    assert figures["violations caught"][0] == f"{ratio(rows, 'label'):.0%}"
    assert figures["flags that were right"][0] == f"{ratio(rows, 'guess'):.0%}"
    violations = sum(row["label"] == "violation" for row in rows)
    assert figures["test posts"] == ("80", f"{violations} violations among them")


def test_new_labels_are_the_posts_labelled_since_the_newest_round(
    measured: Project, lead: Account, visit_as: VisitAs
) -> None:
    with measured.database.read() as session:
        rows = session.execute(
            text(
                "SELECT DISTINCT a.post_id, g.split FROM annotation a JOIN post p ON p.id = a.post_id"
                " JOIN post_group g ON g.id = p.group_id WHERE a.saved_at > (SELECT max(created_at) FROM round)"
            )
        ).all()
    to_learn = sum(split == "pool" for _, split in rows)
    visit_as(lead)
    app = open_screen()
    assert (
        strip(app)["new labels"]
        == (f"{len(rows)}", f"{to_learn} to learn from")
        == ("15", "12 to learn from")
    )
    line = f"{len(rows)} new labels since the last round, {to_learn} of them to learn from."
    assert line in shown(app)


def test_each_line_of_the_table_has_the_figures_of_its_round(
    measured: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    app = open_screen()
    for number in (1, 2):
        rows = list(rows_of_test(measured, number).values())
        _state, labels, caught, right, *_ = row_of(app, number)
        assert labels == f"{40 + number}"
        assert (caught, right) == (f"{ratio(rows, 'label'):.0%}", f"{ratio(rows, 'guess'):.0%}")


def test_bars_are_to_the_scale_of_their_figures(measured: Project, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    rows = list(rows_of_test(measured, 2).values())
    assert f'<i style="width:{100 * ratio(rows, "label"):.1f}%">' in shown(open_screen())


def test_the_duration_is_that_of_the_steps(
    measured: Project, lead: Account, clock: Clock, visit_as: VisitAs
) -> None:
    with measured.database.write() as session:
        row = session.get_one(Round, 1)
        row.state, row.is_running = "queued", True
    for step, seconds in (("training", 70), ("evaluating", 21)):
        clock.move(minutes=7)
        attempt = begin(measured, 1, step)
        clock.move(seconds=seconds)
        with attempt.finish():
            pass
    with measured.database.write() as session:
        row = session.get_one(Round, 1)
        row.state, row.is_running, row.finished_at = "awaiting", False, clock()
    clock.move(hours=5)
    visit_as(lead)
    assert row_of(open_screen(), 1)[4] == "01:31"


def test_a_confusion_matrix_counts_the_test_posts_by_weight(
    measured: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    app = open_screen()
    open_round(app, 2)
    rows = rows_of_test(measured, 2).values()
    for true in LABELS:
        counts = [
            sum(row["weight"] for row in rows if (row["label"], guess(row)) == (true, said))
            for said in LABELS
        ]
        assert "".join(f'<td class="number">{count:,.0f}</td>' for count in counts) in shown(app)


def compared(first: int, second: int) -> AppTest:
    app = AppTest.from_function(screen, default_timeout=20)
    app.session_state["compared"] = [first, second]
    app.run()
    assert not app.exception
    return app


def screen() -> None:
    from workbench.web.views.rounds import page  # noqa: PLC0415 - AppTest runs this function's source alone

    page.show()


def test_a_comparison_is_on_the_test_posts_that_both_have(
    measured: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    page = shown(compared(1, 2))
    one, other = rows_of_test(measured, 1), rows_of_test(measured, 2)
    both = sorted(set(one) & set(other))
    assert f"On the {len(both)} test posts that both were measured on" in page
    weights = {name: other[name]["weight"] for name in both}
    first, second = ([rows[name] | {"weight": weights[name]} for name in both] for rows in (one, other))
    for name, kind in (("violations caught", "label"), ("flags that were right", "guess")):
        before, after = ratio(first, kind), ratio(second, kind)
        change = round(100 * (after - before))
        points = f"{change:+}" if change else "0"
        cells = f'<td class="number">{before:.0%}</td><td class="number">{after:.0%}</td>'
        assert f'<th>{name}</th>{cells}<td class="number">{points} points [' in page


def test_changed_verdicts_are_counted_from_the_scores(
    measured: Project, lead: Account, visit_as: VisitAs
) -> None:
    before, after = (
        RoundScores.of(measured, number).read().probabilities.argmax(axis=1) for number in (1, 2)
    )
    visit_as(lead)
    app = compared(1, 2)
    assert f"{int((before != after).sum())} of {POSTS} posts changed their verdict." in shown(app)
    held_out = {post for split in ("validation", "test", "audit") for post in posts_of(measured, split)}
    for button in app.button:
        if not button.key.startswith("flip-") or " to " in button.key or "-to-" not in button.key:
            continue
        one, other = button.key.removeprefix("flip-").split("-to-")
        is_kind = (before == LABELS.index(one)) & (after == LABELS.index(other))
        assert button.label.split()[0] == f"{int(is_kind.sum())}"
        assert {place + 1 for place in np.flatnonzero(is_kind)} - held_out
    for label in range(len(LABELS)):
        still = int(((before == label) & (after == label)).sum())
        assert f'<span class="still">{still}</span>' in shown(app)
