"""How many planted copies of real posts are found, and which real posts are taken for copies.

Run as: python -m tests.benchmarks.quality.duplicates --posts cold.tsv
        python -m tests.benchmarks.quality.duplicates --posts cold.tsv --show 60

`--show` prints that many pairs of different real posts that are grouped, for a person to read.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from random import Random

from tests.benchmarks.quality.copies import WAYS
from trainer.texts.duplicates import NEAR, band_keys, shingles, similarity
from trainer.texts.normalisation import normalise
from trainer.texts.reading import read_texts
from workbench import accounts
from workbench.imports import intake
from workbench.imports.preparing import prepare
from workbench.imports.tsv import open_tsv
from workbench.project import init_project

LENGTHS = ((4, 9), (10, 19), (20, 39), (40, 79), (80, 10_000))
"""Characters of the normalised post, both ends inclusive."""
POSTS = 300
"""Posts of each length, copied in every way."""
RANDOM_PAIRS = 100_000
STEPS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MOST = 200
"""Posts of one band that are compared with each other, equal to the product's limit."""


@dataclass(frozen=True)
class Matches:
    """Pairs of a kind; `like` are similar enough, `grouped` of those also share a band."""

    pairs: int
    like: int
    grouped: int


def compare(pairs: Sequence[tuple[str, str]]) -> Matches:
    ones, others = (band_keys([pair[side] for pair in pairs]) for side in (0, 1))
    shares_band = (ones == others).any(axis=1)
    like = [similarity(shingles(one), shingles(other)) >= NEAR for one, other in pairs]
    grouped = sum(near and bool(meets) for near, meets in zip(like, shares_band, strict=True))
    return Matches(len(pairs), sum(like), grouped)


def recall(texts: Sequence[str], rng: Random) -> None:
    by_length = [[text for text in texts if least <= len(normalise(text)) <= most] for least, most in LENGTHS]
    chosen = [rng.sample(some, min(POSTS, len(some))) for some in by_length]
    heads = [f"{least}+" if most > 999 else f"{least}-{most}" for least, most in LENGTHS]
    print(f"| copy, recall in % at characters | {' | '.join(heads)} | all | missed by the bands |")
    print("|---" * (len(heads) + 3) + "|")
    for way, copy in WAYS.items():
        cells = [_planted(some, [copy(text, rng) for text in some]) for some in chosen]
        total = Matches(
            *(sum(getattr(cell, name) for cell in cells) for name in ("pairs", "like", "grouped"))
        )
        shares = [f"{100 * cell.grouped / cell.pairs:.0f}" if cell.pairs else "" for cell in (*cells, total)]
        print(f"| {way} | {' | '.join(shares)} | {total.like - total.grouped} of {total.like} |", flush=True)


def _planted(texts: Sequence[str], copies: Sequence[str]) -> Matches:
    """Only copies that differ from the text and are not empty after normalisation count."""
    pairs = [
        (text, copy) for text, copy in zip(texts, copies, strict=True) if copy != text and normalise(copy)
    ]
    return compare(pairs) if pairs else Matches(0, 0, 0)


def near_pairs(texts: Sequence[str]) -> Iterator[tuple[float, int, int]]:
    """(similarity, position, position) of the pairs that share a band."""
    buckets: dict[int, list[int]] = defaultdict(list)
    for place, keys in enumerate(band_keys(texts).tolist()):
        for key in set(keys):
            buckets[key].append(place)
    pairs = {pair for some in buckets.values() for pair in combinations(some[:MOST], 2)}
    sets = [shingles(text) for text in texts]
    return ((similarity(sets[one], sets[other]), one, other) for one, other in sorted(pairs))


def precision(texts: Sequence[str], rng: Random, show: int) -> None:
    random_pairs = [tuple(rng.sample(texts, 2)) for _ in range(RANDOM_PAIRS)]
    print(f"\nRandom pairs grouped: {compare(random_pairs).grouped} of {RANDOM_PAIRS:,}")
    normal = [normalise(text) for text in texts]
    pairs = [pair for pair in near_pairs(texts) if normal[pair[1]] != normal[pair[2]]]
    print("\n| likeness of real posts that share a band | pairs | grouped |\n|---|---|---|")
    for low, high in zip(STEPS, (*STEPS[1:], 1.01), strict=True):
        some = [likeness for likeness, *_ in pairs if low <= likeness < high]
        print(f"| {low} to {min(high, 1)} | {len(some):,} | {sum(one >= NEAR for one in some):,} |")
    grouped = [pair for pair in pairs if pair[0] >= NEAR]
    for likeness, one, other in rng.sample(grouped, min(show, len(grouped))):
        print(f"\n{likeness:.2f}  {texts[one]}\n      {texts[other]}")


def speed(file: Path, texts: Sequence[str]) -> None:
    print()
    for name, work in (
        ("normalise", lambda: list(map(normalise, texts))),
        ("sign", lambda: band_keys(texts)),
    ):
        begin = time.process_time()
        work()
        print(f"{name}: {len(texts) / (time.process_time() - begin):,.0f} posts/s")
    with tempfile.TemporaryDirectory() as folder:
        project = init_project(Path(folder) / "project")
        with open_tsv(file) as source:
            intake.import_rows(project, accounts.command_line(project), source)
        begin = time.process_time()
        count = prepare(project)
        print(f"group in a project: {count / (time.process_time() - begin):,.0f} posts/s")
        project.database.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--posts", type=Path, required=True, help="a TSV with a `text` column")
    parser.add_argument("--show", type=int, default=0, help="pairs of grouped real posts to print")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    texts = [text for _, text in read_texts(options.posts)]
    recall(texts, Random(options.seed))
    precision(texts, Random(options.seed), options.show)
    speed(options.posts, texts)


if __name__ == "__main__":
    main()
