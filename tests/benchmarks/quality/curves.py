"""Real learning curves with a team's noise: the linear baseline on many draws of each set.

Run as: python -m tests.benchmarks.quality.curves --cold cold.tsv --swsr swsr.tsv --spam tg_spam.tsv --out curves.jsonl

A line is one set and seed: macro-F1 after 50, 100, ... labels drawn at random, on test posts shared by all seeds
(their mean over the seeds is the true curve) and on 300 and 1,000 other posts of this seed, equal in all its rounds.
Lines already in the file are not measured again, so a killed run resumes.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.encoder import Post, Split, cold, rows, swsr
from trainer.labels import LABELS
from trainer.linear.baseline import linear_baseline
from trainer.statistics.metrics import confusion, f1_macro, label_positions

SIZES = tuple(range(50, 1101, 50))
OWN_ROWS = (300, 1000)
RESAMPLES = 400


@dataclass(frozen=True)
class Curve:
    """One seed's macro-F1 at each of SIZES: `shared` on all seeds' posts, `own` by number of its own test rows."""

    set: str
    seed: int
    shared: list[float]
    own: dict[str, list[float]]
    errors: dict[str, list[float]]
    """Bootstrap standard errors of `own`."""


def spam(path: Path) -> Split:
    """Telegram messages; test rows have a hash whose first byte is below 77."""
    split = Split([], [])
    for _, text, label, _ in rows(path):
        is_test = hashlib.sha256(text.encode()).digest()[0] < 77
        (split.test if is_test else split.train).append((text, "violation" if label == "spam" else "normal"))
    return split


def parts(split: Split) -> tuple[list[Post], list[Post]]:
    """The shared test posts, and those from which a seed draws its own: 2,000 and the rest, or halves."""
    order = np.random.default_rng(0).permutation(len(split.test))
    shared = min(2000, len(split.test) // 2)
    return [split.test[row] for row in order[:shared]], [split.test[row] for row in order[shared:]]


def measure(name: str, split: Split, seed: int) -> Curve:
    rng = np.random.default_rng(seed)
    shared, rest = parts(split)
    most = min(max(OWN_ROWS), len(rest))
    own = [rest[row] for row in rng.permutation(len(rest))[:most]]
    drawn = [split.train[row] for row in rng.permutation(len(split.train))[: max(SIZES)]]
    matrices = [_confusions(drawn[:size], shared, own) for size in SIZES]
    common, *ours = zip(*matrices, strict=True)
    return Curve(
        name,
        seed,
        [_rounded(f1_macro(matrix)) for matrix in common],
        {
            str(count): [_rounded(f1_macro(m)) for m in per_size]
            for count, per_size in zip(OWN_ROWS, ours, strict=True)
        },
        {
            str(count): [_error(m, rng) for m in per_size]
            for count, per_size in zip(OWN_ROWS, ours, strict=True)
        },
    )


def _confusions(chosen: Sequence[Post], shared: Sequence[Post], own: Sequence[Post]) -> list[np.ndarray]:
    """Confusion matrices of the shared posts, then of each number of own ones."""
    test = [*shared, *own]
    probabilities = linear_baseline(
        [text for text, _ in chosen], [label for _, label in chosen], [text for text, _ in test]
    )
    predicted, truth = probabilities.argmax(axis=1), label_positions([label for _, label in test])
    weights, first = np.ones(len(test)), len(shared)
    ends = [slice(first), *(slice(first, first + count) for count in OWN_ROWS)]
    return [confusion(truth[part], predicted[part], weights[part]) for part in ends]


def _error(matrix: np.ndarray, rng: np.random.Generator) -> float:
    """Bootstrap standard error of macro-F1: resampling rows is a multinomial draw of the confusion matrix."""
    total = int(matrix.sum())
    drawn = rng.multinomial(total, (matrix / total).ravel(), RESAMPLES).reshape(-1, len(LABELS), len(LABELS))
    return _rounded(np.std(f1_macro(drawn.astype(float)), ddof=1))


def _rounded(value: float) -> float:
    return round(float(value), 5)


def read(file: Path) -> Iterator[Curve]:
    if file.exists():
        yield from (Curve(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.quality.curves")
    add = parser.add_argument
    add("--cold", type=Path)
    add("--swsr", type=Path)
    add("--spam", type=Path)
    add("--out", type=Path, required=True)
    add("--seeds", type=int, default=36)
    options = parser.parse_args()
    measured = {(curve.set, curve.seed) for curve in read(options.out)}
    ways = {"cold": lambda path: cold(path, False), "swsr": lambda path: swsr(path, False), "spam": spam}
    for name in (name for name in ways if getattr(options, name)):
        split = ways[name](getattr(options, name))
        for seed in range(options.seeds):
            if (name, seed) in measured:
                continue
            line = json.dumps(asdict(measure(name, split, seed)))
            with options.out.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            print(line, flush=True)


if __name__ == "__main__":
    main()
