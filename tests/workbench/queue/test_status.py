"""The status of a project says what orders its queue."""

import json

import numpy as np
from typer.testing import CliRunner

from tests.workbench.making import make_champion, order_quickly, ready_queue, undecided
from workbench.accounts import Account
from workbench.cli import app
from workbench.project import Project
from workbench.queue.status import NO_MODEL, SIMPLE_MODEL, read_status
from workbench.web.wording.words import ORDER_WORDS


def test_what_orders_the_queue_before_and_after_the_first_round_in_use(
    project: Project, lead: Account
) -> None:
    ready_queue(project, lead, 40)
    assert read_status(project).queue_order == NO_MODEL
    assert read_status(project).quick_labels is None
    order_quickly(project, undecided, labels=23)
    assert read_status(project).queue_order == SIMPLE_MODEL
    assert read_status(project).quick_labels == 23
    make_champion(project, lead, np.tile([0.4, 0.3, 0.3], (40, 1)))
    shown = CliRunner().invoke(app, ["status", "--json", "--home", str(project.home)])
    assert json.loads(shown.output)["queue_order"] == "round 1"
    order_quickly(project, undecided, labels=30)
    assert read_status(project).queue_order == f"round 1 and {SIMPLE_MODEL}"


def test_pages_have_words_for_each_order_without_a_round() -> None:
    assert ORDER_WORDS.keys() == {NO_MODEL, SIMPLE_MODEL}
