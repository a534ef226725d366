"""Scoring compared with the usual ways, on posts of 33 tokens on average.

Run as: python -m tests.benchmarks.scoring [--base base-size] [--posts 400] [--turns 3]
        python -m tests.benchmarks.scoring --adapter DIR --pool FILE        (agreement of 8 bits)

Ours is `trainer.scoring.scorer` from texts, as the worker's pass calls it part by part. The usual script pads every
post to 128 tokens, 32 at a time, with an unmerged adapter. The peers are the pipeline of transformers and
CrossEncoder.predict of sentence-transformers (`pip install sentence-transformers`, for this benchmark alone; left out
if missing). All take turns in one process. "base-size" has BERT-base's shape and random weights, enough for speed.
"""

import argparse
import json
import math
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from functools import partial
from importlib.util import find_spec
from io import StringIO
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftModel
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    pipeline,
)

from trainer import train
from trainer.adapters.encoder import quiet
from trainer.adapters.folders import resolve_base
from trainer.labels import LABELS
from trainer.running.device import default_device, device_name, has_bf16, leave_a_core
from trainer.scoring.eight_bit import eight_bit_network, quantise
from trainer.scoring.scorer import Scorer, token_budget
from trainer.texts.reading import read_texts

SHARE = 0.88
"""Share of each sample post that is kept: reduces their mean from 37 to 33 tokens and preserves the spread."""
MANY = 50_000
"""Posts for which padding is counted. Among few posts, hardly two have equal lengths."""
SQUARE, SQUARE_ON_GPU = 2_048, 8_192
"""Rows of the square matrices whose product measures the machine's peak."""
ON_GPU = 200_000
"""Posts of our own passes on a GPU, which reaches full speed only after millions of tokens. The peers hold one batch at a
time, so more posts do not change their rate.
"""
PEAK = {
    "NVIDIA H100 80GB HBM3": 989e12,
    "NVIDIA H200": 989e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA A10": 125e12,
}
"""FLOP/s in bf16, dense, from the makers' data sheets."""


def posts(count: int) -> list[str]:
    """Repeats the sample where it is too small. One character of each post is random, so no two are scored as one."""
    sample = Path(__file__).parents[2] / "data" / "sample" / "posts.tsv"
    texts = [line.split("\t")[1] for line in sample.read_text(encoding="utf-8").split("\n")[1:-1]]
    cut = [text[: math.ceil(SHARE * len(text))] for text in texts]
    rng = np.random.default_rng(0)
    changed = []
    for text in islice(cycle(cut), count):
        at = int(rng.integers(0, max(1, len(text) - 2)))
        changed.append(text[:at] + chr(int(rng.integers(0x4E00, 0x9000))) + text[at + 1 :])
    return changed


def base_size(folder: Path) -> Path:
    tokenizer = AutoTokenizer.from_pretrained(resolve_base("starter"))
    torch.manual_seed(0)
    with quiet():
        BertModel(BertConfig(vocab_size=len(tokenizer))).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def adapter_on(base: str, folder: Path) -> Path:
    rows = [
        {"text": text, "label": LABELS[number % 3], "id": str(number), "group": str(number)}
        for number, text in enumerate(posts(12))
    ]
    for name in ("train", "eval"):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    settings = {"max_epochs": 1, "min_steps": 1, "max_steps": 2}
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    files = ["--train", folder / "train.jsonl", "--eval", folder / "eval.jsonl", "--out", folder / "adapter"]
    more = ["--base", base, "--config", folder / "config.json", "--progress", folder / "progress"]
    with redirect_stderr(StringIO()):
        assert train.main([*map(str, files), *map(str, more)]) == 0
    return folder / "adapter"


Way = Callable[[Sequence[str]], Any]
OURS = ("fp32", "bf16", "int8")
"""Our ways, by precision."""


def ways(adapter: Path, base: str, folder: Path) -> dict[str, Way]:
    scorer = Scorer.load(adapter)
    by_name: dict[str, Way] = {"fp32" if not has_bf16(scorer.device) else "bf16": scorer.probabilities}
    if scorer.device.type == "cpu":
        eight_bit = Scorer.load(adapter)
        eight_bit.network = eight_bit_network(quantise(eight_bit.encoder, folder))
        by_name["int8"] = eight_bit.probabilities
    tokenizer = AutoTokenizer.from_pretrained(adapter)
    dtype = torch.bfloat16 if has_bf16(scorer.device) else torch.float32
    plain = AutoModelForSequenceClassification.from_pretrained(
        resolve_base(base), num_labels=len(LABELS), dtype=dtype
    )
    model = PeftModel.from_pretrained(plain, str(adapter)).to(scorer.device, dtype).eval()
    by_name["usual"] = partial(usual, model, tokenizer)
    merged = folder / "merged"
    with quiet():
        scorer.encoder.model.save_pretrained(merged)  # type: ignore[operator]
        tokenizer.save_pretrained(merged)
    classify = pipeline(
        "text-classification", str(merged), device=scorer.device, batch_size=32, top_k=None, dtype=dtype
    )
    by_name["pipeline"] = lambda texts: classify(list(texts), truncation=True, max_length=128)
    if find_spec("sentence_transformers") is not None:
        from sentence_transformers import CrossEncoder  # noqa: PLC0415 - optional

        encoder = CrossEncoder(
            str(merged), max_length=128, device=str(scorer.device), model_kwargs={"dtype": dtype}
        )
        # CrossEncoder takes pairs: with an empty second text a pair is one token longer.
        by_name["CrossEncoder"] = lambda texts: encoder.predict([(text, "") for text in texts], batch_size=32)
    return by_name


@torch.inference_mode()
def usual(model: Any, tokenizer: Any, texts: Sequence[str]) -> NDArray[np.float32]:
    parts = []
    for start in range(0, len(texts), 32):
        some = list(texts[start : start + 32])
        batch = tokenizer(some, padding="max_length", max_length=128, truncation=True, return_tensors="pt")
        parts.append(model(**batch.to(model.device)).logits.float().cpu())
    scores: NDArray[np.float32] = torch.cat(parts).numpy()
    return scores


def rates(of: dict[str, Way], texts: Sequence[str], many: Sequence[str], turns: int) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in of}
    for score in of.values():
        score(texts[:16])
    for _ in range(turns):
        for name, score in of.items():
            begin = time.perf_counter()
            score(many if name in OURS else texts)
            seconds[name].append(time.perf_counter() - begin)
    counts = {name: len(many if name in OURS else texts) for name in of}
    return {name: counts[name] / median(durations) for name, durations in seconds.items()}


def stored_rate(scorer: Scorer, texts: Sequence[str], turns: int) -> float:
    """Posts per second over tokens stored before, as in a round."""
    tokens = scorer.tokenise(texts)
    order, _which = tokens.distinct(np.arange(len(tokens)))
    seconds = []
    for _ in range(turns + 1):  # warm-up
        begin = time.perf_counter()
        scorer.logits(tokens, order)
        seconds.append(time.perf_counter() - begin)
    return len(order) / median(seconds[1:])


def padding(scorer: Scorer, texts: Sequence[str]) -> tuple[float, float]:
    """Ratio of computed tokens to real ones in a pool of `MANY`, and the mean tokens of these texts."""
    tokens = scorer.tokenise(posts(MANY))
    order, _which = tokens.distinct(np.arange(len(tokens)))
    computed = sum(
        len(batch) * int(tokens.lengths[batch].max())
        for batch in tokens.batches(order, token_budget(scorer.device))
    )
    return computed / int(tokens.lengths[order].sum()), float(scorer.tokenise(texts).lengths.mean())


def gap(adapter: Path, texts: Sequence[str], raw: NDArray[np.float32]) -> float:
    scorer = Scorer.load(adapter)
    tokens = scorer.tokenise(texts)
    order, which = tokens.distinct(np.arange(len(tokens)))
    return float(np.abs(scorer.logits(tokens, order)[which] - raw).max())


def flops(adapter: Path, tokens: float, rate: float) -> float:
    """FLOP/s at this rate: two per weight and token, plus attention."""
    config = Scorer.load(adapter, device="cpu").encoder.model.config
    layers, width = config.num_hidden_layers, config.hidden_size
    weights = layers * (4 * width**2 + 2 * width * config.intermediate_size)
    return rate * tokens * 2 * (weights + layers * 2 * tokens * width)


def matrix_flops(device: torch.device, seconds: float = 1.0) -> float:
    """Peak FLOP/s of a matrix product: fp32 on a CPU, bf16 on a GPU."""
    rows = SQUARE_ON_GPU if device.type == "cuda" else SQUARE
    dtype = torch.bfloat16 if has_bf16(device) else torch.float32
    one, other = (torch.randn(rows, rows, device=device, dtype=dtype) for _ in range(2))
    best, end = math.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        one @ other
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begin)
    return float(2 * rows**3 / best)


def measure(
    folder: Path, *, base: str = "base-size", count: int = 160, turns: int = 1
) -> list[tuple[str, str, str, str]]:
    leave_a_core()
    if base == "base-size":
        base = str(base_size(folder / "base"))
    adapter = adapter_on(base, folder)
    texts, device = posts(count), default_device()
    many = posts(ON_GPU) if device.type == "cuda" else texts
    loaded = ways(adapter, base, folder)
    rate = rates(loaded, texts, many, turns)
    other = rate.pop("usual")
    peers = {name: rate.pop(name) for name in ("pipeline", "CrossEncoder") if name in rate}
    rows = [
        (
            f"score, posts/s ({device.type}, {name})",
            f"{ours:,.1f}",
            f"{other:,.1f} (padded to 128)",
            f"{ours / other:.1f}x",
        )
        for name, ours in rate.items()
    ]
    same = next(iter(rate))  # the precision of the others
    rows += [
        (
            f"score, posts/s ({device.type}, {same})",
            f"{rate[same]:,.1f}",
            f"{peer:,.1f} ({name})",
            f"{rate[same] / peer:.1f}x",
        )
        for name, peer in peers.items()
    ]
    waste, mean = padding(Scorer.load(adapter, device="cpu"), texts)
    rows.append((f"tokens computed over tokens, {MANY:,} posts", f"{waste:.4f}", "", ""))
    difference = gap(adapter, texts[:160], loaded["usual"](texts[:160]))
    rows.append((f"largest difference of the logits, {same}", f"{difference:.0e}", "", ""))
    if device.type == "cuda":
        stored = stored_rate(Scorer.load(adapter), many, turns)
        rows.append(
            (
                "score what is tokenised, posts/s",
                f"{stored:,.0f}",
                f"{other:,.0f} (padded to 128)",
                f"{stored / other:.1f}x",
            )
        )
    ours = flops(adapter, mean, stored if device.type == "cuda" else rate[same])
    ceilings = {"the machine's own matrix product": matrix_flops(device)}
    if device.type == "cuda" and device_name(device) in PEAK:
        ceilings["the maker's peak"] = PEAK[device_name(device)]
    rows += [
        (f"{same} TFLOP/s over {what}", f"{ours / 1e12:,.2f}", f"{most / 1e12:,.2f}", f"{ours / most:.2f}")
        for what, most in ceilings.items()
    ]
    return rows


def agreement(adapter: Path, pool: Path, count: int) -> None:
    texts = [text for _name, text in islice(read_texts(pool), count)]
    scorer = Scorer.load(adapter, device="cpu")
    exact = scorer.probabilities(texts)
    with tempfile.TemporaryDirectory() as folder:
        scorer.network = eight_bit_network(quantise(scorer.encoder, Path(folder)))
        eight_bit = scorer.probabilities(texts)
    same = float(np.mean(exact.argmax(axis=1) == eight_bit.argmax(axis=1)))
    moved = np.abs(exact - eight_bit).max(axis=1)
    print(
        f"{len(texts):,} posts: the same label on {same:.2%}; the probabilities move by {moved.mean():.4f}",
        end="",
    )
    print(f" on average, {np.quantile(moved, 0.99):.4f} in the 99th percentile, {moved.max():.4f} at most")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scoring")
    parser.add_argument("--base", default="base-size", metavar="NAME_OR_PATH")
    parser.add_argument("--posts", type=int, default=400)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--pool", type=Path)
    options = parser.parse_args()
    if options.adapter:
        agreement(options.adapter, options.pool, options.posts)
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| what | ours | the usual way | ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for row in measure(Path(folder), base=options.base, count=options.posts, turns=options.turns):
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
