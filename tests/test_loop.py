"""The whole loop on the command line: TSV in, labels in, a round, everything scored, JSONL out."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.encoders import make_tiny_encoder
from tests.workbench.making import write_tsv
from tests.workbench.working import wait_until
from workbench import services
from workbench.locks import WORKER, is_held

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


def test_from_a_tsv_to_a_promoted_adapter_and_back_to_the_queue(
    tmp_path: Path, rows: list[dict[str, str]]
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

    worker = [*services.worker_command(shell.home), "--watch-stdin"]
    with subprocess.Popen(worker, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        wait_until(lambda: is_held(shell.home / "data" / WORKER), "the worker")
        waiting = shell.ask("round", "start", "--quick", "--wait")
        assert (waiting["state"], waiting["promoted"]) == ("awaiting", False)
        assert "test posts" in waiting["verdict"]["reasons"][0]
        assert (
            shell.run("round", "promote", waiting["number"], "--reason", "a start", "--wait").returncode == 0
        )
        first = shell.ask("round", "show", waiting["number"])
        assert first["decision_reason"] == "a start"
        assert (first["state"], first["promoted"], first["scored"]["n"]) == ("promoted", True, 160)
        assert first["train"]["n"] + 40 <= 160

        status = shell.ask("status")
        assert (status["posts"], status["labelled"], status["unlabelled"]) == (160, 120, 40)
        assert status["champion"] == first["number"]
        assert status["queued"] == 40

        # New posts are grouped, scored by the adapter in use and queued without a command.
        later = write_tsv(tmp_path / "later.tsv", columns(new, "id", "text", "board"))
        assert shell.ask("import", later)["accepted"] == 40
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while shell.ask("status")["queued"] != 80:
            assert time.monotonic() < deadline, "the new posts were not queued"
        process.terminate()

    exported = (
        (shell.home / "data" / "annotations" / "train.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    )
    assert len(exported) == first["train"]["n"]
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
