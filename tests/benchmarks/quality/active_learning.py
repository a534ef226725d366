r"""Labels that query strategies need, ours and others', simulated on real posts.

Run as (each with `--cold cold.tsv --swsr swsr.tsv`, the third without):
    python -m tests.benchmarks.quality.active_learning --out DIR --learner frozen --seeds 20
    python -m tests.benchmarks.quality.active_learning --out DIR --learner lora --seeds 3
    python -m tests.benchmarks.quality.active_learning --out DIR --table
    python -m tests.benchmarks.quality.active_learning --out NEW --chosen-by DIR --seeds 20 \
        --strategies random uncertain default

Beside `trainer.selection.strategies`: "raw band" (confidence from 0.4 to 0.6 in any order, the rest at random) and
BreakingTies of the small-text package over equal probabilities (`pip install small-text`, for this benchmark alone).
Sets: 9,000 posts of COLD's training part with 2,000 of its test part, and SWSR folded to three labels. With
`--chosen-by`, adapters learn from what the simple model's runs in DIR chose, at the end of their budget only. A killed
run resumes; sets can run in parallel. `docs/active-learning.md` has the last table.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.stats import t as student

from tests.benchmarks.encoder import Post as Row
from tests.benchmarks.encoder import cold, swsr
from trainer.config import TrainConfig
from trainer.running.device import leave_a_core
from trainer.running.progress import Bar
from trainer.selection.lanes import Band, Composition
from trainer.selection.strategies import in_band
from trainer.simulate import Runs, read_points, simulate, table, write_curves
from trainer.simulation.learners import FrozenLearner, LoraLearner
from trainer.simulation.replay import (
    DEFAULT,
    UNCERTAIN,
    Chooser,
    Plan,
    Post,
    Simulation,
    Unlabelled,
    choosers,
)

POOL, TEST = 9_000, 2_000
RAW_BAND, SMALL_TEXT = "raw-band", "small-text"
STRATEGIES = ("random", UNCERTAIN, DEFAULT, RAW_BAND, SMALL_TEXT)


def raw_band(posts: Unlabelled, count: int, rng: np.random.Generator) -> list[tuple[int, str]]:
    inside = in_band(posts.probabilities(), 0.4, 0.6)
    order = rng.permutation(posts.size)
    order = order[np.argsort(~inside[order], kind="stable")]
    return [(int(at), "") for at in order[:count]]


def small_text(posts: Unlabelled, count: int, rng: np.random.Generator) -> list[tuple[int, str]]:
    """small-text's own interface: a classifier that returns probabilities, indices in and out."""
    from small_text import BreakingTies  # noqa: PLC0415 - optional, only this strategy needs it

    probabilities = posts.probabilities()
    classifier = SimpleNamespace(predict_proba=lambda _: probabilities)
    everything, nothing = np.arange(posts.size), np.array([], dtype=int)
    chosen = BreakingTies().query(
        classifier, probabilities, everything, nothing, nothing, n=min(count, posts.size)
    )
    return [(int(at), "") for at in chosen]


def posts(rows: Sequence[Row], most: int, seed: int) -> list[Post]:
    chosen = np.random.default_rng(seed).permutation(len(rows))[:most]
    return [Post(str(at), *rows[at]) for at in chosen]


def measure(name: str, options: argparse.Namespace) -> None:
    split = cold(options.cold, dev=False) if name == "cold" else swsr(options.swsr, dev=False)
    pool, test = posts(split.train, POOL, seed=1), posts(split.test, TEST, seed=2)
    plan = Plan(options.budget, options.batch, candidates=options.candidates)
    if options.learner == "frozen":
        learner: Any = FrozenLearner(pool, test, "starter")
    else:
        learner = LoraLearner(pool, test, TrainConfig())
    composition = Composition(**options.composition)
    ways: dict[str, Chooser] = {RAW_BAND: raw_band, SMALL_TEXT: small_text}
    simulation = Simulation(pool, learner, plan, choosers(composition, Band()) | ways)
    made_of = {"set": name, "pool": len(pool), "test": len(test), "plan": asdict(plan)}
    made_of |= {
        "learner": options.learner,
        "settings": TrainConfig().to_dict(),
        "composition": options.composition,
    }
    runs = Runs(
        options.strategies, range(options.first, options.first + options.seeds), has_full=not options.no_full
    )
    out = folder(name, options)
    progress = Bar(f"{name} {options.learner}")
    write_curves(out, simulate(simulation, runs, out, made_of, progress))
    progress.close()


def teach(name: str, options: argparse.Namespace) -> None:
    split = cold(options.cold, dev=False) if name == "cold" else swsr(options.swsr, dev=False)
    pool, test = posts(split.train, POOL, seed=1), posts(split.test, TEST, seed=2)
    learner = LoraLearner(pool, test, TrainConfig())
    chosen: dict[tuple[str, int], list[int]] = {}
    for point in read_points(options.chosen_by / f"{name}-frozen"):
        chosen.setdefault((point.strategy, point.seed), []).extend(point.positions)
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"{name}-taught.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    macro_f1 = {(line["strategy"], line["seed"]): line["macro_f1"] for line in map(json.loads, lines)}
    for seed in range(options.first, options.first + options.seeds):
        for strategy in options.strategies:
            if (strategy, seed) not in macro_f1:
                at = chosen[strategy, seed][: options.budget]
                score = learner.learn(at, [pool[one].label for one in at], seed).macro_f1()
                macro_f1[strategy, seed] = score
                with file.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps({"strategy": strategy, "seed": seed, "macro_f1": score}) + "\n")
    for strategy in options.strategies:
        gains = [
            100 * (macro_f1[strategy, seed] - macro_f1["random", seed])
            for one, seed in macro_f1
            if one == strategy and ("random", seed) in macro_f1
        ]
        spread = np.std(gains, ddof=1) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
        low, high = student.interval(0.95, max(1, len(gains) - 1), np.mean(gains), spread)
        print(
            f"{name}, {strategy}: {np.mean(gains):+.2f} [{low:+.2f}, {high:+.2f}] points over random, {len(gains)} seeds"
        )


def folder(name: str, options: argparse.Namespace) -> Path:
    path: Path = options.out / f"{name}-{options.learner}"
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.quality.active_learning")
    add = parser.add_argument
    add("--out", type=Path, required=True)
    add("--cold", type=Path)
    add("--swsr", type=Path)
    add("--sets", nargs="+", default=["cold", "swsr"])
    add("--learner", choices=("lora", "frozen"), default="lora")
    add("--strategies", nargs="+", default=list(STRATEGIES))
    add("--seeds", type=int, default=3)
    add("--first", type=int, default=0, help="first seed: many processes can share the seeds, a folder each")
    add("--budget", type=int, default=500)
    add("--batch", type=int, default=50)
    add("--candidates", type=int, default=3_000, help="posts scored for each choice")
    add("--composition", type=json.loads, default={}, metavar="JSON")
    add("--no-full", action="store_true")
    add("--chosen-by", type=Path, metavar="DIR", help="where the simple model's runs are")
    add("--table", action="store_true", help="print what the folder holds, measure nothing")
    options = parser.parse_args()
    leave_a_core()
    for name in options.sets:
        if options.chosen_by:
            teach(name, options)
            continue
        if not options.table:
            measure(name, options)
        print(f"{name}, {options.learner}")
        print(table(write_curves(folder(name, options), read_points(folder(name, options)))), flush=True)


if __name__ == "__main__":
    main()
