import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.trainer.toy import toy_examples
from trainer import doctor
from trainer.config import TrainConfig
from trainer.doctor import Speed, Workload, estimate, examine, look_at_machine, rate
from trainer.errors import TrainerError
from trainer.running.progress import Silent

TEXTS = [example.text for example in toy_examples(40, 0)]
BRIEF = 0.01


def look(base: Path):
    return examine(str(base), TEXTS, Workload(), report=lambda _: Silent(), seconds=BRIEF)


def test_a_base_that_is_here_is_measured_and_a_round_estimated(tiny_base):
    findings = look(tiny_base)
    assert findings.is_base_here
    assert findings.problem is None
    assert findings.speed.training > 0
    assert findings.speed.scoring > 0
    assert findings.estimate == estimate(findings.speed, Workload(), TrainConfig())


def test_measuring_leaves_the_callers_chance_alone(tiny_base):
    before = torch.get_rng_state()
    look(tiny_base)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_base_that_is_missing_is_a_finding_with_what_to_do(tmp_path):
    findings = look(tmp_path / "nowhere")
    assert not findings.is_base_here
    assert "no such folder" in str(findings.problem)
    assert findings.speed is None
    assert findings.machine == look_at_machine()


def test_a_base_that_cannot_be_loaded_is_a_finding_too(tiny_base, tmp_path):
    broken = shutil.copytree(tiny_base, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"cut short")
    findings = look(broken)
    assert findings.is_base_here
    assert "cannot be loaded" in str(findings.problem)
    assert findings.estimate is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_everything_is_fp32(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    machine = look_at_machine()
    assert (machine.gpu, machine.gpu_memory, machine.has_unused_gpu) == (None, None, False)
    assert (machine.training_precision, machine.scoring_precision) == ("fp32", "fp32")
    assert machine.cores >= 1
    assert machine.memory > 2**20


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_driver_without_a_gpu_for_torch_is_seen(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    assert look_at_machine().has_unused_gpu


@pytest.mark.parametrize("a_second", [7, 100, 1_000_000])
def test_a_rate_is_measured_for_long_enough(a_second):
    tried = []

    def work(count):
        tried.append(count)
        return count / a_second

    assert rate(work, 32, 3.0) == pytest.approx(a_second)
    assert tried[-1] / a_second >= 3.0
    assert tried == sorted(tried)


def test_an_estimate_counts_all_epochs_each_with_the_validation_posts():
    found = estimate(Speed(training=10, scoring=100), Workload(1_600, 150, 2_000), TrainConfig(max_epochs=4))
    assert found.epochs == 4
    assert found.training_seconds == 4 * 1_600 / 10 + 4 * 150 / 100
    assert found.scoring_seconds == 20


def test_with_few_validation_posts_an_estimate_counts_the_folds_of_the_calibration():
    config = TrainConfig(max_epochs=4, calibration_folds=3)
    speed, few, none = Speed(10, 100), Workload(4_800, 50, 0), Workload(4_800, 0, 0)
    assert estimate(speed, few, config).training_seconds == 4 * (4_800 + 3 * 3_200) / 10 + 4 * 4 * 50 / 100
    alone = TrainConfig(max_epochs=4, calibration_folds=0)
    assert estimate(speed, none, alone).training_seconds == 4 * 4_800 / 10


def test_a_small_set_is_estimated_with_the_epochs_its_least_steps_take():
    config = TrainConfig(max_epochs=4, min_steps=300)
    assert estimate(Speed(10, 100), Workload(20, 0, 0), config).epochs == 150


@pytest.mark.parametrize("counts", [(0, 0, 0), (20, -1, 0), (20, 0, -1)])
def test_an_impossible_workload_is_refused(counts):
    with pytest.raises(TrainerError, match="at least 1 label"):
        Workload(*counts)


@pytest.fixture
def posts(tmp_path):
    file = tmp_path / "posts.txt"
    file.write_text("\n".join(TEXTS), encoding="utf-8")
    return file


def test_the_command_prints_one_json_object(tiny_base, posts, tmp_path, capsys):
    arguments = ["--base", str(tiny_base), "--posts", str(posts), "--seconds", str(BRIEF)]
    assert doctor.main([*arguments, "--progress", str(tmp_path / "progress.jsonl")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"machine", "is_base_here", "problem", "speed", "estimate"}
    assert found["speed"].keys() == {"training", "scoring"}
    assert (tmp_path / "progress.jsonl").stat().st_size > 0


def test_the_command_refuses_a_file_without_posts(tmp_path, capsys):
    for name, sentence in (
        ("empty.jsonl", ": holds no posts to measure with"),
        ("empty.tsv", " is empty. Its first line must name the columns."),
    ):
        empty = tmp_path / name
        empty.write_text("", encoding="utf-8")
        assert doctor.main(["--posts", str(empty)]) == 1
        assert capsys.readouterr().err == f"error: {empty}{sentence}\n"
