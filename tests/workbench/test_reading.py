"""Reads do not take the write lock: each read-only use case answers while another connection holds it."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

import db.session
from db.session import open_database
from db.tables import Annotation
from tests.workbench.making import judge_held_out, make_champion, posts_of
from trainer.statistics.thresholds import Prices
from workbench import accounts
from workbench.accounts import Account
from workbench.assigning.progress import count_by_board, read_team
from workbench.auditing import listing
from workbench.auditing.checking import check_audit
from workbench.errors import InputError
from workbench.exports.labelled_posts import export_labels
from workbench.imports.storing import store_the_rest
from workbench.labelling import answers
from workbench.labelling.timesheet import timesheet
from workbench.overview.figures import read_overview
from workbench.overview.radar import read_radar
from workbench.overview.weeks import read_weeks
from workbench.posts import search
from workbench.posts.history import history_of
from workbench.project import Project, open_project
from workbench.purging.criterion import Criterion
from workbench.purging.purge import purge
from workbench.review import bulk_labels, cases, doubts, resolutions
from workbench.rounds.bundles import bundle
from workbench.rounds.comparison import compare_rounds
from workbench.rounds.merged_export import export_merged
from workbench.thresholds import policy
from workbench.thresholds.verdicts import decide

pytestmark = pytest.mark.usefixtures("writer")

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)
POSTS = 600


@pytest.fixture(scope="module")
def home(blank_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds with scores, thresholds, labels, one of them doubtful, and a post that a lead has resolved."""
    project = open_project(shutil.copytree(blank_home, tmp_path_factory.mktemp("read") / "project"))
    lead = accounts.command_line(project)
    violation, _ = judge_held_out(project, lead, POSTS)
    make_champion(project, lead, np.stack([1 - violation, np.zeros(POSTS), violation], axis=1), number=2)
    policy.save(project, lead, policy.propose(policy.read_evidence(project, lead), Prices(20, 2, 1)))
    resolved = posts_of(project, "pool")[0]
    assert resolved == 1
    resolutions.resolve(project, lead, resolved, "violation")
    for label in ("normal", "violation"):
        unlabelled = bulk_labels.preview(project, lead, search.Filter(label="none"), at_most=20)
        bulk_labels.label_all(project, lead, unlabelled, label)
    doubts.write_doubts(project.round_folder(2), ["p1"], ["normal"], np.array([[0.1, 0.1, 0.8]]))
    project.database.dispose()
    return project.home


@pytest.fixture(scope="module")
def project(home: Path) -> Iterator[Project]:
    opened = open_project(home)
    yield opened
    opened.database.dispose()


@pytest.fixture(scope="module")
def lead(project: Project) -> Account:
    return accounts.command_line(project)


@pytest.fixture
def writer(project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another connection holds the write lock; a request for it fails after 20 ms."""
    other = open_database(Path(str(project.database.engine.url.database)))
    with other.write() as session:
        session.execute(text("SELECT 1"))
        monkeypatch.setattr(db.session, "BUSY_TIMEOUT_MS", 20)
        yield
    other.dispose()


def own_answer(project: Project, lead: Account) -> int:
    with project.database.read() as session:
        query = select(Annotation.id).where(Annotation.person_id == lead.id).limit(1)
        return session.scalars(query).one()


READS: dict[str, Callable[[Project, Account], object]] = {
    "overview": lambda project, lead: read_overview(project, lead, MIDNIGHT),
    "weeks": read_weeks,
    "radar": read_radar,
    "open cases": cases.open_cases,
    "resolved case": lambda project, lead: cases.resolved_case(project, lead, 1),
    "doubts": doubts.doubtful_labels,
    "bulk preview": lambda project, lead: bulk_labels.preview(project, lead, search.Filter(), at_most=5),
    "bulk list": bulk_labels.newest,
    "team": lambda project, lead: read_team(project, lead, MIDNIGHT, MIDNIGHT),
    "boards": count_by_board,
    "timesheet": lambda project, lead: list(timesheet(project, lead, zone=UTC)),
    "near-copies": lambda project, lead: answers.copies_of(project, lead, own_answer(project, lead)),
    "posts": lambda project, lead: search.find(project, lead, search.Filter()),
    "choices of the search": search.choices,
    "post": lambda project, lead: history_of(project, lead, 1),
    "comparison": lambda project, lead: compare_rounds(project, lead, 1, 2),
    "thresholds": policy.read_evidence,
    "audit": lambda project, lead: listing.find(project, lead, listing.Wanted()),
    "check of the audit": check_audit,
    "trial of a purge": lambda project, lead: purge(project, lead, Criterion(post="p1")),
}

RECORDED: dict[str, Callable[[Project, Account, Path], object]] = {
    "labels": export_labels,
    "bundle": bundle,
    "verdicts": lambda project, lead, out: decide(project, lead, out=out),
}

REFUSED: dict[str, tuple[Callable[[Project, Account, Path], object], str]] = {
    "merged export": (
        lambda project, lead, out: export_merged(project, lead, 1, out.parent),
        "already exists",
    ),
    "rest of an import": (lambda project, lead, _out: store_the_rest(project, lead, 1), "None of the rows"),
}


def test_a_use_case_that_writes_waits_for_the_lock(project: Project, lead: Account) -> None:
    with pytest.raises(OperationalError, match="locked"):
        resolutions.take_back(project, lead, 1)


@pytest.mark.parametrize("name", READS)
def test_a_use_case_that_changes_nothing_answers_beside_a_writer(
    name: str, project: Project, lead: Account
) -> None:
    READS[name](project, lead)


@pytest.mark.parametrize("name", RECORDED)
def test_only_the_audit_row_after_a_long_read_waits_for_the_lock(
    name: str, project: Project, lead: Account, tmp_path: Path
) -> None:
    with pytest.raises(OperationalError, match="locked"):
        RECORDED[name](project, lead, tmp_path / "out")
    assert (tmp_path / "out").exists()


@pytest.mark.parametrize("name", REFUSED)
def test_an_impossible_request_is_refused_beside_a_writer(
    name: str, project: Project, lead: Account, tmp_path: Path
) -> None:
    use_case, says = REFUSED[name]
    with pytest.raises(InputError, match=says):
        use_case(project, lead, tmp_path / "out")
