import json
import shlex
import subprocess
from collections import namedtuple
from dataclasses import replace
from typing import Any

import pytest

from tests.encoders import make_tiny_encoder
from tests.workbench.making import add_round, different_texts, import_texts, write_tsv
from trainer.messages import Message
from workbench import cli, doctor
from workbench.audit import head_of
from workbench.commands.wording.checkup import rows
from workbench.commands.wording.language import told
from workbench.doctor import EXAMPLE, Workload, examine
from workbench.errors import WorkbenchError
from workbench.imports.preparing import prepare
from workbench.labelling.files.mapping import parse_map
from workbench.labelling.label_files import import_labels
from workbench.locks import WORKER, hold
from workbench.web.wording.i18n import speaking

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
OBSERVATION = {
    "machine": MACHINE,
    "is_base_here": True,
    "problem": None,
    "speed": {"training": 50.0, "scoring": 200.0},
    "estimate": {"epochs": 30, "training_seconds": 3_000.0, "scoring_seconds": 600.0},
}
MISSING = OBSERVATION | {
    "is_base_here": False,
    "problem": Message("{name}: no such folder; see above", name="x").to_dict(),
    "speed": None,
    "estimate": None,
}


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(2 * 10**12, 10**12, 10**12))
    monkeypatch.delenv("WORKBENCH_BASE_MODEL", raising=False)


class Looks:
    def __init__(self, observation: dict[str, Any] = OBSERVATION) -> None:
        self.observation = observation
        self.asked: list[tuple[str, Workload]] = []

    def __call__(self, base: str, work: Workload) -> dict[str, Any]:
        self.asked.append((base, work))
        return self.observation


def label_posts(project, lead, count, *, is_prepared=True):
    texts = different_texts(count)
    import_texts(project, lead, texts)
    if is_prepared:
        prepare(project)
    labels = ("normal", "violation")
    rows = [{"id": f"p{at + 1}", "text": text, "label": labels[at % 2]} for at, text in enumerate(texts)]
    import_labels(project, lead, write_tsv(project.home / "labels.tsv", rows), mapping=parse_map(None))


def run(arguments, monkeypatch, observation=OBSERVATION):
    monkeypatch.setattr(
        doctor, "examine", lambda home, **named: examine(home, look=Looks(observation), **named)
    )
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
    estimate = examine(tmp_path, price=1.5, look=Looks()).round
    assert (estimate.training_minutes, estimate.scoring_minutes, estimate.minutes) == (50, 10, 60)
    assert estimate.cost == 1.5
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
    assert any("needs 20 labelled posts" in str(problem) for problem in checkup.problems)


def test_labels_of_posts_that_are_not_prepared_yet_count_as_for_a_round(project, lead):
    label_posts(project, lead, 30, is_prepared=False)
    look = Looks()
    checkup = examine(project.home, look=look)
    assert look.asked[0][1].labels == 30
    assert not any("labelled posts" in str(problem) for problem in checkup.problems)


def test_a_worker_that_does_not_run_is_told(project):
    checkup = examine(project.home, look=Looks())
    assert checkup.worker is False
    assert any("No worker is running" in str(problem) for problem in checkup.problems)


def test_a_round_under_way_makes_the_speeds_doubtful(project, lead):
    add_round(project, lead, state="training", is_running=True)
    with hold(project.data / WORKER):
        checkup = examine(project.home, look=Looks())
    assert checkup.worker is True
    assert any("under way" in str(problem) for problem in checkup.problems)


def test_the_audit_is_verified_and_a_break_is_a_problem(project, lead):
    (row,) = [value for name, value in rows(examine(project.home, look=Looks())) if name == "audit"]
    assert row == f"intact up to {head_of(project)}"
    with project.database.write() as session:
        session.connection().exec_driver_sql("DROP TRIGGER audit_entry_no_update")
        session.connection().exec_driver_sql("UPDATE audit_entry SET subject = 'x' WHERE id = 1")
    checkup = examine(project.home, look=Looks())
    assert checkup.audit == "0:0000000000000000"
    assert any(str(problem).startswith("Entry 1 of the audit does not match") for problem in checkup.problems)


def test_a_missing_base_means_no_round_and_says_how_to_get_one(tmp_path):
    checkup = examine(tmp_path, base="x", look=Looks(MISSING))
    assert not checkup.can_run
    assert checkup.machine == MACHINE
    [problem] = map(str, checkup.problems)
    assert problem.startswith("x: no such folder")
    assert "HF_ENDPOINT" in problem
    assert "--base-model" in problem


def test_a_base_that_cannot_be_used_means_no_round(tmp_path):
    checkup = examine(
        tmp_path,
        look=Looks(
            MISSING | {"is_base_here": True, "problem": Message("{name}: is broken", name="x").to_dict()}
        ),
    )
    assert not checkup.can_run
    assert [*map(str, checkup.problems)] == ["x: is broken."]


def test_a_measurement_that_fails_is_a_problem_not_an_end(tmp_path):
    def look(_base, _work):
        raise WorkbenchError("It failed.")

    checkup = examine(tmp_path, look=look)
    assert not checkup.can_run
    assert checkup.problems == (Message("It failed."),)
    assert ("base encoder", "starter, not looked at") in rows(checkup)


def test_a_gpu_that_torch_does_not_see_is_told(tmp_path):
    observation = OBSERVATION | {"machine": MACHINE | {"has_unused_gpu": True}}
    [problem] = map(str, examine(tmp_path, look=Looks(observation)).problems)
    assert "torch sees no GPU" in problem


def test_a_busy_processor_is_told_where_it_is_what_computes(tmp_path, monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (1.9, 0.0, 0.0))
    [problem] = map(str, examine(tmp_path, look=Looks()).problems)
    assert "busy (load 1.9)" in problem
    assert examine(tmp_path, look=Looks(OBSERVATION | {"machine": GPU})).problems == ()


def test_the_lines_are_told_in_chinese(tmp_path):
    checkup = examine(tmp_path, price=0.5, look=Looks(MISSING | {"machine": GPU}))
    with speaking("zh"):
        lines, problems = rows(checkup), [told(problem) for problem in checkup.problems]
    assert dict(lines)["处理器"] == "2 核，内存 8.0 GiB"
    assert dict(lines)["基础编码器"] == "starter，不在本机"
    assert problems[0].endswith("（可用 HF_ENDPOINT 指定镜像站，用 --base-model 指定编码器的文件夹）。")


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10**12, 10**12, 2**29))
    [problem] = map(str, examine(tmp_path, look=Looks()).problems)
    assert "Only 0.5 GiB are free" in problem


def test_a_person_reads_machine_speed_time_and_cost(tmp_path):
    lines = dict(rows(examine(tmp_path, price=0.5, look=Looks(OBSERVATION | {"machine": GPU}))))
    assert lines["GPU"] == "NVIDIA A10, 24.0 GiB"
    assert lines["precision"] == "training bf16, scoring fp32"
    assert lines["training"] == "50 posts/s"
    assert lines["a round"] == "at most 60 min"
    assert lines["cost"] == "at most 0.50"


@pytest.mark.parametrize(("minutes", "rounded"), [(0.2, "a minute"), (59.1, "60 min"), (150, "2.5 h")])
def test_times_are_rounded_for_a_person(tmp_path, minutes, rounded):
    checkup = examine(tmp_path, look=Looks())
    checkup = replace(checkup, round=replace(checkup.round, minutes=minutes))
    assert dict(rows(checkup))["a round"] == f"at most {rounded}"


def test_the_command_prints_a_table_and_ends_with_0(tmp_path, monkeypatch, capsys):
    assert run(["--home", tmp_path, "--price", 2], monkeypatch) == 0
    output = capsys.readouterr().out
    assert "at most 2.00" in output
    assert "no project here" in output


def test_the_command_ends_with_1_where_no_round_could_run(tmp_path, monkeypatch, capsys):
    assert run(["--home", tmp_path, "--json"], monkeypatch, MISSING) == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["can_run"] is False
    assert printed["round"] is None
    assert printed["machine"] == MACHINE


def test_settings_that_cannot_be_read_are_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "workbench.toml").write_text("base_model = [", encoding="utf-8")
    assert run(["--home", tmp_path], monkeypatch) == 1
    assert "is not valid TOML" in capsys.readouterr().err


@pytest.mark.ci
def test_the_child_measures(tmp_path):
    base = str(make_tiny_encoder(tmp_path / "tiny"))
    observation = doctor.look(base, EXAMPLE, "--seconds", "0.01")
    assert observation.keys() == OBSERVATION.keys()
    assert observation["machine"].keys() == MACHINE.keys()
    assert observation["is_base_here"]
    assert observation["speed"].keys() == OBSERVATION["speed"].keys()
    assert observation["estimate"].keys() == OBSERVATION["estimate"].keys()


@pytest.mark.parametrize(
    ("deed", "message"), [("exit 1", "standard error says why"), ("kill -9 $$", "signal 9")]
)
def test_a_child_that_ends_badly_is_one_sentence(tmp_path, monkeypatch, deed, message):
    child = tmp_path / "python"
    child.write_text(f"#!/bin/sh\n{deed}\n", encoding="utf-8")
    child.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(child))
    with pytest.raises(WorkbenchError, match=message):
        doctor.look("starter", EXAMPLE)


def test_a_project_that_other_users_can_open_is_named_with_the_command_that_closes_it(project):
    def privacy_problems() -> list[str]:
        return [
            text for text in map(str, examine(project.home, look=Looks()).problems) if "Other users" in text
        ]

    project.home.chmod(0o755)
    assert privacy_problems() == []
    for name in ("data", "workbench.toml"):
        (project.home / name).chmod(0o755)
    (problem,) = privacy_problems()
    command = problem.partition("Close it: ")[2]
    assert command == f"chmod -R go= {project.home}/data {project.home}/workbench.toml"
    subprocess.run(shlex.split(command), check=True)
    assert privacy_problems() == []
    (project.home / "data").chmod(0o755)
    project.home.chmod(0o700)
    assert privacy_problems() == []
