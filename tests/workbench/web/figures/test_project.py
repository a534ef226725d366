"""Each figure of the Project page, recomputed from the files of verdicts and the rows."""

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from tests.conftest import Clock
from tests.workbench.making import add_policy, make_champion, posts_of, ready_queue
from tests.workbench.review.ruled import draft
from tests.workbench.thresholds.test_verdicts import more_posts
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.figures.plain import plain, rows
from workbench.accounts import Account
from workbench.labelling import answers, guidelines
from workbench.project import Project
from workbench.review import resolutions, rulings
from workbench.thresholds.verdicts import decide


def screen() -> None:
    from workbench.web.views.project import page as project_page  # noqa: PLC0415 - AppTest runs this function's source alone

    project_page.show()


def opened() -> AppTest:
    return AppTest.from_function(screen, default_timeout=20).run()


def verdicts_in(file: Path) -> dict[str, str]:
    with file.open(encoding="utf-8", newline="") as lines:
        return {
            row["id"]: row["verdict"] for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        }


@pytest.fixture
def files(project: Project, lead: Account, visit_as: VisitAs, clock: Clock) -> list[Path]:
    """Of all posts, of what leads have decided since, of a second import, and of what was decided anew."""
    ready_queue(project, lead, 60)
    score = np.linspace(0, 0.995, 60).astype(np.float32)
    make_champion(project, lead, np.stack([(1 - score) * 0.6, (1 - score) * 0.4, score], axis=1))
    add_policy(project, lead)
    pool = posts_of(project, "pool")
    written = [decide(project, lead).file]
    for post in (*pool[:3], *pool[-5:]):
        resolutions.resolve(project, lead, post, "violation" if post in pool[:3] else "normal")
    clock.move(minutes=1)
    written.append(decide(project, lead, is_new_only=True).file)
    more_posts(project, lead, 61, 20, 0.9)
    clock.move(minutes=1)
    written.append(decide(project, lead).file)
    resolutions.resolve(project, lead, pool[10], "violation")
    more_posts(project, lead, 81, 4, 0.02)
    clock.move(minutes=1)
    written.append(decide(project, lead, is_new_only=True).file)
    clock.move(minutes=1)
    visit_as(lead)
    return written


def test_each_file_counts_its_posts_and_those_new_or_changed(files: list[Path], lead: Account) -> None:
    given: dict[str, str] = {}
    expected = []
    for file in files:
        verdicts = verdicts_in(file)
        new = sum(post not in given for post in verdicts)
        changed = sum(post in given and given[post] != verdict for post, verdict in verdicts.items())
        expected.append([lead.name, str(len(verdicts)), str(new), str(changed), file.name])
        given |= verdicts
    assert [row[2:4] for row in expected] == [["60", "0"], ["0", "8"], ["20", "0"], ["4", "1"]]
    table = [row[1:] for row in rows(plain(opened())) if row[-1].endswith(".tsv")]
    assert table == expected[::-1]


def test_what_is_written_now_is_counted_by_verdict(
    files: list[Path], project: Project, lead: Account
) -> None:
    for post, label in zip(posts_of(project, "pool")[20:26], ["normal", "violation"] * 3, strict=True):
        resolutions.resolve(project, lead, post, label)
    app = opened()
    app.button(key="decide").click().run()
    (file,) = set((project.data / "verdicts").glob("*.tsv")) - set(files)
    counts = Counter(verdicts_in(file).values())
    assert counts.total() > 0
    line = re.search(r"(\d+) posts: (\d+) pass, (\d+) go to people, (\d+) are flagged\.", plain(app))
    assert line is not None
    assert [int(one) for one in line.groups()] == [
        counts.total(),
        *(counts[verdict] for verdict in ("pass", "human", "flag")),
    ]


def test_the_version_in_force_is_the_newest_row_rulings_included(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead)
    for number in range(2):
        guidelines.publish(project, lead, f"rules {number}")
    case = answers.hold_posts(project, ann)[0].post_id
    answers.ask_lead(project, ann, case)
    rulings.settle(project, lead, draft(case))
    with project.database.read() as session:
        versions = session.execute(text("SELECT version FROM guideline")).scalars().all()
    assert len(versions) == len(set(versions)) >= 3
    visit_as(lead)
    assert f"Version {max(versions)} is in force." in plain(opened())
