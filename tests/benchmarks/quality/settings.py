"""Training settings compared one factor at a time: macro-F1 on rows reserved for choosing.

Run as: python -m tests.benchmarks.quality.settings --cold cold.tsv --swsr swsr.tsv --results settings.jsonl
        python -m tests.benchmarks.quality.settings --results settings.jsonl --table

Every arm trains on equal 1,000 rows (`--size`), stops early by 300 others and is measured on a third part: COLD's dev
rows, a fifth of SWSR's training rows. A killed run resumes; several (`--part 0/2`) share the results. `--against ARM`
adds the paired differences. `docs/training.md` has the last tables.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.encoder import (
    LENGTH,
    Cell,
    Post,
    Split,
    as_example,
    cold,
    draw,
    macro_f1,
    read,
    show,
    swsr,
)
from tests.benchmarks.quality.pooling import add_mean_layer, mean_pooled
from trainer.adapters.encoder import Encoder
from trainer.adapters.folders import base_fingerprint
from trainer.config import PRESETS, TrainConfig
from trainer.fitting.training import Fit, fit
from trainer.labels import LABELS
from trainer.running.progress import Silent
from trainer.scoring.scorer import logits
from trainer.texts.dataset import Example
from trainer.texts.tokens import tokenise

WARM, MEAN_LAYER = "warm start", "mean layer"
ARMS: dict[str, dict[str, Any]] = {
    "default": {},
    "rate 2e-5": {"learning_rate": 2e-5},
    "rate 1e-4": {"learning_rate": 1e-4},
    "rate 5e-4": {"learning_rate": 5e-4},
    "query,value": {"target_modules": "query,value"},
    "2 epochs": {"max_epochs": 2},
    "3 epochs": {"max_epochs": 3},
    "10 epochs": {"max_epochs": 10},
    "30 epochs": {"max_epochs": 30},
    "no pooler": {"train_pooler": False},
    "focal loss": {"focal_gamma": 2.0, "max_label_weight": 1.0},
    "plain loss": {"max_label_weight": 1.0},
    WARM: {},
    "random head": {"probed_head": False},
    "probed": {"probed_head": True},
    "mean-pooled": {"probed_head": True},
    "mean-pooled, random head": {"probed_head": False},
    MEAN_LAYER: {"probed_head": True},
    "note": PRESETS["note"],
}
MEAN_POOLED = {arm for arm in ARMS if arm.startswith("mean-pooled")}
"""Arms whose classifier reads the mean of the last states: an experiment, which no adapter could be saved from."""
VALIDATION_ROWS = 300


def measure(options: argparse.Namespace) -> None:
    part, parts = map(int, options.part.split("/"))
    cells = [
        (arm, Cell(name, "lora", size, seed))
        for seed in range(options.seeds)
        for size in options.size
        for name in options.sets
        for arm in options.arms
    ]
    for arm, cell in cells[part::parts]:
        facts = {"arm": arm, "set": cell.set, "size": cell.size, "seed": cell.seed}
        facts |= {"base": base_fingerprint(options.base)[:12], "settings": options.settings}
        if any(facts.items() <= line.items() for line in read(options.results)):
            continue
        split = cold(options.cold, True) if cell.set == "cold" else swsr(options.swsr, True)
        began = time.perf_counter()
        fitted, score = run(split, arm, cell, options)
        facts |= {"macro_f1": round(score, 2), "seconds": round(time.perf_counter() - began, 1)}
        facts |= {"best_epoch": fitted.best_epoch, "epochs": len(fitted.epochs)}
        with options.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")
        print(facts, flush=True)


def run(split: Split, arm: str, cell: Cell, options: argparse.Namespace) -> tuple[Fit, float]:
    everything = draw(split, replace(cell, size="all"))
    validation, train = everything[:VALIDATION_ROWS], everything[VALIDATION_ROWS:]
    chosen = train if cell.size == "all" else train[: int(cell.size)]
    held_out, start = examples(validation, "v"), None
    with base_of(arm, options.base) as base:
        config = TrainConfig.from_dict(options.settings | ARMS[arm])
        config = replace(config, base=str(base), seed=cell.seed)
        if arm == WARM:
            half = chosen[: len(chosen) // 2]
            start = fit(examples(half, "t"), held_out, config, progress=Silent()).encoder
        fitted = fit(examples(chosen, "t"), held_out, config, progress=Silent(), start=start)
    return fitted, macro_f1(split.test, predictions(fitted.encoder, split.test))


@contextmanager
def base_of(arm: str, base: Path) -> Iterator[Path]:
    pooling = mean_pooled() if arm in MEAN_POOLED else nullcontext()
    with pooling, TemporaryDirectory() as folder:
        yield add_mean_layer(base, Path(folder)) if arm == MEAN_LAYER else base


def examples(posts: Sequence[Post], kind: str) -> list[Example]:
    return [
        replace(as_example(at, post), id=f"{kind}{at}", group=f"{kind}{at}") for at, post in enumerate(posts)
    ]


def predictions(encoder: Encoder, posts: Sequence[Post]) -> list[str]:
    tokens = tokenise(encoder.tokenizer, [text for text, _ in posts], LENGTH)
    return [LABELS[number] for number in logits(encoder.model, encoder, tokens).argmax(axis=1)]


def table(lines: Sequence[dict[str, Any]]) -> str:
    scores: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for line in lines:
        scores[line["arm"], f"{line['set'].upper()}, {line['size']} labels"].append(line["macro_f1"])
        seconds[line["arm"]].append(line["seconds"])
    columns = sorted({column for _, column in scores})
    table_lines = [f"| | {' | '.join(columns)} | seconds |", "|---" * (len(columns) + 2) + "|"]
    for arm in ARMS:
        if arm in seconds:
            cells = [show(scores.get((arm, column), [])) for column in columns]
            table_lines.append(f"| {arm} | {' | '.join(cells)} | {median(seconds[arm]):.0f} |")
    return "\n".join(table_lines)


def differences(lines: Sequence[dict[str, Any]], reference: str) -> str:
    """Macro-F1 minus that of the reference on equal rows and seed, by arm and number of labels."""
    scores = {(line["arm"], line["set"], line["size"], line["seed"]): line["macro_f1"] for line in lines}
    gains: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
    for (arm, name, size, seed), score in scores.items():
        cell = (reference, name, size, seed)
        if arm != reference and cell in scores:
            gains[arm, name, size].append(score - scores[cell])
    table_lines = [f"| minus {reference} | labels | difference | above zero |", "|---|---|---|---|"]
    for arm, name, size in sorted(gains, key=lambda key: (*key[:2], len(key[2]), key[2])):
        values = gains[arm, name, size]
        ahead = f"{sum(value > 0 for value in values)} of {len(values)}"
        table_lines.append(f"| {arm} | {name.upper()}, {size} | {show(values)} | {ahead} |")
    return "\n".join(table_lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.quality.settings")
    add = parser.add_argument
    add("--results", type=Path, required=True)
    add("--table", action="store_true", help="print what the results hold, measure nothing")
    add("--cold", type=Path)
    add("--swsr", type=Path)
    add("--base", type=Path, default=Path("models/starter"))
    add("--sets", nargs="+", default=["cold", "swsr"])
    add("--size", nargs="+", default=["1000"], help="labels to learn from, or all")
    add("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    add("--against", choices=list(ARMS), help="with --table: also the differences from this arm")
    add("--seeds", type=int, default=3)
    add("--part", default="0/1", metavar="K/M", help="every M-th run, from the K-th on")
    add("--settings", type=json.loads, default={}, metavar="JSON", help="of trainer.train, under every arm")
    options = parser.parse_args()
    if options.table:
        print(table(read(options.results)))
        if options.against:
            print(f"\n{differences(read(options.results), options.against)}")
        return
    measure(options)


if __name__ == "__main__":
    main()
