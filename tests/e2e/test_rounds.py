"""A lead's rounds in a real browser with a real worker: start, cancel, promote, compare, roll back, export."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from db.tables import Promotion, QueueState, Round
from tests.e2e.conftest import IDLE, Server, SignIn, child, stop
from tests.e2e.test_browser import label_toy_posts
from tests.encoders import make_tiny_encoder
from tests.trainer.toy import toy_examples, write_examples
from tests.workbench.making import make_champion
from tests.workbench.team import member
from tests.workbench.web.views.rounds.test_page import METRICS
from trainer.config import TrainConfig
from trainer.messages import Message
from trainer.running.progress import Silent
from trainer.train import train
from workbench.project import Project, init_project
from workbench.rounds import lifecycle
from workbench.services import worker_command

pytestmark = pytest.mark.browser

POSTS = 150
VERDICT = {
    "decision": "ask",
    "outcome": "undecided",
    "reasons": [Message("no test rows: nothing could be measured").to_dict()],
    "warnings": [],
}


def two_rounds(home: Path, folder: Path) -> Project:
    """Round 1 is in use, round 2 awaits a decision; both hold one tiny adapter."""
    base = make_tiny_encoder(folder / "encoder")
    project = init_project(home, base_model=str(base))
    label_toy_posts(project)
    config = TrainConfig(base=str(base), max_epochs=1, min_steps=1, max_length=32, calibration_folds=0)
    rows = [write_examples(folder / f"{size}.jsonl", toy_examples(size, size)) for size in (60, 30)]
    train(rows[0], rows[1], folder / "adapter", config, Silent())
    for number in (1, 2):
        shutil.copytree(folder / "adapter", project.round_folder(number))
    lead = member(project, "林", "lead")
    make_champion(project, lead, np.array([[0.5, 0.3, 0.2]] * POSTS))
    report = {"metrics": METRICS, "linear": {"macro_f1": 0.5}, "card": {}, "test_sha256": "a"}
    waiting = {"state": "awaiting", "is_running": False, "is_quick": True, "base": str(base)}
    now = project.now()
    with project.database.write() as session:
        session.get_one(Round, 1).report = report
        session.add(Promotion(round_number=1, is_rollback=False, person_id=lead.id, promoted_at=now))
        session.add(
            Round(number=2, created_at=now, started_by_id=lead.id, report=report, verdict=VERDICT, **waiting)
        )
    return project


def queue_of(project: Project) -> int | None:
    with project.database.read() as session:
        return session.get_one(QueueState, 1).round_number


def test_a_candidate_is_put_in_use_compared_and_rolled_back(
    home: Path, tmp_path: Path, serve: Server, sign_in: SignIn
) -> None:
    project = two_rounds(home, tmp_path)
    with child(worker_command(home)) as worker:
        try:
            page = sign_in(serve(project), name="林", role="lead")
            page.click("text=Rounds")
            expect(page.locator(".title")).to_contain_text("In use: round 1")
            page.fill(".st-key-reason-2 input", "caught more adverts")
            page.click(".st-key-promote-2 button")
            expect(page.locator(".title")).to_contain_text("In use: round 2", timeout=60_000)
            assert queue_of(project) == 2
            expect(page.locator(".st-key-opened-2")).to_contain_text("caught more adverts")
            page.wait_for_selector(IDLE)
            for number in (1, 2):
                page.click(f".st-key-compared button:has-text('Round {number}')")
                page.wait_for_selector(IDLE)
            expect(page.locator(".stMain")).to_contain_text(f"of {POSTS} posts changed their verdict.")
            page.click(".st-key-open-1 button")
            page.click(".st-key-roll-back button")
            expect(page.locator(".title")).to_contain_text("In use: round 1", timeout=60_000)
            assert queue_of(project) == 1
        finally:
            stop(worker)
    project.database.dispose()


def test_a_round_is_started_cancelled_and_labels_are_taken_away(
    home: Path, tmp_path: Path, serve: Server, sign_in: SignIn
) -> None:
    project = init_project(home)
    label_toy_posts(project)
    page = sign_in(serve(project), name="林", role="lead")
    page.click("text=Rounds")
    page.click(".st-key-start-options summary")
    expect(page.locator(".stMain")).to_contain_text("it learns from")
    page.click("text=Start a round")
    expect(page.locator(".stepper")).to_be_visible()
    expect(page.locator(".run").filter(has_text="waiting for the worker")).to_be_visible()
    with project.database.read() as session:
        assert lifecycle.find(session, 1).is_running
    page.click(".st-key-cancel-1 button")
    expect(page.locator(".run").filter(has_text="cancelled")).to_be_visible()
    page.click(".st-key-exports summary")
    page.click("[data-testid=stFormSubmitButton] button:has-text('Export')")
    with page.expect_download() as download:
        page.click("a:has-text('labels.jsonl')")
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["label"] for line in lines} == {"normal", "suspicious", "violation"}
    project.database.dispose()
