"""Calibration from few labels: expected calibration error of each way on other real posts.

Run as: python -m tests.benchmarks.quality.calibration --cold cold.tsv --swsr swsr.tsv --logits DIR
        python -m tests.benchmarks.quality.calibration --logits DIR --table

A cell is one set, number of labels, way of choosing them and seed: one training and those of its folds, stored as
logits in DIR and never repeated. "random" rows are drawn; half of the "chosen" rows are drawn too, the rest are those
that a linear model of the first half is least sure of, as in the queue. Each arm is then fitted on many draws of
validation rows. Test rows: 2,000 of COLD's dev part, a fifth of SWSR's training part. `docs/training.md` has the last
table.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.encoder import Cell, Post, Split, as_example, cold, draw, swsr
from trainer.config import TrainConfig
from trainer.fitting.out_of_fold import out_of_fold
from trainer.fitting.training import fit
from trainer.labels import LABELS, Label
from trainer.linear.baseline import linear_baseline
from trainer.running.progress import Silent
from trainer.scoring.scorer import logits
from trainer.statistics.calibration import Calibration
from trainer.statistics.metrics import reliability
from trainer.statistics.vector_scaling import apply_calibration, fit_calibration
from trainer.texts.folds import draw_folds
from trainer.texts.tokens import tokenise

POOL_OF_VALIDATION = 300
"""Rows from which validation rows are drawn."""
VALIDATION_ROWS = (0, 50, 100, 150)
DRAWS = 40
FOLDS = (3, 2)
Logits = Mapping[str, NDArray[Any]]
"""Logits (n, 3) of a cell: train_2 and train_3 (out of so many folds), validation and test; and labels by position."""


@dataclass(frozen=True)
class Training:
    set: str
    size: int
    choice: str
    seed: int
    folds: tuple[int, ...]

    def file(self, folder: Path) -> Path:
        return folder / f"{self.set}-{self.size}-{self.choice}-{self.seed}.npz"


def rows_of(training: Training, split: Split) -> tuple[list[Post], list[Post]]:
    everything = draw(split, Cell(training.set, "lora", "all", training.seed))
    validation, pool = everything[:POOL_OF_VALIDATION], everything[POOL_OF_VALIDATION:]
    if training.choice == "random":
        return pool[: training.size], validation
    first, others = pool[: training.size // 2], pool[training.size // 2 :]
    texts, labels = zip(*first, strict=True)
    probabilities = np.sort(linear_baseline(texts, labels, [text for text, _ in others]), axis=1)
    unsure = np.argsort(probabilities[:, -1] - probabilities[:, -2], kind="stable")[
        : training.size - len(first)
    ]
    return first + [others[place] for place in unsure], validation


def measure(training: Training, options: argparse.Namespace) -> None:
    """No row chooses an epoch, so that every draw of validation rows is unused before calibration."""
    split = cold(options.cold, True) if training.set == "cold" else swsr(options.swsr, True)
    learned, validation = rows_of(training, split)
    train = [as_example(at, post) for at, post in enumerate(learned)]
    config = TrainConfig(base=str(options.base), seed=training.seed)
    encoder = fit(train, [], config, progress=Silent()).encoder
    arrays: dict[str, NDArray[Any]] = {}
    for count in training.folds:
        folds = draw_folds(train, count, config.seed)
        arrays[f"train_{count}"] = out_of_fold(train, [], config, folds, progress=Silent())
    for name, rows in (("validation", validation), ("test", split.test)):
        tokens = tokenise(encoder.tokenizer, [text for text, _ in rows], config.max_length)
        arrays[name] = logits(encoder.model, encoder, tokens)
    for name, rows in (("train", learned), ("validation", validation), ("test", split.test)):
        arrays[f"{name}_labels"] = np.array([Label(label).position for _, label in rows])
    np.savez_compressed(training.file(options.logits), **arrays)


def arms(cell: Logits, chosen: NDArray[Any]) -> Iterator[tuple[str, Calibration]]:
    """Calibrations by arm name. Without chosen rows, the arm "validation" does not calibrate."""
    scores, targets = cell["validation"][chosen], one_hot(cell["validation_labels"][chosen])
    yield "validation", fit_calibration(scores, targets) if len(chosen) else Calibration.identity()
    for count in FOLDS:
        if f"train_{count}" in cell:
            joined = np.concatenate([cell[f"train_{count}"], scores])
            truth = np.concatenate([one_hot(cell["train_labels"]), targets])
            name = f"{count} folds and validation"
            yield name, fit_calibration(joined, truth, has_bias=False)
            yield f"{name}, with a bias", fit_calibration(joined, truth)


def one_hot(positions: NDArray[Any]) -> NDArray[np.float64]:
    return np.eye(len(LABELS))[positions]


def error(cell: Logits, calibration: Calibration) -> float:
    """Expected calibration error on the test rows, in hundredths."""
    probabilities = apply_calibration(cell["test"], calibration)
    held, sure, right = reliability(probabilities, cell["test_labels"]).T
    return float(100 * np.nansum(held * abs(sure - right)) / held.sum())


def errors(cell: Logits) -> dict[tuple[str, int], list[float]]:
    rng, measured = np.random.default_rng(0), defaultdict(list)
    for rows in VALIDATION_ROWS:
        for _ in range(DRAWS if rows else 1):
            chosen = rng.permutation(POOL_OF_VALIDATION)[:rows]
            for arm, calibration in arms(cell, chosen):
                measured[arm, rows].append(error(cell, calibration))
    return measured


def table(folder: Path) -> str:
    cells: defaultdict[str, list[dict[tuple[str, int], list[float]]]] = defaultdict(list)
    for file in sorted(folder.glob("*.npz")):
        cells[file.stem.rpartition("-")[0]].append(errors(dict(np.load(file))))
    head = ["", "", *(f"{rows} validation rows" for rows in VALIDATION_ROWS)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, seeds in cells.items():
        for arm in dict.fromkeys(arm for measured in seeds for arm, _ in measured):
            shown = [
                show([measured[arm, rows] for measured in seeds if (arm, rows) in measured])
                for rows in VALIDATION_ROWS
            ]
            lines.append(f"| {name} ({len(seeds)}) | {arm} | {' | '.join(shown)} |")
    return "\n".join(lines)


def show(draws: Sequence[Sequence[float]]) -> str:
    if not draws:
        return ""
    mean, worst = (
        np.mean([np.mean(cell) for cell in draws]),
        np.mean([np.quantile(cell, 0.9) for cell in draws]),
    )
    return f"{mean:.1f}" if max(map(len, draws)) == 1 else f"{mean:.1f} ({worst:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.quality.calibration")
    add = parser.add_argument
    add("--logits", type=Path, required=True, metavar="DIR", help="where trainings leave what they say")
    add("--table", action="store_true", help="print what the folder says, train nothing")
    add("--cold", type=Path)
    add("--swsr", type=Path)
    add("--base", type=Path, default=Path("models/starter"))
    add("--sets", nargs="+", default=["cold", "swsr"])
    add("--sizes", nargs="+", type=int, default=[300, 1000])
    add("--choices", nargs="+", default=["chosen"], choices=["chosen", "random"])
    add("--seeds", type=int, default=2)
    add("--folds", nargs="+", type=int, default=[3], choices=FOLDS)
    options = parser.parse_args()
    if options.table:
        print(table(options.logits))
        return
    options.logits.mkdir(parents=True, exist_ok=True)
    for seed in range(options.seeds):
        for size in options.sizes:
            for choice in options.choices:
                for name in options.sets:
                    training = Training(name, size, choice, seed, tuple(options.folds))
                    if not training.file(options.logits).exists():
                        began = time.perf_counter()
                        measure(training, options)
                        print(training, f"{time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
