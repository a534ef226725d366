import json
from collections import namedtuple
from dataclasses import replace
from typing import Any

import pytest

from db.tables import Round
from tests.encoders import make_tiny_encoder
from tests.workbench.making import different_texts, import_texts, write_tsv
from workbench import cli, doctor
from workbench.doctor import EXAMPLE, Workload, examine
from workbench.errors import WorkbenchError
from workbench.imports.preparing import prepare
from workbench.labelling.label_files import import_labels, parse_map
from workbench.locks import WORKER, hold

Usage = namedtuple("Usage", "total used free")

MACHINE = {
    "cores": 2,
    "threads": 1,
    "memory": 8 * 2**30,
    "gpu": None,
    "gpu_memory": None,
    "has_unused_gpu": False,
    "training_precision": "fp32",
    "scoring_precision": "fp32",
}
GPU = MACHINE | {"gpu": "NVIDIA A10", "gpu_memory": 24 * 2**30, "training_precision": "bf16"}
FOUND = {
    "machine": MACHINE,
    "is_base_here": True,
    "problem": None,
    "speed": {"training": 50.0, "scoring": 200.0},
    "estimate": {"epochs": 30, "training_seconds": 3_000.0, "scoring_seconds": 600.0},
}
MISSING = FOUND | {"is_base_here": False, "problem": "x: no such folder", "speed": None, "estimate": None}


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(2 * 10**12, 10**12, 10**12))
    monkeypatch.delenv("WORKBENCH_BASE_MODEL", raising=False)


class Looks:
    """Finds what it was told to, and remembers what it was asked."""

    def __init__(self, found: dict[str, Any] = FOUND) -> None:
        self.found = found
        self.asked: list[tuple[str, Workload]] = []

    def __call__(self, base: str, work: Workload) -> dict[str, Any]:
        self.asked.append((base, work))
        return self.found


def label_posts(project, lead, count):
    texts = different_texts(count)
    import_texts(project, lead, texts)
    prepare(project)
    labels = ("normal", "violation")
    rows = [{"id": f"p{at + 1}", "text": text, "label": labels[at % 2]} for at, text in enumerate(texts)]
    import_labels(project, lead, write_tsv(project.home / "labels.tsv", rows), mapping=parse_map(None))


def run(arguments, monkeypatch, found=FOUND):
    monkeypatch.setattr(doctor, "examine", lambda home, **named: examine(home, look=Looks(found), **named))
    monkeypatch.setattr("sys.argv", ["workbench", "doctor", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_without_a_project_the_workload_is_an_example_with_the_starter(tmp_path):
    look = Looks()
    checkup = examine(tmp_path / "nowhere" / "yet", look=look)
    assert look.asked == [("starter", EXAMPLE)]
    assert checkup.can_run
    assert checkup.worker is None
    assert checkup.problems == ()
    assert not (tmp_path / "nowhere").exists()


def test_a_round_takes_training_and_scoring_and_costs_the_price_of_the_hours(tmp_path):
    found = examine(tmp_path, price=1.5, look=Looks()).round
    assert (found.training_minutes, found.scoring_minutes, found.minutes) == (50, 10, 60)
    assert found.cost == 1.5
    assert examine(tmp_path, look=Looks()).round.cost is None


def test_a_projects_labels_posts_and_base_are_what_is_counted(project, lead):
    label_posts(project, lead, 80)
    (project.home / "workbench.toml").write_text('base_model = "other/base"\n', encoding="utf-8")
    look = Looks()
    examine(project.home, look=look)
    [(base, work)] = look.asked
    assert base == "other/base"
    assert work.posts == 80
    assert 20 <= work.labels <= 80 - work.validation
    assert not work.is_example


def test_a_base_that_is_named_wins(project):
    look = Looks()
    examine(project.home, base="mine", look=look)
    assert look.asked[0][0] == "mine"


def test_a_project_with_too_few_labels_is_told_so_and_gets_the_example(project, lead):
    label_posts(project, lead, 5)
    look = Looks()
    checkup = examine(project.home, look=look)
    assert look.asked[0][1] == EXAMPLE
    assert checkup.can_run
    assert any("needs 20 labelled posts" in problem for problem in checkup.problems)


def test_a_worker_that_does_not_run_is_told(project):
    checkup = examine(project.home, look=Looks())
    assert checkup.worker is False
    assert any("No worker is running" in problem for problem in checkup.problems)


def test_a_round_under_way_makes_the_speeds_doubtful(project, lead):
    with project.database.write() as session:
        session.add(
            Round(
                number=1,
                state="training",
                is_running=True,
                is_quick=True,
                base="starter",
                created_at=project.now(),
                started_by_id=lead.id,
            )
        )
    with hold(project.data / WORKER):
        checkup = examine(project.home, look=Looks())
    assert checkup.worker is True
    assert any("under way" in problem for problem in checkup.problems)


def test_a_missing_base_means_no_round_and_says_how_to_get_one(tmp_path):
    checkup = examine(tmp_path, base="x", look=Looks(MISSING))
    assert not checkup.can_run
    assert checkup.machine == MACHINE
    [problem] = checkup.problems
    assert problem.startswith("x: no such folder")
    assert "HF_ENDPOINT" in problem
    assert "--base-model" in problem


def test_a_base_that_cannot_be_used_means_no_round(tmp_path):
    checkup = examine(tmp_path, look=Looks(MISSING | {"is_base_here": True, "problem": "x: is broken"}))
    assert not checkup.can_run
    assert checkup.problems == ("x: is broken.",)


def test_a_measurement_that_fails_is_a_problem_not_an_end(tmp_path):
    def look(_base, _work):
        raise WorkbenchError("It failed.")

    checkup = examine(tmp_path, look=look)
    assert not checkup.can_run
    assert checkup.problems == ("It failed.",)
    assert ("base encoder", "starter, not looked at") in doctor.rows(checkup)


def test_a_gpu_that_torch_does_not_see_is_told(tmp_path):
    found = FOUND | {"machine": MACHINE | {"has_unused_gpu": True}}
    [problem] = examine(tmp_path, look=Looks(found)).problems
    assert "torch sees no GPU" in problem


def test_a_busy_processor_is_told_where_it_is_what_computes(tmp_path, monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (1.9, 0.0, 0.0))
    [problem] = examine(tmp_path, look=Looks()).problems
    assert "busy (load 1.9)" in problem
    assert examine(tmp_path, look=Looks(FOUND | {"machine": GPU})).problems == ()


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10**12, 10**12, 2**29))
    [problem] = examine(tmp_path, look=Looks()).problems
    assert "Only 0.5 GiB are free" in problem


def test_a_person_reads_machine_speed_time_and_cost(tmp_path):
    said = dict(doctor.rows(examine(tmp_path, price=0.5, look=Looks(FOUND | {"machine": GPU}))))
    assert said["GPU"] == "NVIDIA A10, 24.0 GiB"
    assert said["precision"] == "training bf16, scoring fp32"
    assert said["training"] == "50 posts/s"
    assert said["a round"] == "at most 60 min"
    assert said["cost"] == "at most 0.50"


@pytest.mark.parametrize(("minutes", "said"), [(0.2, "a minute"), (59.1, "60 min"), (150, "2.5 h")])
def test_times_are_rounded_for_a_person(tmp_path, minutes, said):
    checkup = examine(tmp_path, look=Looks())
    checkup = replace(checkup, round=replace(checkup.round, minutes=minutes))
    assert dict(doctor.rows(checkup))["a round"] == f"at most {said}"


def test_the_command_prints_a_table_and_ends_with_0(tmp_path, monkeypatch, capsys):
    assert run(["--home", tmp_path, "--price", 2], monkeypatch) == 0
    said = capsys.readouterr().out
    assert "at most 2.00" in said
    assert "no project here" in said


def test_the_command_ends_with_1_where_no_round_could_run(tmp_path, monkeypatch, capsys):
    assert run(["--home", tmp_path, "--json"], monkeypatch, MISSING) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["can_run"] is False
    assert found["round"] is None
    assert found["machine"] == MACHINE


def test_settings_that_cannot_be_read_are_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "workbench.toml").write_text("base_model = [", encoding="utf-8")
    assert run(["--home", tmp_path], monkeypatch) == 1
    assert "is not valid TOML" in capsys.readouterr().err


def test_the_child_measures(tmp_path):
    base = str(make_tiny_encoder(tmp_path / "tiny"))
    found = doctor.look(base, EXAMPLE, "--seconds", "0.01")
    assert found.keys() == FOUND.keys()
    assert found["machine"].keys() == MACHINE.keys()
    assert found["is_base_here"]
    assert found["speed"].keys() == FOUND["speed"].keys()
    assert found["estimate"].keys() == FOUND["estimate"].keys()


@pytest.mark.parametrize(
    ("deed", "said"), [("exit 1", "standard error says why"), ("kill -9 $$", "signal 9")]
)
def test_a_child_that_ends_badly_is_one_sentence(tmp_path, monkeypatch, deed, said):
    child = tmp_path / "python"
    child.write_text(f"#!/bin/sh\n{deed}\n", encoding="utf-8")
    child.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(child))
    with pytest.raises(WorkbenchError, match=said):
        doctor.look("starter", EXAMPLE)
