"""The Rounds screen: leads act, everyone else reads."""

import json
import re
from html import unescape
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from db.tables import Champion, Promotion, QueueState, Round
from tests.workbench.making import make_champion, order_quickly, ready_queue, undecided
from tests.workbench.web.conftest import VisitAs
from trainer.labels import LABELS
from trainer.messages import Message
from workbench.accounts import Account
from workbench.exports.left_out import LeftOut
from workbench.labelling import answers
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.web.views.rounds.history import MOST_SHOWN
from workbench.web.views.rounds.running import steps_html

CONFUSION = {true: dict.fromkeys(LABELS, 5.0) for true in LABELS}
PER_LABEL = {label: {"precision": 0.5, "recall": 0.75, "f1": 0.6, "support": 15} for label in LABELS}
METRICS = {
    "n": 45,
    "macro_f1": 0.61,
    "macro_f1_interval": [0.5, 0.7],
    "ece": 0.08,
    "per_label": PER_LABEL,
    "confusion": CONFUSION,
}
HOSTILE = "<b>![x](http://e)</b>"


def screen() -> None:
    from workbench.web.views.rounds import page  # noqa: PLC0415 - AppTest runs this function's source alone

    page.show()


def open_screen() -> AppTest:
    app = AppTest.from_function(screen, default_timeout=10).run()
    assert not app.exception
    return app


def html_of(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def shown(app: AppTest) -> str:
    return unescape(html_of(app))


def press(app: AppTest, key: str) -> None:
    next(button for button in app.button if button.key == key).click().run()
    assert not app.exception


def add_round(project: Project, lead: Account, number: int, state: str, **values: Any) -> None:
    row = {
        "number": number,
        "state": state,
        "is_running": False,
        "is_quick": False,
        "base": "starter",
        "notes": Message.verbatim(HOSTILE).to_dict(),
        "created_at": project.now(),
        "finished_at": project.now(),
        "started_by_id": lead.id,
        "report": {
            "metrics": METRICS,
            "linear": {"macro_f1": 0.5},
            "card": {"data": {"train": {"rows": 80}}},
        },
    }
    with project.database.write() as session:
        session.add(Round(**(row | values)))


def put_in_use(project: Project, lead: Account, number: int, previous: int | None) -> None:
    with project.database.write() as session:
        session.merge(Champion(id=1, round_number=number, since=project.now()))
        session.add(
            Promotion(
                round_number=number,
                previous_number=previous,
                is_rollback=False,
                person_id=lead.id,
                promoted_at=project.now(),
            )
        )


def state_of(project: Project, number: int) -> str:
    with project.database.read() as session:
        return lifecycle.find(session, number).state


@pytest.fixture
def used(project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Round 2 is in use, round 1 was in use, round 3 awaits a decision."""
    monkeypatch.setattr("workbench.web.views.rounds.page.read_status", status_of)
    add_round(project, lead, 1, "promoted")
    add_round(project, lead, 2, "promoted")
    verdict = {
        "decision": "ask",
        "outcome": "undecided",
        "reasons": [Message("no text").to_dict()],
        "warnings": [Message(HOSTILE).to_dict()],
    }
    add_round(project, lead, 3, "awaiting", verdict=verdict)
    put_in_use(project, lead, 1, None)
    put_in_use(project, lead, 2, 1)
    return project


def status_of(_project: Project) -> SimpleNamespace:
    """Without score files the band cannot be counted, so the page asks only for labels and the worker."""
    band = dict.fromkeys(("in_band", "below_band", "widened", "left_out"), 0)
    return SimpleNamespace(
        posts=3,
        labels={"pool": {"normal": 3}},
        not_used=LeftOut(),
        worker=False,
        partly_scored=None,
        queue_order="typical and random posts",
        quick_labels=None,
        **band,
    )


def test_a_round_with_too_few_labels_is_refused_in_one_line(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    app = open_screen()
    press(app, "FormSubmitter:start-Start a round")
    assert "A round needs at least 20 labelled posts" in shown(app)


def test_a_started_round_is_watched_and_can_be_cancelled(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 60)
    for number in range(40):
        card = answers.hold_posts(project, lead)[0]
        answers.submit(project, lead, card.post_id, "normal" if number % 2 else "violation")
    visit_as(lead)
    app = open_screen()
    press(app, "FormSubmitter:start-Start a round")
    assert '<ol class="stepper">' in html_of(app)
    assert "Waiting for the worker." in shown(app)
    assert "No worker is running" in shown(app)
    press(app, "cancel-1")
    assert state_of(project, 1) == "cancelled"
    assert row_of(app, 1)[0] == "cancelled trial"


def test_what_is_in_use_and_what_was_stand_in_the_table(
    used: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    app = open_screen()
    assert "In use: round 2" in shown(app)
    assert [row_of(app, number)[0] for number in (3, 2, 1)] == [
        "waiting for a decision",
        "in use",
        "was in use",
    ]
    assert row_of(app, 2)[1:4] == ["80", "75%", "50%"]
    open_round(app, 2)
    assert "0.61 [0.50–0.70]" in shown(app)


def test_a_click_opens_a_round_and_another_closes_it(used: Project, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app = open_screen()
    assert "reason-3" in {field.key for field in app.text_input}  # it waits for a decision
    open_round(app, 1)
    assert {"reason-1"} == {field.key for field in app.text_input if field.key.startswith("reason-")}
    open_round(app, 1)
    assert "people ↓  model →" not in shown(app)


def test_the_newest_rounds_are_shown_and_the_others_counted(
    used: Project, lead: Account, visit_as: VisitAs
) -> None:
    for number in range(4, MOST_SHOWN + 3):
        add_round(used, lead, number, "cancelled", report=None)
    visit_as(lead)
    app = open_screen()
    assert len(rows_of(app)) == MOST_SHOWN
    assert "Older rounds, listed by `workbench round list`: 2" in shown(app)


def test_figures_from_too_few_posts_are_not_shown(used: Project, lead: Account, visit_as: VisitAs) -> None:
    perfect = METRICS | {"n": 29, "macro_f1": 1.0, "macro_f1_interval": [1.0, 1.0]}
    perfect["per_label"] = {
        label: one | {"recall": 1.0, "precision": 1.0} for label, one in PER_LABEL.items()
    }
    add_round(used, lead, 4, "promoted", report={"metrics": perfect, "card": {}})
    put_in_use(used, lead, 4, 2)
    visit_as(lead)
    app = open_screen()
    assert row_of(app, 4)[2:4] == ["too few posts", "too few posts"]
    open_round(app, 4)
    assert "100%" not in shown(app)
    assert "1.00" not in shown(app)
    assert "29, 15 violations among them · too few posts" in shown(app)


def rows_of(app: AppTest) -> list[str]:
    """The HTML of the rounds in the table, in its order."""
    return [body for element in app.get("html") if 'class="run' in (body := element.proto.body)][1:]


def cells_of(row: str) -> list[str]:
    cells = re.findall(r"<small>.*?</small>(.*?)</span>(?=<span|</div>)", unescape(row))
    return [re.sub("<[^>]*>", "", cell) for cell in cells]


def row_of(app: AppTest, number: int) -> list[str]:
    """The cells of a round: state, labels, caught, right, took, who, started."""
    numbers = [button.key for button in app.button if button.key.startswith("open-")]
    return cells_of(rows_of(app)[numbers.index(f"open-{number}")])


def open_round(app: AppTest, number: int) -> None:
    press(app, f"open-{number}")


def write_progress(project: Project, number: int, state: str, **line: float) -> None:
    file = lifecycle.progress_file(project, number, state)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(line) + "\n", encoding="utf-8")


RUNNING = {"state": "training", "is_running": True, "finished_at": None, "report": None, "is_quick": True}


def test_a_running_round_stands_in_the_table_with_its_step_progress_and_time_left(
    used: Project, ann: Account, lead: Account, visit_as: VisitAs
) -> None:
    add_round(used, lead, 4, **RUNNING)
    write_progress(used, 4, "training", step=30, steps=120, seconds_left=95)
    visit_as(ann)
    app = open_screen()
    assert row_of(app, 4)[0] == "training trial 25% · about 01:35 left"
    assert [button.key for button in app.button] == ["open-4", "open-3", "open-2", "open-1"]


def test_a_round_whose_step_counts_nothing_stands_in_the_table_by_its_step(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    add_round(project, lead, 1, **RUNNING | {"state": "queued"})
    visit_as(lead, language="zh")
    assert row_of(open_screen(), 1)[0] == "等待后台进程 试跑"


def trust_line(
    project: Project, lead: Account, metrics: dict[str, Any], calibration: dict[str, Any] | None
) -> str:
    card = {"data": {"train": {"rows": 80}}} | ({} if calibration is None else {"calibration": calibration})
    add_round(project, lead, 4, "promoted", report={"metrics": METRICS | metrics, "card": card})
    put_in_use(project, lead, 4, 2)
    lines = [element.proto.body for element in open_screen().get("html") if "trust" in element.proto.body]
    return unescape(lines[0])


STEADY = {"n": 1200, "ece": 0.038, "intervals": {"ece": [0.029, 0.058]}}


@pytest.mark.parametrize(
    ("metrics", "calibration", "sentence"),
    [
        (
            STEADY,
            {"fitted_on": "validation", "rows": 300},
            "when the model says 70%, it is typically right 66 to 74 times in 100. Off by 3.8 points on average "
            "(95% interval 2.9 to 5.8), on 1,200 test posts. Calibrated on 300 validation posts.<",
        ),
        (
            STEADY,
            {"fitted_on": "validation", "rows": 149},
            "Calibrated on 149 validation posts only, so it is rough.<",
        ),
        (
            STEADY,
            {"fitted_on": "out-of-fold", "rows": 1400},
            "Calibrated on 1,400 posts, training posts among them, so it is rough until 150 validation posts have",
        ),
        (STEADY, {"fitted_on": "nothing", "rows": 0}, "It is not calibrated: take it as an order of posts"),
        (STEADY | {"n": 60}, None, "So few test posts make an error of about 10 points by chance alone.<"),
        (STEADY | {"n": 300}, None, "on 300 test posts.<"),
        ({"n": 300, "ece": 0.4}, None, "it is typically right 30 to 100 times in 100.<"),
        (
            {"n": 300, "ece": 0.4, "intervals": {"ece": [None, None]}},
            {"temperature": 1.0},
            "it is typically right 30 to 100 times in 100.<",
        ),
    ],
)
def test_the_page_says_how_far_to_trust_the_certainty(
    used: Project,
    lead: Account,
    visit_as: VisitAs,
    metrics: dict[str, Any],
    calibration: dict[str, Any] | None,
    sentence: str,
) -> None:
    visit_as(lead)
    assert sentence in trust_line(used, lead, metrics, calibration)


def test_how_far_to_trust_the_certainty_is_said_in_chinese_too(
    used: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead, language="zh")
    line = trust_line(used, lead, STEADY | {"n": 60}, {"fitted_on": "out-of-fold", "rows": 140})
    assert "模型说有 70% 的把握时，100 次里通常对 66 到 74 次。" in line
    assert "用 140 条帖子校准" in line
    assert "约 10 个百分点" in line


def test_a_round_that_could_not_be_measured_says_nothing_of_its_certainty(
    used: Project, lead: Account, visit_as: VisitAs
) -> None:
    add_round(used, lead, 4, "promoted", report={"metrics": None, "card": {}})
    put_in_use(used, lead, 4, 2)
    visit_as(lead)
    app = open_screen()
    assert "could not be measured" in shown(app)
    assert "Certainty" not in shown(app)


def test_a_lead_decides_with_a_reason(used: Project, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app = open_screen()
    assert "Compared with the one in use: can't tell yet." in shown(app)
    next(field for field in app.text_input if field.key == "reason-3").set_value("not yet")
    press(app, "reject-3")
    assert state_of(used, 3) == "rejected"
    assert "not yet" in shown(app)


def test_a_lead_puts_a_round_in_use(used: Project, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app = open_screen()
    press(app, "promote-3")
    assert state_of(used, 3) == "scoring"
    assert '<ol class="stepper">' in html_of(app)


@pytest.mark.parametrize(("number", "before"), [(6, "promoted"), (4, "rejected"), (5, "failed")])
def test_a_lead_puts_any_measured_round_in_use_with_a_reason(
    used: Project, lead: Account, visit_as: VisitAs, number: int, before: str
) -> None:
    add_round(used, lead, 4, "rejected", decision_reason=Message.verbatim("worse").to_dict())
    add_round(used, lead, 5, "failed", failure=Message.verbatim("disk full").to_dict())
    add_round(used, lead, 6, "promoted")
    visit_as(lead)
    app = open_screen()
    open_round(app, number)
    press(app, f"promote-{number}")
    assert "write why" in shown(app)
    assert state_of(used, number) == before
    next(field for field in app.text_input if field.key == f"reason-{number}").set_value(HOSTILE)
    press(app, f"promote-{number}")
    assert state_of(used, number) == "scoring"
    assert HOSTILE in shown(app)
    assert HOSTILE not in html_of(app)


def test_neither_the_round_in_use_nor_one_without_an_adapter_is_offered(
    used: Project, lead: Account, visit_as: VisitAs
) -> None:
    add_round(used, lead, 4, "failed", report=None)
    visit_as(lead)
    app = open_screen()
    assert "promote-3" in {button.key for button in app.button}
    for number, offered in ((1, {"roll-back"}), (2, set()), (4, set())):
        open_round(app, number)
        keys = {button.key for button in app.button}
        assert keys & {f"promote-{number}", "roll-back"} == offered


def test_while_no_round_is_in_use_the_page_says_what_orders_the_queue(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 30)
    visit_as(lead)
    assert "typical and random posts are served" in shown(open_screen())
    order_quickly(project, undecided, labels=24)
    assert "Ordered by a simple model learned from 24 labels until a round is good enough." in shown(
        open_screen()
    )


def test_between_rounds_the_page_says_that_a_simple_model_orders_the_queue_too(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 30)
    make_champion(project, lead, np.full((30, 3), 1 / 3))
    visit_as(lead)
    assert "a simple model" not in shown(open_screen())
    order_quickly(project, undecided, labels=24)
    assert "a simple model learned from 24 labels helps to order the queue" in shown(open_screen())


def test_a_lead_rolls_back(used: Project, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app = open_screen()
    open_round(app, 1)
    next(field for field in app.text_input if field.key == "reason-1").set_value("missed adverts")
    press(app, "roll-back")
    assert state_of(used, 1) == "scoring"
    assert "missed adverts" in shown(app)
    with used.database.read() as session:
        assert lifecycle.find(session, 1).is_rolling_back


def test_an_annotator_looks_and_finds_no_buttons(used: Project, ann: Account, visit_as: VisitAs) -> None:
    visit_as(ann)
    app = open_screen()
    assert "In use: round 2" in shown(app)
    assert [button.key for button in app.button] == ["open-3", "open-2", "open-1"]
    open_round(app, 3)
    open_round(app, 2)
    assert [button.key for button in app.button] == ["open-3", "open-2", "open-1"]


def test_what_people_wrote_is_escaped(used: Project, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app = open_screen()
    assert HOSTILE in shown(app)
    assert HOSTILE not in html_of(app)
    assert not any("http://e" in element.value for element in app.markdown)


def test_the_steps_show_what_is_done_now_and_to_come() -> None:
    html = steps_html("training")
    kinds = re.findall('<li class="(.*?)"', html)
    assert kinds == ["done", "now", *["later"] * 4]
    assert html.count('aria-current="step"') == 1
    assert re.findall('<li class="(.*?)"', steps_html("queued")) == ["later"] * 6


@pytest.mark.parametrize(
    ("band", "sentence"),
    [
        ((3, 2, 0, 0), None),
        ((3, 2, 40, 0), "unsure about 5 posts only, so the next 40"),
        ((0, 0, 40, 0), "unsure about none of the posts left, so the 40"),
        ((9, 0, 0, 4), "unsure about 9 posts; the queue holds those it is least sure of, 4 wait"),
    ],
)
def test_a_queue_that_is_not_the_band_is_explained(
    project: Project,
    lead: Account,
    visit_as: VisitAs,
    band: tuple[int, int, int, int],
    sentence: str | None,
) -> None:
    ready_queue(project, lead, 4)
    with project.database.write() as session:
        state = session.get_one(QueueState, 1)
        state.in_band, state.below_band, state.widened, state.left_out = band
    visit_as(lead)
    text = shown(open_screen())
    assert ("The model is unsure" in text) == (sentence is not None)
    assert sentence is None or sentence in text


def test_a_rollback_leads_where_its_button_said_or_nowhere(
    used: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    app = open_screen()
    open_round(app, 1)
    add_round(used, lead, 4, "promoted")
    put_in_use(used, lead, 4, 2)
    press(app, "roll-back")
    assert "rolling back would lead to round 2, not to round 1" in shown(app)
    assert [state_of(used, number) for number in (1, 2)] == ["promoted", "promoted"]


def test_a_round_another_lead_has_rejected_is_not_put_in_use(
    used: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    app = open_screen()
    lifecycle.reject(used, lead, 3, "misses adverts")
    press(app, "promote-3")
    assert "Round 3 awaits no decision: it is not used." in shown(app)
    assert state_of(used, 3) == "rejected"
