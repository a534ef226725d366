"""Macro-F1 of an encoder on real posts after N labels, beside the linear baseline and random weights.

Run as: python -m tests.benchmarks.encoder --cold cold.tsv --swsr swsr.tsv --results results.jsonl
        python -m tests.benchmarks.encoder --results results.jsonl --table
        python -m tests.benchmarks.encoder --cold cold.tsv --swsr swsr.tsv --texts pools

A cell is one set, method, number of labels and seed. Results are appended cell by cell and never measured twice, so a
killed run resumes, and several (`--part 0/2`, `--part 1/2`) share one file. A method sees its N labels only: no
validation rows, no early stopping. `docs/starter.md` has the last table.
"""

import argparse
import hashlib
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from transformers import AutoConfig, AutoModel, AutoTokenizer

from trainer.adapters.folders import base_fingerprint
from trainer.config import TrainConfig
from trainer.fitting.training import fit
from trainer.labels import LABELS
from trainer.linear.baseline import linear_baseline
from trainer.running.progress import Silent
from trainer.scoring.scorer import as_tensors, logits
from trainer.texts.dataset import Example
from trainer.texts.tokens import tokenise

METHODS = {
    "linear": "character 1-3-gram TF-IDF + logistic regression",
    "frozen-random": "frozen random vectors + logistic regression",
    "frozen": "frozen starter vectors + logistic regression",
    "random": "LoRA from random weights",
    "lora": "LoRA from the starter",
}
LENGTH = 128
Post = tuple[str, str]
"""Text and label."""


@dataclass(frozen=True)
class Cell:
    set: str
    method: str
    size: str
    seed: int


@dataclass(frozen=True)
class Split:
    train: list[Post]
    test: list[Post]


def rows(path: Path) -> Iterator[list[str]]:
    lines = path.read_text(encoding="utf-8").split("\n")
    return (line.split("\t") for line in lines[1:] if line)


@cache
def cold(path: Path, dev: bool) -> Split:
    """Test rows are the set's own test part; with `dev`, 2,000 rows of its dev part."""
    parts: defaultdict[str, list[Post]] = defaultdict(list)
    for _, text, label, source in rows(path):
        parts[source.split("/")[1]].append((text, "violation" if label.startswith("offensive") else "normal"))
    return Split(parts["train"], parts["dev"][:2000] if dev else parts["test"])


@cache
def swsr(path: Path, dev: bool) -> Split:
    """Test rows have a hash whose first byte is below 51; with `dev`, test rows are others whose second byte is."""
    ours = {"non-sexist": "normal", "sexist:MA": "suspicious"}
    split = Split([], [])
    for _, text, label, _ in rows(path):
        first, second = hashlib.sha256(text.encode()).digest()[:2]
        post = (text, ours.get(label, "violation"))
        if first < 51:
            if not dev:
                split.test.append(post)
        else:
            (split.test if dev and second < 51 else split.train).append(post)
    return split


def draw(split: Split, cell: Cell) -> list[Post]:
    """Depends on size and seed alone, so all methods learn from equal rows."""
    count = len(split.train) if cell.size == "all" else int(cell.size)
    order = np.random.default_rng(cell.seed).permutation(len(split.train))
    return [split.train[number] for number in order[:count]]


def macro_f1(test: Sequence[Post], predicted: Sequence[str]) -> float:
    truth = [label for _, label in test]
    return 100 * float(f1_score(truth, predicted, labels=sorted(set(truth)), average="macro"))


def linear(split: Split, chosen: list[Post], _: Cell, __: argparse.Namespace) -> list[str]:
    texts, labels = zip(*chosen, strict=True)
    probabilities = linear_baseline(texts, labels, [text for text, _ in split.test])
    return [LABELS[number] for number in probabilities.argmax(axis=1)]


def frozen(split: Split, chosen: list[Post], cell: Cell, options: argparse.Namespace) -> list[str]:
    seed = cell.seed if cell.method == "frozen-random" else None
    train_vectors = vectors(options.base, tuple(text for text, _ in chosen), seed)
    test_vectors = vectors(options.base, tuple(text for text, _ in split.test), seed)
    mean, spread = train_vectors.mean(axis=0), train_vectors.std(axis=0) + 1e-6
    model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000)
    model.fit((train_vectors - mean) / spread, [label for _, label in chosen])
    return [str(label) for label in model.predict((test_vectors - mean) / spread)]


@cache
def vectors(base: Path, texts: tuple[str, ...], seed: int | None) -> NDArray[np.float32]:
    """(n, width) mean of the last layer over a text's tokens without the special ones. A seed means random weights."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModel.from_pretrained(base, dtype=torch.float32) if seed is None else random_model(base, seed)
    tokens = tokenise(tokenizer, texts, LENGTH)
    longest_first, which = tokens.distinct(np.arange(len(tokens)))
    means = []
    with torch.inference_mode():
        for batch in tokens.batches(longest_first, 4096):
            padded, mask = tokens.padded(batch, 0)
            states = model.eval()(**as_tensors(padded, mask, torch.device("cpu"))).last_hidden_state
            places = np.arange(padded.shape[1])
            inner = (places > 0) & (places < tokens.lengths[batch][:, None] - 1)
            weights = torch.from_numpy(inner.astype(np.float32))[:, :, None]
            means.append(((states * weights).sum(1) / weights.sum(1).clamp(min=1)).numpy())
    return np.concatenate(means)[which]


def random_model(base: Path, seed: int) -> Any:
    torch.manual_seed(seed)
    return AutoModel.from_config(AutoConfig.from_pretrained(base))


def lora(split: Split, chosen: list[Post], cell: Cell, options: argparse.Namespace) -> list[str]:
    """The product's training, capped at 3,000 steps."""
    with tempfile.TemporaryDirectory() as folder:
        base = options.base
        if cell.method == "random":
            base = Path(folder)
            random_model(options.base, cell.seed).save_pretrained(base)
            AutoTokenizer.from_pretrained(options.base).save_pretrained(base)
        settings = {"max_steps": 3000} | options.settings
        config = replace(TrainConfig.from_dict(settings), base=str(base), seed=cell.seed)
        examples = [as_example(number, post) for number, post in enumerate(chosen)]
        encoder = fit(examples, [], config, progress=Silent()).encoder
        tokens = tokenise(encoder.tokenizer, [text for text, _ in split.test], LENGTH)
        return [LABELS[number] for number in logits(encoder.model, encoder, tokens).argmax(axis=1)]


def as_example(number: int, post: Post) -> Example:
    text, label = post
    return Example(
        str(number), text, tuple(float(label == other) for other in LABELS), 1.0, str(number), label
    )


def measure(cells: Sequence[Cell], options: argparse.Namespace) -> None:
    ways: dict[str, Callable[..., list[str]]] = {"linear": linear, "frozen": frozen, "lora": lora}
    ways |= {"frozen-random": frozen, "random": lora}
    for cell in cells:
        # Random weights depend on the shape and the tokens alone.
        base = "" if cell.method == "linear" else base_fingerprint(options.base)[:12]
        settings = options.settings if cell.method in ("lora", "random") else {}
        facts = vars(cell) | {"base": base, "dev": options.dev, "settings": settings}
        if any(facts.items() <= line.items() for line in read(options.results)):
            continue
        split = split_of(cell.set, options)
        chosen, began = draw(split, cell), time.perf_counter()
        score = macro_f1(split.test, ways[cell.method](split, chosen, cell, options))
        facts |= {"macro_f1": round(score, 2), "seconds": round(time.perf_counter() - began, 1)}
        facts["test_rows"] = len(split.test)
        with options.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")
        print(facts, flush=True)


def split_of(name: str, options: argparse.Namespace) -> Split:
    return cold(options.cold, options.dev) if name == "cold" else swsr(options.swsr, options.dev)


def write_texts(file: Path, posts: Sequence[Post]) -> None:
    """A text a line: the pool of `trainer.adapt`. Labels and test rows stay out."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{' '.join(text.split())}\n" for text, _ in posts), encoding="utf-8")


def read(results: Path) -> list[dict[str, Any]]:
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]


def refuse_mixtures(lines: Sequence[dict[str, Any]]) -> None:
    for name, methods in (("base", ("frozen", "lora")), ("settings", ("lora", "random"))):
        values = {json.dumps(line[name]) for line in lines if line["method"] in methods}
        if len(values) > 1:
            raise SystemExit(
                f"error: the results hold several {name}: {', '.join(sorted(values))}; keep a file for each"
            )


def table(lines: Sequence[dict[str, Any]], name: str) -> str:
    scores: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for line in lines:
        if line["set"] == name:
            scores[line["method"], line["size"]].append(line["macro_f1"])
    sizes = sorted({size for _, size in scores}, key=lambda size: (size == "all", len(size), size))
    table_rows = [f"| {name.upper()}, trained on | {' | '.join(sizes)} |", "|---" * (len(sizes) + 1) + "|"]
    for method, title in METHODS.items():
        cells = [scores.get((method, size), []) for size in sizes]
        if any(cells):
            table_rows.append(f"| {title} | {' | '.join(map(show, cells))} |")
    return "\n".join(table_rows)


def show(scores: Sequence[float]) -> str:
    if len(scores) < 2:
        return f"{scores[0]:.1f} (1)" if scores else ""
    return f"{np.mean(scores):.1f} ± {np.std(scores, ddof=1):.1f}" + (
        "" if len(scores) == 3 else f" ({len(scores)})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.encoder")
    add = parser.add_argument
    add("--results", type=Path)
    add("--table", action="store_true", help="print what the results hold, measure nothing")
    add(
        "--texts",
        type=Path,
        metavar="DIR",
        help="write the texts of the training rows there, measure nothing",
    )
    add("--cold", type=Path)
    add("--swsr", type=Path)
    add("--base", type=Path, default=Path("models/starter"))
    add("--sets", nargs="+", default=["cold", "swsr"])
    add("--sizes", nargs="+", default=["200", "1000", "5000", "all"])
    add("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    add("--seeds", type=int, default=3)
    add("--dev", action="store_true", help="on rows kept for choosing, not on the test rows")
    add("--part", default="0/1", metavar="K/M", help="every M-th cell, from the K-th on")
    add("--settings", type=json.loads, default={}, metavar="JSON", help="of trainer.train")
    options = parser.parse_args()
    if options.texts:
        for name in options.sets:
            write_texts(options.texts / f"{name}.txt", split_of(name, options).train)
        return
    if options.results is None:
        parser.error("--results FILE is needed to measure")
    if options.table:
        lines = [line for line in read(options.results) if line["dev"] == options.dev]
        refuse_mixtures(lines)
        print("\n\n".join(table(lines, name) for name in options.sets))
        return
    part, parts = map(int, options.part.split("/"))
    cells = [
        Cell(name, method, size, seed)
        for name in options.sets
        for size in options.sizes
        for method in options.methods
        for seed in range(1 if (method, size) == ("linear", "all") else options.seeds)
    ]
    measure(cells[part::parts], options)


if __name__ == "__main__":
    main()
