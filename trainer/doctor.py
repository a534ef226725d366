"""Report on this machine: processor, GPU, precision, and the speed of training and scoring with a base encoder.

    python -m trainer.doctor --posts FILE [--base NAME_OR_PATH] [--labels N --validation N --pool N]

Prints one JSON object. Speeds are measured with steps of the real training loop and with posts scored as in a
round. A base that is missing or unusable is reported as a problem and is not a failure.
"""

import argparse
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from peft import PeftModel

from trainer.adapters.encoder import Encoder
from trainer.adapters.folders import STARTER, resolve_base
from trainer.config import TrainConfig, planned_steps
from trainer.errors import EncoderError, TrainerError
from trainer.fitting.calibration_rows import has_folds
from trainer.fitting.training import fit
from trainer.labels import LABELS
from trainer.messages import Message, message_of
from trainer.running import command
from trainer.running.device import default_device, device_name, half_precision, has_bf16, leave_a_core
from trainer.running.progress import Progress, reporting
from trainer.running.terminal import json_text
from trainer.scoring.scorer import logits
from trainer.texts.dataset import Example
from trainer.texts.reading import read_texts
from trainer.texts.tokens import tokenise

T = TypeVar("T")

MEASURED_SECONDS = 3.0
"""Least duration of a measurement; a slow base may take a few times as long."""
WARM_UP_POSTS = 16
FIRST_POSTS = 32
MOST_GROWTH = 10
PRECISIONS = {None: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}

Report = Callable[[str], Progress]
"""Called with the name of the next stage; returns its progress."""


@dataclass(frozen=True)
class Machine:
    """Memory is in bytes."""

    cores: int
    threads: int
    """CPU threads of a round: one core is left to the web app."""
    memory: int
    gpu: str | None
    gpu_memory: int | None
    has_unused_gpu: bool
    """Whether there is an NVIDIA driver but torch sees no GPU."""
    training_precision: str
    scoring_precision: str


@dataclass(frozen=True)
class Speed:
    """Posts per second."""

    training: float
    scoring: float


@dataclass(frozen=True)
class Workload:
    labels: int = 5_000
    validation: int = 300
    pool: int = 100_000

    def __post_init__(self) -> None:
        if self.labels < 1 or self.validation < 0 or self.pool < 0:
            raise TrainerError("a round needs at least 1 label, and no count of posts is below 0")


@dataclass(frozen=True)
class Estimate:
    """Duration of a round without early stopping."""

    epochs: int
    training_seconds: float
    scoring_seconds: float


@dataclass(frozen=True)
class Findings:
    machine: Machine
    is_base_here: bool
    problem: Message | None = None
    """Why there is no speed, and what to do."""
    speed: Speed | None = None
    estimate: Estimate | None = None


def examine(
    base: str, texts: Sequence[str], work: Workload, *, report: Report, seconds: float = MEASURED_SECONDS
) -> Findings:
    machine = look_at_machine()
    try:
        resolve_base(base)
    except EncoderError as error:
        return Findings(machine, is_base_here=False, problem=message_of(error))
    config = TrainConfig(base=base)
    try:
        speed = measure(config, texts, report=report, seconds=seconds)
    except TrainerError as error:
        return Findings(machine, is_base_here=True, problem=message_of(error))
    return Findings(machine, is_base_here=True, speed=speed, estimate=estimate(speed, work, config))


def look_at_machine() -> Machine:
    device = default_device()
    has_gpu = device.type == "cuda"
    return Machine(
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        gpu=device_name(device) if has_gpu else None,
        gpu_memory=torch.cuda.get_device_properties(device).total_memory if has_gpu else None,
        has_unused_gpu=not has_gpu and shutil.which("nvidia-smi") is not None,
        training_precision=PRECISIONS[half_precision(device)],
        scoring_precision="bf16" if has_bf16(device) else "fp32",
    )


def measure(
    config: TrainConfig, texts: Sequence[str], *, report: Report, seconds: float = MEASURED_SECONDS
) -> Speed:
    order = np.random.default_rng(config.seed).permutation(len(texts))
    posts = [_example(texts[row], place) for place, row in enumerate(order)]
    progress = report("training")
    encoder = fit(_take(posts, WARM_UP_POSTS), [], _steps(config, WARM_UP_POSTS), progress=progress).encoder

    def train(count: int) -> float:
        again = fit(_take(posts, count), [], _steps(config, count), progress=progress, start=encoder)
        return again.seconds

    training = rate(train, FIRST_POSTS, seconds)
    progress.close()
    progress = report("scoring")
    score = partial(_score, _merged(encoder), [post.text for post in posts], config.max_length, progress)
    score(WARM_UP_POSTS)
    scoring = rate(score, FIRST_POSTS, seconds)
    progress.close()
    return Speed(round(training, 1), round(scoring, 1))


def rate(work: Callable[[int], float], count: int, seconds: float) -> float:
    """Units per second. `work(count)` returns its duration; the count grows until that reaches `seconds`."""
    while (took := work(count)) < seconds:
        count = math.ceil(count * min(MOST_GROWTH, 1.5 * seconds / max(took, 1e-9)))
    return count / took


def estimate(speed: Speed, work: Workload, config: TrainConfig) -> Estimate:
    """An upper bound: all epochs, and the calibration folds if there are too few validation posts."""
    seconds = _training_seconds(speed, work.labels, work, config)
    if has_folds(work.validation, config):
        rows = work.labels - work.labels // config.calibration_folds
        seconds += config.calibration_folds * _training_seconds(speed, rows, work, config)
    return Estimate(
        epochs=math.ceil(_epochs(work.labels, config)),
        training_seconds=round(seconds, 1),
        scoring_seconds=round(work.pool / speed.scoring, 1),
    )


def _training_seconds(speed: Speed, rows: int, work: Workload, config: TrainConfig) -> float:
    """All epochs on `rows` rows, with a validation after each."""
    epochs = _epochs(rows, config)
    return epochs * rows / speed.training + math.ceil(epochs) * work.validation / speed.scoring


def _epochs(rows: int, config: TrainConfig) -> float:
    return planned_steps(rows, config) / math.ceil(rows / config.batch_size)


def _score(encoder: Encoder, texts: Sequence[str], max_length: int, progress: Progress, count: int) -> float:
    begin = time.monotonic()
    tokens = tokenise(encoder.tokenizer, _take(texts, count), max_length)
    logits(encoder.model, encoder, tokens, on_progress=progress.step)
    return time.monotonic() - begin


def _merged(encoder: Encoder) -> Encoder:
    """As in Scorer: one plain model, in bf16 where the GPU supports it."""
    assert isinstance(encoder.model, PeftModel)
    model = encoder.model.merge_and_unload().eval()
    return replace(encoder, model=model.to(torch.bfloat16) if has_bf16(default_device()) else model)


def _steps(config: TrainConfig, count: int) -> TrainConfig:
    """Limited to one pass over `count` posts."""
    return replace(config, max_steps=math.ceil(count / config.batch_size))


def _take(posts: Sequence[T], count: int) -> list[T]:
    """`count` posts, repeated from the start if there are fewer."""
    return list(islice(cycle(posts), count))


def _example(text: str, place: int) -> Example:
    label = LABELS[place % len(LABELS)]
    target = tuple(float(name == label) for name in LABELS)
    return Example(id=str(place), text=text, target=target, weight=1.0, group=str(place), label=label)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command.parser("trainer.doctor", "Say what this machine can do for a training round.")
    parser.add_argument("--posts", type=Path, required=True, metavar="FILE", help="posts to measure with")
    parser.add_argument("--base", default=STARTER, metavar="NAME_OR_PATH", help="base encoder")
    usual = Workload()
    parser.add_argument("--labels", type=int, default=usual.labels, metavar="N", help="posts to train on")
    parser.add_argument(
        "--validation", type=int, default=usual.validation, metavar="N", help="validation posts"
    )
    parser.add_argument("--pool", type=int, default=usual.pool, metavar="N", help="posts to score")
    parser.add_argument("--seconds", type=float, default=MEASURED_SECONDS, help="least time of a measurement")
    command.add_child_arguments(parser)
    return command.run(_examine, parser.parse_args(arguments))


def _examine(options: argparse.Namespace) -> None:
    leave_a_core()
    texts = [text for _, text in read_texts(options.posts)]
    if not texts:
        raise TrainerError("{file}: holds no posts to measure with", file=options.posts)
    work = Workload(options.labels, options.validation, options.pool)
    report = partial(reporting, options.progress)
    findings = examine(options.base, texts, work, report=report, seconds=options.seconds)
    print(json_text(asdict(findings), sys.stdout.encoding))


if __name__ == "__main__":
    sys.exit(main())
