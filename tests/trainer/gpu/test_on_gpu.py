"""Tests that need a CUDA GPU: `make test-gpu`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainer.fitting.test_training import Killer, Recorder
from tests.trainer.toy import toy_examples
from trainer import doctor, score
from trainer.adapters.card import read_card
from trainer.adapters.encoder import build, load_adapter
from trainer.fitting.training import fit
from trainer.running.device import default_device, half_precision
from trainer.running.progress import Silent
from trainer.scoring.scorer import Scorer
from trainer.scoring.sweep import Precision, sweep
from trainer.texts.tokens import write_tokens
from trainer.train import main, train

pytestmark = pytest.mark.gpu

GPU = torch.device("cuda")
TRAIN, VALIDATION = toy_examples(150, 0), toy_examples(60, 1)


@pytest.fixture(autouse=True)
def gpu() -> Iterator[None]:
    assert torch.cuda.is_available(), "these tests need a CUDA GPU"
    yield
    torch.cuda.empty_cache()


@contextmanager
def memory_limited_to(nbytes: int) -> Iterator[None]:
    """Limits the GPU memory of this process."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(nbytes / torch.cuda.get_device_properties(GPU).total_memory)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@contextmanager
def memory_watched() -> Iterator[list[int]]:
    """Appends the peak of allocated bytes."""
    found: list[int] = []
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    yield found
    found.append(torch.cuda.max_memory_reserved())


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
def test_training_computes_in_half_precision_learns_and_tells_the_memory(toy_config, monkeypatch, half):
    if half is torch.float16:  # as on a GPU that has no bf16
        monkeypatch.setattr("trainer.fitting.training.half_precision", lambda _device: torch.float16)
    seen, encoder = set(), build(toy_config)

    def watch(module, _inputs):
        if module.training:
            device = module.weight.device.type
            seen.add((device, torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")))

    next(
        module for module in encoder.model.modules() if isinstance(module, nn.Linear)
    ).register_forward_pre_hook(watch)
    progress = Recorder()
    fitted = fit(TRAIN, VALIDATION, toy_config, progress=progress, start=encoder)
    assert seen == {("cuda", True, half)}
    assert max(epoch.macro_f1 for epoch in fitted.epochs) > 0.8
    assert fitted.device == torch.cuda.get_device_name(GPU)
    facts = progress.steps[-1][2]
    assert 0 < facts["gpu_used"] <= facts["gpu_total"]


def test_a_full_gpu_halves_the_pieces_and_keeps_the_batch(toy_config, monkeypatch):
    """Memory really runs out. In fp32, so that only the order of the sums differs."""
    monkeypatch.setattr("trainer.fitting.training.half_precision", lambda _device: None)
    long = [replace(row, text=row.text * 4) for row in toy_examples(8_192, 0)]
    config = replace(toy_config, batch_size=4_096, max_epochs=3)
    with memory_watched() as peak:
        whole = fit(long, VALIDATION, config, progress=Silent())
    with memory_limited_to(peak[0] * 6 // 10):
        pieces = fit(long, VALIDATION, config, progress=Silent())
    assert any("ran out of memory" in warning and "2048" in warning for warning in pieces.warnings)
    assert pieces.steps == whole.steps
    np.testing.assert_allclose(pieces.validation_logits, whole.validation_logits, atol=2e-2)


def test_scoring_goes_on_in_halves_where_memory_is_short(trained):
    texts = [row.text * 4 for row in toy_examples(20_000, 0)]
    scorer = Scorer.load(trained)
    with memory_watched() as peak:
        whole = scorer.probabilities(texts)
    with memory_limited_to(peak[0] * 6 // 10):
        parts = scorer.probabilities(texts)
    np.testing.assert_allclose(parts, whole, atol=0.02)


def test_a_killed_training_goes_on(toy_config, tmp_path):
    config, checkpoint = replace(toy_config, max_epochs=4, dropout=0.1), tmp_path / "checkpoint"
    whole = fit(TRAIN, VALIDATION, config, progress=Silent())
    with pytest.raises(KeyboardInterrupt):
        fit(TRAIN, VALIDATION, config, progress=Killer(3), checkpoint=checkpoint)
    progress = Recorder()
    resumed = fit(TRAIN, VALIDATION, config, progress=progress, checkpoint=checkpoint)
    assert progress.resumed == [(20, 40)]
    np.testing.assert_allclose(resumed.validation_logits, whole.validation_logits, atol=0.05)


def test_a_base_in_8_bits_learns_and_its_adapter_fits_the_whole_base(toy_config, toy_files, tmp_path):
    out = tmp_path / "out"
    config = replace(toy_config, eight_bit=True)
    card = train(toy_files["train"], toy_files["validation"], out, config, Silent())
    assert card.validation["macro_f1"] > 0.8
    fitted = fit(TRAIN, VALIDATION, config, progress=Silent())
    assert torch.int8 in {value.dtype for value in fitted.encoder.model.parameters()}
    rows = toy_examples(90, 2)
    probabilities = Scorer(load_adapter(out), device="cpu").probabilities([row.text for row in rows])
    right = [row.target[label] for row, label in zip(rows, probabilities.argmax(axis=1), strict=True)]
    assert np.mean(right) > 0.8


def test_two_processes_train_one_adapter(toy_files, toy_config, trained, tmp_path):
    """A GPU each, over NCCL; where there is one GPU they share it, over gloo."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps(toy_config.to_dict()), encoding="utf-8")
    module = "trainer.train" if torch.cuda.device_count() > 1 else "tests.trainer.gpu.on_one_gpu"
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2", "--multi_gpu"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "-m", module]
    launch += [f"--train={toy_files['train']}", f"--eval={toy_files['validation']}"]
    launch += [f"--config={config}", f"--out={tmp_path / 'out'}", f"--progress={tmp_path / 'progress'}"]
    done = subprocess.run(
        launch, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    together, alone = read_card(tmp_path / "out"), read_card(trained)
    assert together.device == f"2 x {torch.cuda.get_device_name(GPU)}"
    losses = [[epoch.loss for epoch in card.epochs] for card in (together, alone)]
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-2)
    assert together.validation["macro_f1"] > 0.8


def test_a_gpu_scores_as_a_cpu_does(trained):
    texts = [row.text for row in toy_examples(2_000, 3)]
    scorer = Scorer.load(trained)
    assert scorer.device.type == "cuda"
    assert {value.dtype for value in scorer.model.parameters()} == {half_precision(scorer.device)}
    here, there = scorer.probabilities(texts), Scorer.load(trained, device="cpu").probabilities(texts)
    assert np.mean(here.argmax(axis=1) == there.argmax(axis=1)) > 0.99
    assert np.abs(here - there).mean() < 0.01


@pytest.mark.parametrize("processes", [1, 2])
def test_a_pass_by_one_process_and_by_two(trained, tmp_path, monkeypatch, processes):
    monkeypatch.setattr("trainer.scoring.sweep.PART_TOKENS", {"cuda": 2**14})
    texts = [row.text for row in toy_examples(20_000, 4)]
    scorer = Scorer.load(trained)
    write_tokens(tmp_path / "tokens.arrow", np.arange(len(texts)), scorer.tokenise(texts))
    swept = sweep(
        trained,
        scorer,
        [tmp_path / "tokens.arrow"],
        np.arange(len(texts)),
        tmp_path / "work" / "sweep",
        precision=Precision("bf16"),
        processes=processes,
    )
    np.testing.assert_allclose(swept.probabilities, scorer.probabilities(texts), atol=0.02)


def test_the_commands_name_the_gpu(trained, toy_files, toy_config, tmp_path, capsys):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(toy_config.to_dict()), encoding="utf-8")
    files = [f"--train={toy_files['train']}", f"--eval={toy_files['validation']}"]
    assert main([*files, f"--config={config}", f"--out={tmp_path / 'out'}", "--quick"]) == 0
    card = read_card(tmp_path / "out")
    assert card.device == torch.cuda.get_device_name(GPU)
    pool = [f"--pool={toy_files['test']}", f"--out={tmp_path / 'scores'}"]
    assert score.main([f"--model={tmp_path / 'out'}", *pool]) == 0
    capsys.readouterr()
    base = [f"--base={toy_config.base}", "--seconds=0.2"]
    assert doctor.main([f"--posts={toy_files['test']}", *base]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["machine"]["gpu"] == torch.cuda.get_device_name(GPU)
    assert found["machine"]["gpu_memory"] == torch.cuda.get_device_properties(GPU).total_memory
    assert found["speed"]["training"] > 0
    assert default_device() == GPU
