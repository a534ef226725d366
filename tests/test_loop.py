"""The whole loop on the command line: TSV in, labels in, a round, everything scored, JSONL out."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.encoders import make_tiny_encoder
from tests.workbench.making import write_tsv
from tests.workbench.working import fake_worker_of, running, wait_until, worker_of
from workbench.project import Project
from workbench.queue.status import read_status
from workbench.rounds import lifecycle

WORDS = {"normal": "今天天气好", "suspicious": "有人在吗呵呵", "violation": "加微信低价代开"}
TIMEOUT_SECONDS = 300
COUNT = 200


class Shell:
    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "workbench.cli", *map(str, arguments)],
            env=os.environ | {"WORKBENCH_HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    def ask(self, *arguments: object) -> dict[str, Any]:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


@pytest.fixture
def rows() -> list[dict[str, str]]:
    rng = random.Random(5)
    labels = [rng.choices(list(WORDS), [6, 2, 2])[0] for _ in range(COUNT)]
    noise = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=14)) for _ in range(COUNT)]
    return [
        {"id": f"p{number}", "text": f"{noise[number]}{WORDS[label]}", "board": "闲聊", "label": label}
        for number, label in enumerate(labels)
    ]


def columns(rows: list[dict[str, str]], *names: str) -> list[dict[str, str]]:
    return [{name: row[name] for name in names} for row in rows]


@pytest.mark.long
@pytest.mark.parametrize(
    ("command_of", "states", "reason"),
    [
        # Without a model there is evidence for the first round, and no difference between the two.
        pytest.param(fake_worker_of, ("promoted", "awaiting"), "alike", id="without-a-model"),
        # The test posts are too few for the gate.
        pytest.param(worker_of, ("awaiting",), "test posts", id="real", marks=pytest.mark.ci),
    ],
)
def test_from_a_tsv_to_a_promoted_adapter_and_back_to_the_queue(
    tmp_path: Path,
    rows: list[dict[str, str]],
    open_home: Callable[[Path], Project],
    command_of: Callable[[Project], list[str]],
    states: Sequence[str],
    reason: str,
) -> None:
    encoder = make_tiny_encoder(tmp_path / "encoder", [row["text"] for row in rows])
    shell = Shell(tmp_path / "project")
    assert shell.run("init", "--base-model", encoder).returncode == 0
    old, new = rows[:160], rows[160:]

    posts = write_tsv(tmp_path / "posts.tsv", columns(old, "id", "text", "board"))
    imported = shell.ask("import", posts)
    assert (imported["accepted"], imported["duplicates"], imported["rejected"]) == (160, 0, 0)
    labels = write_tsv(tmp_path / "labels.tsv", columns(old[:120], "id", "label"))
    assert shell.ask("import-labels", labels)["labelled"] == 120

    project = open_home(shell.home)
    with running(command_of(project)) as process:
        wait_until(lambda: lifecycle.is_worker_running(project), "the worker")
        for state in states:
            shown = shell.ask("round", "start", "--quick", "--wait")
            assert (shown["state"], shown["promoted"]) == (state, state == "promoted")
        assert reason in shown["verdict"]["reasons"][0]
        assert shell.run("round", "promote", shown["number"], "--reason", "a start", "--wait").returncode == 0
        shown = shell.ask("round", "show", shown["number"])
        assert shown["decision_reason"] == "a start"
        assert (shown["state"], shown["promoted"], shown["scored"]["n"]) == ("promoted", True, 160)
        assert shown["train"]["n"] + 40 <= 160

        status = shell.ask("status")
        assert (status["posts"], status["labelled"], status["unlabelled"]) == (160, 120, 40)
        assert status["champion"] == shown["number"]
        assert status["queued"] == 40

        # New posts are grouped, scored by the adapter in use and queued without a command.
        later = write_tsv(tmp_path / "later.tsv", columns(new, "id", "text", "board"))
        assert shell.ask("import", later)["accepted"] == 40
        wait_until(lambda: read_status(project).queued == 80, "the new posts to be queued")
        assert shell.ask("status")["queued"] == 80
        process.terminate()

    exported = (
        (shell.home / "data" / "annotations" / "train.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    )
    assert len(exported) == shown["train"]["n"]
    assert {json.loads(line)["label"] for line in exported} == set(WORDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("status",), "There is no project in"),
        (("import", "nowhere.tsv"), "There is no project in"),
        (("round", "show", "3"), "There is no project in"),
    ],
)
def test_a_refusal_is_one_line_and_status_one(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = Shell(tmp_path).run(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_wrong_usage_is_status_two(tmp_path: Path) -> None:
    assert Shell(tmp_path).run("round", "start", "--nonsense").returncode == 2
