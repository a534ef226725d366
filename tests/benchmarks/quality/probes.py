"""Which vector of a base is the better one to classify from: the first classifier of a training, without a step.

Run as: python -m tests.benchmarks.quality.probes --cold cold.tsv --swsr swsr.tsv [--base FOLDER]

Macro-F1 after the same labels and on the same rows as in `tests.benchmarks.quality.settings`; a minute or two of one
core. `docs/training.md` has the last table.
"""

import argparse
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.encoder import LENGTH, Cell, Post, Split, cold, draw, macro_f1, show, swsr
from tests.benchmarks.quality.pooling import mean_pooled
from tests.benchmarks.quality.settings import VALIDATION_ROWS, examples
from trainer.adapters.encoder import Encoder
from trainer.config import TrainConfig
from trainer.fitting import training
from trainer.fitting.probed_head import last_layer, probe, vectors_into
from trainer.labels import LABELS
from trainer.texts.dataset import count_labels
from trainer.texts.tokens import tokenise

Vectors = NDArray[np.floating]
WAYS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "pooled [CLS]": nullcontext,
    "mean": mean_pooled,
}
SIZES = (100, 200, 500, 1000)


def scores(encoder: Encoder, split: Split, seeds: int, max_label_weight: float) -> dict[int, list[float]]:
    """Macro-F1 of each seed, by number of labels."""
    test = read(encoder, split.test)
    by_size: dict[int, list[float]] = {size: [] for size in SIZES}
    for seed in range(seeds):
        drawn = draw(split, Cell("", "", "all", seed))[VALIDATION_ROWS:][: max(SIZES)]
        vectors = read(encoder, drawn)
        for size in SIZES:
            weight, bias = probe(vectors[:size], targets(drawn[:size], max_label_weight))
            predicted = (test @ weight.T + bias).argmax(axis=1)
            by_size[size].append(macro_f1(split.test, [LABELS[label] for label in predicted]))
    return by_size


def read(encoder: Encoder, posts: Sequence[Post]) -> Vectors:
    layer = last_layer(encoder.model)
    if layer is None:
        raise SystemExit("error: the classifier of this base cannot be probed")
    return vectors_into(layer, encoder, tokenise(encoder.tokenizer, [text for text, _ in posts], LENGTH))


def targets(posts: Sequence[Post], max_label_weight: float) -> Vectors:
    rows = examples(posts, "")
    weighted = np.array([row.target for row in rows])
    weighted *= training.label_weights(count_labels(rows), max_label_weight)
    normalised: Vectors = weighted * len(rows) / weighted.sum()
    return normalised


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.quality.probes")
    add = parser.add_argument
    add("--cold", type=Path, required=True)
    add("--swsr", type=Path, required=True)
    add("--base", type=Path, default=Path("models/starter"))
    add("--seeds", type=int, default=5)
    options = parser.parse_args()
    config = TrainConfig(base=str(options.base))
    print(f"| set | vector | {' | '.join(f'{size:,}' for size in SIZES)} |\n{'|---' * (len(SIZES) + 2)}|")
    for name, split in (("COLD", cold(options.cold, True)), ("SWSR", swsr(options.swsr, True))):
        for title, way in WAYS.items():
            with way():
                encoder = training.build(config)
            by_size = scores(encoder, split, options.seeds, config.max_label_weight)
            print(f"| {name} | {title} | {' | '.join(map(show, by_size.values()))} |", flush=True)


if __name__ == "__main__":
    main()
