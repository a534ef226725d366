"""Does an average of the adapter, a linear model and frozen vectors beat the adapter alone?

Run as: python -m tests.benchmarks.quality.committee --cold cold.tsv --swsr swsr.tsv --results results
        python -m tests.benchmarks.quality.committee --results results --table

A cell is one set, number of labels and seed. Each model's probabilities of the test rows go into `results` (a folder of
.npz files), so that a killed run resumes and mixtures are weighed afterwards. Weights are chosen on the other seeds, as a
project cannot choose them on its own test rows. The linear model comes with and without a channel of pinyin syllables;
disguised rows are the test rows of violations, with a third of their words written in other characters of the same
sound.
"""

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import rjieba
from numpy.typing import NDArray
from pypinyin import lazy_pinyin
from scipy.special import softmax
from scipy.stats import t as student
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import FeatureUnion, make_pipeline

from tests.benchmarks.encoder import LENGTH, Cell, Post, Split, as_example, cold, draw, swsr, vectors
from trainer.config import TrainConfig
from trainer.files import new_file
from trainer.fitting.training import fit
from trainer.labels import LABELS
from trainer.running.progress import Silent
from trainer.scoring.scorer import logits
from trainer.texts.tokens import tokenise

Probabilities = NDArray[np.float64]
Found = dict[str, NDArray[Any]]
"""`truth` holds positions of labels (n,), the rest probabilities (n, 3)."""
Weights = tuple[float, float]
WEIGHTS: list[Weights] = [(a / 10, b / 10) for a, b in product(range(11), repeat=2) if a + b <= 10]
"""Of the linear model and of frozen vectors; the adapter has the rest."""
EQUAL = (1 / 3, 1 / 3)
VIOLATION = LABELS.index("violation")
DISGUISED = 1 / 3


def syllables(text: str) -> list[str]:
    """Syllables and pairs of neighbours, without tones; other characters stand for themselves."""
    single = lazy_pinyin(text)
    return single + [f"{first} {second}" for first, second in pairwise(single)]


def features(pinyin: bool) -> FeatureUnion:
    channels = [("characters", TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True))]
    if pinyin:
        channels.append(("sounds", TfidfVectorizer(analyzer=syllables, sublinear_tf=True)))
    return FeatureUnion(channels)


def linear(chosen: Sequence[Post], texts: Sequence[str], pinyin: bool) -> Probabilities:
    model = make_pipeline(features(pinyin), LogisticRegression(C=4, class_weight="balanced", max_iter=1000))
    model.fit([text for text, _ in chosen], [label for _, label in chosen])
    return in_order(model.predict_proba(texts), model.classes_)


def frozen(chosen: Sequence[Post], split: Split, base: Path) -> Probabilities:
    train_vectors = vectors(base, tuple(text for text, _ in chosen), None)
    test_vectors = vectors(base, tuple(text for text, _ in split.test), None)
    middle, spread = train_vectors.mean(axis=0), train_vectors.std(axis=0) + 1e-6
    model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000)
    model.fit((train_vectors - middle) / spread, [label for _, label in chosen])
    return in_order(model.predict_proba((test_vectors - middle) / spread), model.classes_)


def in_order(found: Probabilities, classes: Sequence[str]) -> Probabilities:
    probabilities = np.zeros((len(found), len(LABELS)))
    probabilities[:, [LABELS.index(label) for label in classes]] = found
    return probabilities


def adapter(
    chosen: Sequence[Post], texts: Sequence[Sequence[str]], base: Path, seed: int
) -> list[Probabilities]:
    config = replace(TrainConfig(), base=str(base), seed=seed)
    encoder = fit([as_example(*pair) for pair in enumerate(chosen)], [], config, progress=Silent()).encoder
    scored = [logits(encoder.model, encoder, tokenise(encoder.tokenizer, some, LENGTH)) for some in texts]
    return [softmax(found.astype(np.float64), axis=1) for found in scored]


def same_sounds(texts: Sequence[str]) -> dict[str, list[str]]:
    by_sound: defaultdict[str, set[str]] = defaultdict(set)
    for character in {character for text in texts for character in text if "一" <= character <= "鿿"}:
        by_sound[lazy_pinyin(character)[0]].add(character)
    return {sound: sorted(characters) for sound, characters in by_sound.items()}


def disguise(text: str, sounds: Mapping[str, list[str]], random: np.random.Generator) -> str:
    return "".join(
        write_differently(word, sounds, random) if random.random() < DISGUISED else word
        for word in rjieba.cut(text)
    )


def write_differently(word: str, sounds: Mapping[str, list[str]], random: np.random.Generator) -> str:
    """A word of two or more Chinese characters in others of the same sound; other words as they are."""
    if len(word) < 2 or not all("一" <= character <= "鿿" for character in word):
        return word
    choices = [
        [other for other in sounds.get(sound, []) if other != own]
        for own, sound in zip(word, lazy_pinyin(word), strict=True)
    ]
    return "".join(str(random.choice(some)) if some else own for own, some in zip(word, choices, strict=True))


def measure(cell: Cell, options: argparse.Namespace) -> None:
    path = options.results / f"{cell.set}-{cell.size}-{cell.seed}.npz"
    if path.exists():
        return
    split = cold(options.cold, False) if cell.set == "cold" else swsr(options.swsr, False)
    chosen, texts = draw(split, cell), [text for text, _ in split.test]
    random, sounds = np.random.default_rng(cell.seed), same_sounds(texts)
    disguised = [disguise(text, sounds, random) for text, label in split.test if label == "violation"]
    clean, hidden = adapter(chosen, [texts, disguised], options.base, cell.seed)
    found: Found = {
        "truth": np.array([LABELS.index(label) for _, label in split.test]),
        "adapter": clean,
        "adapter-disguised": hidden,
        "frozen": frozen(chosen, split, options.base),
    }
    for name, pinyin in (("linear", False), ("pinyin", True)):
        both = linear(chosen, texts + disguised, pinyin)
        found |= {name: both[: len(texts)], f"{name}-disguised": both[len(texts) :]}
    with new_file(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **found)
    print(path.name, f"{100 * f1(found['truth'], clean):.1f}", flush=True)


def f1(truth: NDArray[Any], probabilities: Probabilities) -> float:
    found = probabilities.argmax(axis=1)
    return float(f1_score(truth, found, labels=np.unique(truth), average="macro"))


def mix(found: Found, simple: str, weights: Weights) -> Probabilities:
    of_linear, of_frozen = weights
    mixed: Probabilities = (
        of_linear * found[simple]
        + of_frozen * found["frozen"]
        + (1 - of_linear - of_frozen) * found["adapter"]
    )
    return mixed


def interval(differences: Sequence[float]) -> str:
    """Mean and 95% interval of paired differences, in points."""
    half = student.ppf(0.975, len(differences) - 1) * np.std(differences, ddof=1) / len(differences) ** 0.5
    return f"{mean(differences):+.1f} [{mean(differences) - half:+.1f}, {mean(differences) + half:+.1f}]"


def table(folder: Path) -> str:
    cells: defaultdict[tuple[str, int], list[Found]] = defaultdict(list)
    for path in sorted(folder.glob("*.npz")):
        name, labels, _ = path.stem.split("-")
        cells[name, int(labels)].append(dict(np.load(path, allow_pickle=False)))
    lines = [
        "| set, labels, seeds | adapter | frozen | linear | with pinyin | equal parts | chosen weights | with pinyin |"
    ]
    lines.append("|---" * 8 + "|")
    for (name, size), seeds in sorted(cells.items()):
        kinds = ("adapter", "frozen", "linear", "pinyin")
        columns = [f"{100 * np.mean([f1(one['truth'], one[kind]) for one in seeds]):.1f}" for kind in kinds]
        equal = [EQUAL] * len(seeds)
        columns.append(interval(gains(seeds, "linear", equal)))
        for simple in ("linear", "pinyin"):
            chosen = [best([other for other in seeds if other is not one], simple) for one in seeds]
            columns.append(interval(gains(seeds, simple, chosen)))
        lines.append(f"| {name.upper()}, {size}, {len(seeds)} | {' | '.join(columns)} |")
    return "\n".join([*lines, "", disguised_table(cells)])


def best(seeds: Sequence[Found], simple: str) -> Weights:
    return max(WEIGHTS, key=lambda w: sum(f1(one["truth"], mix(one, simple, w)) for one in seeds))


def gains(seeds: Sequence[Found], simple: str, weights: Sequence[Weights]) -> list[float]:
    """Points of macro-F1 over the adapter alone."""
    return [
        100 * (f1(one["truth"], mix(one, simple, some)) - f1(one["truth"], one["adapter"]))
        for one, some in zip(seeds, weights, strict=True)
    ]


def disguised_table(cells: Mapping[tuple[str, int], Sequence[Found]]) -> str:
    lines = [
        "| recall of violations | adapter | disguised | linear | disguised | with pinyin | disguised |",
        "|---" * 7 + "|",
    ]
    for (name, size), seeds in sorted(cells.items()):
        recalls: list[float] = []
        for kind in ("adapter", "linear", "pinyin"):
            recalls += [
                mean([recall(one[kind][one["truth"] == VIOLATION]) for one in seeds]),
                mean([recall(one[f"{kind}-disguised"]) for one in seeds]),
            ]
        lines.append(f"| {name.upper()}, {size} | {' | '.join(f'{100 * r:.1f}' for r in recalls)} |")
    return "\n".join(lines)


def recall(probabilities: Probabilities) -> float:
    return float((probabilities.argmax(axis=1) == VIOLATION).mean())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.quality.committee")
    add = parser.add_argument
    add("--results", type=Path, required=True, metavar="FOLDER")
    add("--table", action="store_true", help="print what the results hold, measure nothing")
    add("--cold", type=Path)
    add("--swsr", type=Path)
    add("--base", type=Path, default=Path("models/starter"))
    add("--sizes", nargs="+", default=["200", "1000"])
    add("--sets", nargs="+", default=["cold", "swsr"])
    add("--seeds", type=int, default=10)
    options = parser.parse_args()
    if options.table:
        print(table(options.results))
        return
    options.results.mkdir(parents=True, exist_ok=True)
    for seed in range(options.seeds):
        for name, size in product(options.sets, options.sizes):
            measure(Cell(name, "committee", size, seed), options)


if __name__ == "__main__":
    main()
