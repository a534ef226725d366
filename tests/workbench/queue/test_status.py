"""The status of a project says what orders its queue."""

import json

import numpy as np
from typer.testing import CliRunner

from tests.workbench.making import make_champion, posts_of, ready_queue
from workbench.accounts import Account
from workbench.cli import app
from workbench.project import Project
from workbench.queue import swap
from workbench.queue.status import NO_MODEL, SIMPLE_MODEL, read_status
from workbench.scores.round_scores import Scores
from workbench.web.wording.words import ORDER_WORDS


def test_what_orders_the_queue_before_and_after_the_first_round_in_use(
    project: Project, lead: Account
) -> None:
    ready_queue(project, lead, 40)
    assert read_status(project).queue_order == NO_MODEL
    posts = np.array(posts_of(project, "pool"))
    swap.rebuild(project, cold=Scores(posts, np.tile(np.float32([0.4, 0.3, 0.3]), (len(posts), 1))))
    assert read_status(project).queue_order == SIMPLE_MODEL
    make_champion(project, lead, np.tile([0.4, 0.3, 0.3], (40, 1)))
    shown = CliRunner().invoke(app, ["status", "--json", "--home", str(project.home)])
    assert json.loads(shown.output)["queue_order"] == "round 1"


def test_pages_have_words_for_each_order_without_a_round() -> None:
    assert ORDER_WORDS.keys() == {NO_MODEL, SIMPLE_MODEL}
