"""Recall of a budgeted scoring pass against a full one on real posts, and the speed of the cheap model.

Run as: python -m tests.benchmarks.quality.budget --write DIR --cold cold.tsv --swsr swsr.tsv
        python -m trainer.train --train DIR/cold-train.jsonl --eval DIR/cold-eval.jsonl --out DIR/cold-adapter --quick
        python -m trainer.score --model DIR/cold-adapter --pool DIR/cold-pool.jsonl --out DIR/cold-scores
        python -m tests.benchmarks.quality.budget --read DIR --sets cold
and likewise for swsr.

The adapter's scores of 9,000 posts are the truth: recall is the share of posts in the band (certainty 0.6 or less), or
of violations, that the pass picks. Half of COLD are violations, unlike a forum: the second table of each set keeps all
normal posts and thins the others to one in twenty. `docs/big-pools.md` has the last tables.
"""

import argparse
import hashlib
import json
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer

from tests.benchmarks.encoder import rows
from trainer.labels import LABELS
from trainer.linear.proxy import Proxy
from trainer.selection.budget import Picker
from trainer.texts.dataset import read_jsonl

TRAIN, EVAL, POOL = 1_500, 300, 9_000
TAUGHT = 2_000
SHARES = (0.05, 0.1, 0.2)
BAND_HIGH = 0.6
KINDS = {"safe": "normal", "offensive": "violation", "non-sexist": "normal", "sexist:MA": "suspicious"}


def write(folder: Path, name: str, tsv: Path) -> None:
    """Rows ordered by a hash of their text, split into training, early stopping and pool."""
    ordered = sorted((_hash(text), text, label) for _, text, label, _ in rows(tsv))
    parts = {
        "train": ordered[:TRAIN],
        "eval": ordered[TRAIN : TRAIN + EVAL],
        "pool": ordered[TRAIN + EVAL :][:POOL],
    }
    for part, part_rows in parts.items():
        lines = [
            {"id": str(at), "text": text, "label": _kind(label)}
            for at, (_, text, label) in enumerate(part_rows)
        ]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"{name}-{part}.jsonl").write_text(text, encoding="utf-8")


def measure(folder: Path, name: str) -> None:
    train, pool = (read_jsonl(folder / f"{name}-{part}.jsonl") for part in ("train", "pool"))
    table = pq.read_table(folder / f"{name}-scores" / "scores.parquet")
    scores = np.stack([table[label].to_numpy() for label in LABELS], axis=1)
    texts, is_normal = [post.text for post in pool], np.array([post.label == "normal" for post in pool])
    by_labels = Proxy.learn([post.text for post in train], [post.label for post in train])
    for what, positions in (("as it is", np.arange(len(pool))), ("one in twenty", _thinned(is_normal))):
        of, some_texts = scores[positions], [texts[at] for at in positions]
        taught = np.random.default_rng(0).choice(len(positions), TAUGHT, replace=False)
        by_adapter = Proxy.imitate([some_texts[at] for at in taught], of[taught])
        rest = np.setdiff1d(np.arange(len(positions)), taught)
        unsure, violation = of[rest].max(axis=1) <= BAND_HIGH, of[rest].argmax(axis=1) == len(LABELS) - 1
        print(
            f"\n{name}, {what}: {len(rest):,} posts, {unsure.mean():.1%} unsure, {violation.mean():.1%} violations"
        )
        print("| budget | unsure: by labels | by the adapter | violations: by labels | by the adapter |")
        print("|---|---|---|---|---|")
        for share in SHARES:
            picked = [
                _picked(proxy.probabilities([some_texts[at] for at in rest]), share)
                for proxy in (by_labels, by_adapter)
            ]
            cells = [
                f"{is_picked[wanted].mean():.0%}" for wanted in (unsure, violation) for is_picked in picked
            ]
            print(f"| {share:.0%} | {' | '.join(cells)} |", flush=True)


def speed(folder: Path, name: str) -> None:
    train, pool = (read_jsonl(folder / f"{name}-{part}.jsonl") for part in ("train", "pool"))
    proxy, texts = (
        Proxy.learn([post.text for post in train], [post.label for post in train]),
        [p.text for p in pool],
    )
    vectorizer = HashingVectorizer(analyzer="char", ngram_range=(1, 2), n_features=2**16)
    for what, work in (("ours", proxy.probabilities), ("HashingVectorizer alone", vectorizer.transform)):
        work(texts[:100])
        begin = time.process_time()
        work(texts)
        print(f"{what}: {len(texts) / (time.process_time() - begin):,.0f} posts per core-second", flush=True)


def _picked(scores: NDArray[np.float32], share: float) -> NDArray[np.bool_]:
    numbers = np.arange(1, len(scores) + 1)
    picker = Picker(len(numbers), round(share * len(numbers)))
    taken = picker.draw(numbers, np.zeros(len(numbers), dtype=bool))
    picker.consider(numbers[~taken], scores[~taken])
    return np.isin(numbers, picker.picked()[0])


def _thinned(is_normal: NDArray[np.bool_]) -> NDArray[np.intp]:
    normal, others = np.flatnonzero(is_normal), np.flatnonzero(~is_normal)
    few = np.random.default_rng(0).choice(others, min(len(others), len(normal) // 19), replace=False)
    return np.sort(np.concatenate([normal, few]))


def _kind(label: str) -> str:
    return KINDS.get(label, KINDS.get(label.partition(":")[0], "violation"))


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.quality.budget")
    add = parser.add_argument
    add("--write", type=Path, metavar="DIR", help="make the files to train on and to score")
    add("--read", type=Path, metavar="DIR", help="measure what was scored")
    add("--cold", type=Path)
    add("--swsr", type=Path)
    add("--sets", nargs="+", default=["cold", "swsr"])
    options = parser.parse_args()
    for name in options.sets:
        if options.write is not None:
            options.write.mkdir(parents=True, exist_ok=True)
            write(options.write, name, getattr(options, name))
        if options.read is not None:
            speed(options.read, name)
            measure(options.read, name)


if __name__ == "__main__":
    main()
