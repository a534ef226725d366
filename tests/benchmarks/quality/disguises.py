"""How many planted spellings of known words the radar lists, and how many of the spellings it lists are planted.

Run as: python -m tests.benchmarks.quality.disguises --posts cold.tsv
        python -m tests.benchmarks.quality.disguises --posts cold.tsv --show

The words are those typical of violations in labelled posts. In later posts a share of the occurrences of some of
them is replaced by a homophone, by initials, or by the letters with a sign between. Decoys replace other words: they
are ordinary words that sound like one of the known words. Real spellings that were not planted count as wrong.
"""

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random
from statistics import mean

import numpy as np
import rjieba

from trainer.labels import Label
from trainer.texts.contexts import Contexts
from trainer.texts.variants import Variant, Variants, readings
from workbench.overview.radar_scan import LABELLED, LISTED, SAMPLE, violation_words, words_in

EARLIER = 3 * SAMPLE
PLANTED, SHARE = 20, 0.3
FEWEST = 6
"""Posts with a word that is replaced."""
FILLED = range(20, 200)
"""Posts with a word that a decoy replaces."""
SIGNS = "-.·❤"
TRIES = 50


@dataclass(frozen=True)
class Listing:
    precision: float
    recall: float
    decoys: int


class Planting:
    """Labelled, current and earlier posts; `planted` maps a spelling to its word."""

    def __init__(self, rows: Sequence[tuple[str, str]], rng: Random) -> None:
        rows = rng.sample(rows, LABELLED + SAMPLE + EARLIER)
        self._rng = rng
        self.labelled = [text for _label, text in rows[:LABELLED]]
        self.words = violation_words(rows[:LABELLED])
        later = [text for _label, text in rows[LABELLED:]]
        self.current, self.earlier = later[:SAMPLE], later[SAMPLE:]
        self._sounds = _by_sound(later)
        self._posts_with = Counter(word for text in self.current for word in words_in(text))
        self.planted: dict[str, str] = {}
        self.decoys: set[str] = set()
        self._plant()
        self._plant_decoys()

    def _plant(self) -> None:
        words = [word for word in self.words if _is_chinese(word) and self._posts_with[word] >= FEWEST]
        ways = (self._homophone, self._homophone, self._apart, _initials)
        for number, word in enumerate(self._rng.sample(words, min(PLANTED, len(words)))):
            written = ways[number % len(ways)](word)
            self._replace(word, written)
            self.planted[written.strip()] = word

    def _plant_decoys(self) -> None:
        fillers = [
            word for word, posts in self._posts_with.items() if posts in FILLED and word not in self.words
        ]
        self._rng.shuffle(fillers)
        for word in self.words:
            homophones = self._ordinary_homophones(word) if len(word) == 2 else []
            if homophones and fillers:
                decoy = self._rng.choice(homophones)
                self._replace(fillers.pop(), decoy)
                self.decoys.add(decoy)

    def _replace(self, word: str, written: str) -> None:
        self.current = [
            text.replace(word, written) if word in text and self._rng.random() < SHARE else text
            for text in self.current
        ]

    def _homophone(self, word: str) -> str:
        for _ in range(TRIES):
            written = "".join(
                self._rng.choice(self._sounds[readings(one)[0]]) if self._rng.random() < 0.7 else one
                for one in word
            )
            if written not in self.words:
                return written
        return self._apart(word)

    def _apart(self, word: str) -> str:
        return self._rng.choice(SIGNS).join(word)

    def _ordinary_homophones(self, word: str) -> list[str]:
        written = map("".join, product(*(self._sounds[readings(one)[0]] for one in word)))
        taken = {*self.words, *self.planted}
        return [one for one in written if one not in taken and rjieba.has_word(one)]

    def listing(self, spellings: Iterable[Variant]) -> Listing:
        listed = list(spellings)[:LISTED]
        right = {one.written for one in listed if self.is_planted(one)}
        return Listing(
            sum(map(self.is_planted, listed)) / max(1, len(listed)),
            len(right & self.planted.keys()) / len(self.planted),
            sum(one.written in self.decoys for one in listed),
        )

    def is_planted(self, one: Variant) -> bool:
        """A word that contains the planted one counts too: 种族歧.视 beside 歧.视."""
        return any(written in one.written and word in one.word for written, word in self.planted.items())


def _by_sound(texts: Iterable[str]) -> dict[str, list[str]]:
    sounds: dict[str, list[str]] = defaultdict(list)
    for character in sorted({one for text in texts for one in text if _is_chinese(one)}):
        sounds[readings(character)[0]].append(character)
    return sounds


def _is_chinese(word: str) -> bool:
    return all("\u4e00" <= one <= "\u9fff" for one in word)


def _initials(word: str) -> str:
    return f" {''.join(readings(one)[0][0] for one in word)} "


def listings(planting: Planting, seed: int, *, show: bool) -> dict[str, Listing]:
    finder = Variants(planting.words)
    texts: dict[Variant, list[str]] = defaultdict(list)
    for text in planting.current:
        for one in finder.of(text):
            texts[one].append(text)
    before = Counter(one for text in planting.earlier for one in finder.of(text))
    by_count = sorted(texts, key=lambda one: (before[one] - len(texts[one]), one.written, one.word))
    sample = [*planting.labelled, *planting.current, *planting.earlier]
    evident = Contexts(sample, np.random.default_rng(seed)).evident(texts)
    for one, evidence in evident.items() if show else ():
        kind = "planted" if planting.is_planted(one) else "decoy" if one.written in planting.decoys else ""
        print(f"{one.written} = {one.word} {evidence:.1f} {len(texts[one])} {kind}")
    return {"by count": planting.listing(by_count), "by evidence": planting.listing(evident)}


def read_rows(file: Path, violations: str) -> list[tuple[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            (Label.VIOLATION if row["label"].startswith(violations) else Label.NORMAL, row["text"])
            for row in rows
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--posts", type=Path, required=True, help="a TSV with columns `text` and `label`")
    parser.add_argument("--violations", default="offensive", help="how the labels of violations begin")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--show", action="store_true", help="print the spellings with enough evidence")
    options = parser.parse_args()
    rows = read_rows(options.posts, options.violations)
    results = [
        listings(Planting(rows, Random(seed)), seed, show=options.show) for seed in range(options.seeds)
    ]
    print(f"| list | precision at {LISTED} | recall | decoys listed |\n|---|---|---|---|")
    for name in results[0]:
        some = [one[name] for one in results]
        figures = (mean(one.precision for one in some), mean(one.recall for one in some))
        print(f"| {name} | {figures[0]:.0%} | {figures[1]:.0%} | {mean(one.decoys for one in some):.1f} |")


if __name__ == "__main__":
    main()
