"""Training speed compared with the Trainer of transformers with peft, every post padded to 128 tokens.

Run as: python -m tests.benchmarks.training

Equal recipe and posts, each seen once; on a CUDA GPU if present. The ways take turns, each run in its own process, so
that peak memory is its own. Only the training loop is timed, after a few warm-up steps: no loading, tokenising or
evaluation. "Our defaults" are another recipe; that row gives its cost.
"""

import argparse
import gc
import json
import math
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from trainer.config import PRESETS, TrainConfig
from trainer.labels import LABELS, Label

Post = tuple[str, str]
"""Text and label."""

SHARE = 0.88
"""Share of each sample post that is kept: reduces their mean from 37 to 33 tokens and preserves the spread."""
WARM_STEPS = 3
MIB = 2**20


@dataclass(frozen=True)
class Run:
    device: str
    rate: float
    """Posts per second."""
    memory: float
    """Peak MiB: of the GPU if present, else of the process."""
    tokens: float
    """Mean tokens of a post, cut at the recipe's maximum; measured by ours only."""


def posts(count: int) -> list[Post]:
    sample = Path(__file__).parents[2] / "data" / "sample" / "posts.tsv"
    texts = [line.split("\t")[1] for line in sample.read_text(encoding="utf-8").split("\n")[1:-1]]
    cut = [text[: math.ceil(SHARE * len(text))] for text in texts]
    return [(cut[number % len(cut)], LABELS[number % len(LABELS)]) for number in range(count)]


def ours(config: TrainConfig, learned: Sequence[Post]) -> Run:
    # Here and below: each process imports only what its own way needs, the parent nothing.
    from trainer.fitting.training import fit  # noqa: PLC0415
    from trainer.running.progress import Silent  # noqa: PLC0415
    from trainer.texts.dataset import Example  # noqa: PLC0415
    from trainer.texts.tokens import tokenise  # noqa: PLC0415

    def train(chosen: Sequence[Post]) -> Any:
        one_hot = {label: tuple(float(label == other) for other in LABELS) for label in LABELS}
        examples = [
            Example(str(number), text, one_hot[label], 1.0, str(number), label)
            for number, (text, label) in enumerate(chosen)
        ]
        steps = math.ceil(len(chosen) / config.batch_size)
        return fit(
            examples, [], TrainConfig.from_dict(config.to_dict() | {"max_steps": steps}), progress=Silent()
        )

    train(learned[: WARM_STEPS * config.batch_size])
    gc.collect()
    fitted = train(learned)
    lengths = tokenise(fitted.encoder.tokenizer, [text for text, _ in learned], config.max_length).lengths
    tokens = sum(lengths) / len(learned)
    return Run(f"{fitted.device}, {precision()}", fitted.posts_per_second, peak_memory(), tokens)


def usual(config: TrainConfig, learned: Sequence[Post]) -> Run:
    from datasets import Dataset  # noqa: PLC0415
    from peft import LoraConfig, TaskType, get_peft_model  # noqa: PLC0415
    from transformers import (  # noqa: PLC0415
        AutoModelForSequenceClassification,
        AutoTokenizer,
        Trainer,
        TrainingArguments,
    )

    from trainer.adapters.folders import resolve_base  # noqa: PLC0415
    from trainer.running.device import default_device, device_name, has_bf16  # noqa: PLC0415

    base, device = resolve_base(config.base), default_device()
    tokenizer = AutoTokenizer.from_pretrained(base)

    def tokenised(rows: dict[str, list[str]]) -> Any:
        return tokenizer(rows["text"], truncation=True, padding="max_length", max_length=config.max_length)

    def train(chosen: Sequence[Post], folder: str) -> float:
        rows = Dataset.from_list([{"text": text, "label": Label(label).position} for text, label in chosen])
        lora = LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            target_modules=config.modules(),
        )
        arguments = TrainingArguments(
            output_dir=folder,
            learning_rate=config.learning_rate,
            per_device_train_batch_size=config.batch_size,
            max_steps=math.ceil(len(chosen) / config.batch_size),
            eval_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=device.type == "cpu",
            bf16=has_bf16(device),
            fp16=device.type == "cuda" and not has_bf16(device),
            seed=config.seed,
        )
        model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(LABELS))
        trainer = Trainer(
            model=get_peft_model(model, lora), args=arguments, train_dataset=rows.map(tokenised, batched=True)
        )
        return float(trainer.train().metrics["train_runtime"])

    with tempfile.TemporaryDirectory() as folder:
        train(learned[: WARM_STEPS * config.batch_size], folder)
        gc.collect()
        seconds = train(learned, folder)
    return Run(f"{device_name(device)}, {precision()}", len(learned) / seconds, peak_memory(), 0.0)


def precision() -> str:
    from trainer.running.device import default_device, half_precision  # noqa: PLC0415

    half = half_precision(default_device())
    return {"None": "fp32", "torch.bfloat16": "bf16", "torch.float16": "fp16"}[str(half)]


def peak_memory() -> float:
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / MIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (MIB if sys.platform == "darwin" else 1024)


WAYS: dict[str, tuple[Callable[[TrainConfig, Sequence[Post]], Run], str]] = {
    "ours": (ours, "note"),
    "usual": (usual, "note"),
    "default": (ours, "default"),
}
"""The function that trains, and its preset."""


def measure(way: str, options: argparse.Namespace) -> Run:
    settings = ["--base", options.base, "--posts", str(options.posts)]
    # One GPU for both: on several, the Trainer would enlarge its batches.
    child = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.training", "--way", way, *settings],
        capture_output=True,
        text=True,
        check=False,
        env={"CUDA_VISIBLE_DEVICES": "0", "TOKENIZERS_PARALLELISM": "false"} | os.environ,
    )
    if child.returncode:
        raise SystemExit(f"error: {way} failed\n{child.stderr}")
    return Run(**json.loads(child.stdout.splitlines()[-1]))


def table(runs: dict[str, list[Run]]) -> str:
    rates, memory = (
        {way: [getattr(run, name) for run in of] for way, of in runs.items()} for name in ("rate", "memory")
    )
    first = runs["ours"][0]
    default = TrainConfig.from_dict(PRESETS["default"])
    another = f"another recipe: {default.target_modules}, batch {default.batch_size}"
    lines = [
        ("what", "ours", "the usual way", "ratio"),
        ("---",) * 4,
        (
            f"train, posts/s ({first.device})",
            show(rates["ours"]),
            f"{show(rates['usual'])}, Trainer, padded to 128",
            f"{median(rates['ours']) / median(rates['usual']):.1f}x",
        ),
        (
            "its peak memory, MiB",
            show(memory["ours"]),
            show(memory["usual"]),
            f"{median(memory['ours']) / median(memory['usual']):.2f}x",
        ),
        (f"train by our defaults, posts/s ({another})", show(rates["default"]), "", ""),
        ("its peak memory, MiB", show(memory["default"]), "", ""),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rows(posts: int = 320) -> list[tuple[str, str, str, str]]:
    options = argparse.Namespace(posts=posts, base="starter")
    mine, other = (measure(way, options) for way in ("ours", "usual"))
    return [
        (
            f"train, posts/s ({mine.device})",
            f"{mine.rate:,.0f}",
            f"{other.rate:,.0f} (Trainer, padded to 128)",
            f"{mine.rate / other.rate:.1f}x",
        )
    ]


def show(values: Sequence[float]) -> str:
    digits = 0 if median(values) >= 100 else 1
    return f"{median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.training")
    parser.add_argument("--posts", type=int, default=1_600)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--base",
        default="starter",
        metavar="NAME_OR_PATH",
        help="base-size: BERT-base's shape, random weights",
    )
    parser.add_argument("--way", choices=WAYS, help="one run in this process, as JSON")
    options = parser.parse_args()
    if options.way:
        train, preset = WAYS[options.way]
        config = TrainConfig.from_dict(PRESETS[preset] | {"base": options.base, "min_steps": 0})
        print(json.dumps(asdict(train(config, posts(options.posts)))))
        return
    with tempfile.TemporaryDirectory() as folder:
        name = options.base
        if name == "base-size":
            from tests.benchmarks.scoring import base_size  # noqa: PLC0415 - only needed here

            options.base = str(base_size(Path(folder)))
        compare(options, name)


def compare(options: argparse.Namespace, name: str) -> None:
    runs: dict[str, list[Run]] = {way: [] for way in WAYS}
    for _ in range(options.repeats):
        for way in WAYS:
            runs[way].append(measure(way, options))
            print(f"{way}: {runs[way][-1]}", file=sys.stderr, flush=True)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{options.posts:,} posts of {runs['ours'][0].tokens:.1f} tokens on average, base {name}\n")
    print(table(runs))


if __name__ == "__main__":
    main()
