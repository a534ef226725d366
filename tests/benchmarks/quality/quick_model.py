r"""What a quick model between two rounds is worth, and before the first: labels against macro-F1 and violations found.

Run as (each with `--cold cold.tsv --swsr swsr.tsv`):
    python -m tests.benchmarks.quality.quick_model --part between --out FILE --seeds 10
    python -m tests.benchmarks.quality.quick_model --part first --out FILE --seeds 10
    python -m tests.benchmarks.quality.quick_model --out FILE --table

`between`: a champion of 100 random labels, then 200 more from the queue, ordered by the champion alone, by the quick
model alone, or by the mean of both; the quick model is learned again after every ten. The champion is a classifier over
frozen vectors, or an adapter with `--champion lora`, which takes minutes per seed. `first`: from no label to 200,
without a model, with the vectors alone after every 25 labels, or with vectors and characters after every ten.
Macro-F1 is that of one simple model learned from all the labels, so that only the choice of posts differs; with
`--champion lora` an adapter is trained on the last ones as well. A killed run resumes. `docs/active-learning.md` has
the last table.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from tests.benchmarks.encoder import cold, swsr
from tests.benchmarks.quality.active_learning import posts
from trainer.config import TrainConfig
from trainer.labels import Label
from trainer.linear.frozen import FrozenClassifier
from trainer.linear.proxy import Proxy
from trainer.running.device import leave_a_core
from trainer.scoring.embeddings import Embedder
from trainer.selection.lanes import Band, Composition, at_cold_start, cold_lanes, compose, pool_lanes
from trainer.simulation.learners import LoraLearner
from trainer.simulation.replay import Post
from trainer.statistics.metrics import macro_f1

POOL, TEST = 3_000, 1_500
EVERY, FEWEST, FEWEST_EACH = 10, 20, 3
COMPOSITION = Composition(second_opinion=0, held_out=0)
START, BETWEEN, FIRST = 100, (150, 200, 300), (50, 100, 200)

Scores = NDArray[np.floating]
Order = Callable[[Sequence[int]], Scores | None]
"""Positions of the labelled posts to (pool, 3); None while they teach no model."""


@dataclass(frozen=True)
class Bench:
    pool: Sequence[Post]
    test: Sequence[Post]
    vectors: Scores
    test_vectors: Scores

    def labels(self, at: Sequence[int]) -> list[str]:
        return [self.pool[one].label for one in at]

    def texts(self, at: Sequence[int]) -> list[str]:
        return [self.pool[one].text for one in at]

    def characters(self, at: Sequence[int]) -> Scores:
        model = Proxy.learn(self.texts(at), self.labels(at))
        return model.probabilities([post.text for post in self.pool])

    def both(self, at: Sequence[int]) -> Scores:
        return (self.characters(at) + self.frozen(at)) / 2

    def frozen(self, at: Sequence[int]) -> Scores:
        return FrozenClassifier.learn(self.vectors[at], self.labels(at)).probabilities(self.vectors)

    def macro_f1(self, at: Sequence[int]) -> float:
        """Of the mean of two models, over characters and over vectors."""
        frozen = FrozenClassifier.learn(self.vectors[at], self.labels(at)).probabilities(self.test_vectors)
        model = Proxy.learn(self.texts(at), self.labels(at))
        scores = frozen + model.probabilities([post.text for post in self.test])
        return 100 * macro_f1([post.label for post in self.test], scores.argmax(axis=1))

    def violations(self, at: Sequence[int]) -> int:
        return self.labels(at).count(Label.VIOLATION)

    @cached_property
    def adapters(self) -> LoraLearner:
        return LoraLearner(self.pool, self.test, TrainConfig())

    def next(
        self,
        scores: Scores,
        labelled: Sequence[int],
        count: int,
        shares: Composition,
        rng: np.random.Generator,
    ) -> list[int]:
        free = rng.permutation(np.setdiff1d(np.arange(len(self.pool)), labelled))
        lanes = pool_lanes(
            scores[free],
            shares,
            Band(),
            embed=lambda at: self.vectors[free[at]],
            rng=rng,
            ahead=max(count, 50),
        )
        served = compose(lanes, count, shares, first_turn=len(labelled))
        return [int(free[at]) for at, _lane in served]


def between(bench: Bench, seed: int, champion: str) -> Iterator[dict[str, Any]]:
    first = [int(at) for at in np.random.default_rng(seed).permutation(len(bench.pool))[:START]]
    if champion == "lora":
        learned = bench.adapters.learn(first, bench.labels(first), seed)
        known = np.asarray(learned.of_pool(np.arange(len(bench.pool))))
    else:
        known = bench.frozen(first)
    arms: dict[str, tuple[Order, int]] = {
        "the champion alone": (lambda _at: known, BETWEEN[-1] - START),
        "the quick model alone": (bench.characters, EVERY),
        "the mean of both": (lambda at: (bench.characters(at) + known) / 2, EVERY),
    }
    for arm, (order, every) in arms.items():
        rng, labelled = np.random.default_rng((seed, 1)), list(first)
        while len(labelled) < BETWEEN[-1]:
            scores = order(labelled)
            assert scores is not None
            labelled += bench.next(scores, labelled, every, COMPOSITION, rng)
        row = {"arm": arm, "at": _reached(bench, labelled, BETWEEN, START)}
        if champion == "lora":
            last = bench.adapters.learn(labelled, bench.labels(labelled), seed)
            row["adapter"] = 100 * last.macro_f1()
        yield row


def first(bench: Bench, seed: int, _champion: str) -> Iterator[dict[str, Any]]:
    arms: dict[str, tuple[Order, int]] = {
        "no model": (lambda _at: None, EVERY),
        "vectors, every 25 labels": (bench.frozen, 25),
        "vectors and characters, every 10": (bench.both, EVERY),
        "characters, every 10": (bench.characters, EVERY),
    }
    for arm, (order, every) in arms.items():
        rng, shares, labelled = np.random.default_rng(seed), at_cold_start(COMPOSITION), list[int]()
        lanes = cold_lanes(len(bench.pool), embed=lambda at: bench.vectors[at], rng=rng)
        start = [int(at) for at, _lane in compose(lanes, FIRST[-1], shares)]
        while len(labelled) < FIRST[-1]:
            scores = order(labelled) if _teach(bench.labels(labelled)) else None
            if scores is None:
                labelled += [at for at in start if at not in labelled][:5]
            else:
                labelled += bench.next(scores, labelled, every, shares, rng)
        yield {"arm": arm, "at": _reached(bench, labelled, FIRST, 0)}


def _teach(labels: Sequence[str]) -> bool:
    kinds = [labels.count(label) >= FEWEST_EACH for label in set(labels)]
    return len(labels) >= FEWEST and sum(kinds) >= 2


def _reached(bench: Bench, labelled: Sequence[int], counts: Sequence[int], start: int) -> dict[str, Any]:
    return {
        str(count): [bench.macro_f1(labelled[:count]), bench.violations(labelled[start:count])]
        for count in counts
    }


def bench_of(name: str, options: argparse.Namespace) -> Bench:
    split = cold(options.cold, dev=False) if name == "cold" else swsr(options.swsr, dev=False)
    pool, test = posts(split.train, POOL, seed=1), posts(split.test, TEST, seed=2)
    file = options.out.with_suffix(f".{name}.npz")
    if not file.exists():
        embedder = Embedder.load("starter")
        texts = [[post.text for post in some] for some in (pool, test)]
        np.savez(file, pool=embedder.vectors(texts[0]), test=embedder.vectors(texts[1]))
    vectors = np.load(file, allow_pickle=False)
    return Bench(pool, test, vectors["pool"], vectors["test"])


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []


def measure(options: argparse.Namespace) -> None:
    ways = {"between": between, "first": first}
    benches = {name: bench_of(name, options) for name in options.sets}
    for seed in range(options.seeds):
        for name, bench in benches.items():
            about = {"part": options.part, "champion": options.champion, "set": name, "seed": seed}
            if any(about.items() <= row.items() for row in read(options.out)):
                continue
            rows = [about | row for row in ways[options.part](bench, seed, options.champion)]
            with options.out.open("a", encoding="utf-8") as stream:
                stream.writelines(f"{json.dumps(row)}\n" for row in rows)


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Mean, and the difference from the first arm paired by seed with its 95% interval."""
    kinds = list(dict.fromkeys((row["part"], row["champion"], row["set"]) for row in rows))
    for kind in kinds:
        of_kind = [row for row in rows if (row["part"], row["champion"], row["set"]) == kind]
        print(*kind, f"({len({row['seed'] for row in of_kind})} seeds)")
        arms = list(dict.fromkeys(row["arm"] for row in of_kind))
        for arm in arms:
            cells = [_cell(of_kind, arms[0], arm, count) for count in of_kind[0]["at"]]
            if "adapter" in of_kind[0]:
                cells.append(f"adapter {_compared(of_kind, arms[0], arm, lambda row: row['adapter'])}")
            print(f"  {arm:<34}", " | ".join(cells))


def _cell(rows: Sequence[dict[str, Any]], base: str, arm: str, count: str) -> str:
    score, found = (
        _compared(rows, base, arm, lambda row, place=place: row["at"][count][place]) for place in (0, 1)
    )
    return f"{count}: {score}, violations {found}"


def _compared(
    rows: Sequence[dict[str, Any]], base: str, arm: str, value: Callable[[dict[str, Any]], float]
) -> str:
    of = {name: np.array([value(row) for row in rows if row["arm"] == name]) for name in (base, arm)}
    gains = of[arm] - of[base]
    if arm == base or len(gains) < 2:
        return f"{of[arm].mean():.1f}"
    half = student.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / len(gains) ** 0.5
    return (
        f"{of[arm].mean():.1f} ({gains.mean():+.1f} [{gains.mean() - half:+.1f}, {gains.mean() + half:+.1f}])"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.quality.quick_model")
    add = parser.add_argument
    add("--out", type=Path, required=True, help="rows as JSON lines; the vectors lie beside it")
    add("--cold", type=Path)
    add("--swsr", type=Path)
    add("--sets", nargs="+", default=["cold", "swsr"])
    add("--part", choices=("between", "first"), default="between")
    add("--champion", choices=("frozen", "lora"), default="frozen")
    add("--seeds", type=int, default=10)
    add("--table", action="store_true", help="print what the file holds, measure nothing")
    options = parser.parse_args()
    leave_a_core()
    if not options.table:
        measure(options)
    show(read(options.out))


if __name__ == "__main__":
    main()
