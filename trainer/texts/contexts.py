"""Evidence that a variant spelling stands for a word: it occurs in the contexts of the word.

A context is the set of characters beside an occurrence. Each character weighs the log of the ratio of its frequency
in the contexts of the word to that in random contexts, as in naive Bayes. The evidence is the mean weight of the
contexts of the spelling, in standard errors from that of random contexts.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import log, sqrt

import numpy as np
import rjieba

from trainer.texts.normalisation import normalise
from trainer.texts.variants import Variant

NEAR = 2
"""Characters of a context on each side, without white space."""
REACH = 6
"""Characters of the text in which they are looked for."""
MOST_OF_WORD, RANDOM = 300, 300
"""Contexts of a word, and random ones."""
PRIOR = 20.0
"""Weight of the random contexts in the frequencies of a word's contexts."""
MOST_COUNTED = 25
"""Contexts of a spelling after which more of them add no evidence: they are not independent."""
LEAST_EVIDENCE = 2.0
"""In standard errors: by chance one spelling in forty has as much."""
ORDINARY = 3.0
"""Standard errors that a spelling in the dictionary needs in addition."""

Context = frozenset[str]


@dataclass(frozen=True)
class _Word:
    weights: dict[str, float]
    unseen: float
    mean: float
    deviation: float

    def weight(self, context: Context) -> float:
        return sum(self.weights.get(character, self.unseen) for character in context)


class Contexts:
    def __init__(self, texts: Sequence[str], rng: np.random.Generator) -> None:
        self._texts = [text.casefold() for text in texts]
        self._random = [*islice(_random_contexts(self._texts, rng), RANDOM)]
        self._frequencies = Counter(character for context in self._random for character in context)
        self._words: dict[str, _Word] = {}

    def evident(self, spellings: Mapping[Variant, Sequence[str]]) -> dict[Variant, float]:
        """The spellings with enough evidence, those with the most first, from the texts of each spelling."""
        evidence = {variant: self.evidence(variant, texts) for variant, texts in spellings.items()}
        ranked = sorted(evidence, key=lambda one: (-evidence[one], one.written, one.word))
        return {one: evidence[one] for one in ranked if evidence[one] >= LEAST_EVIDENCE}

    def evidence(self, variant: Variant, texts: Iterable[str]) -> float:
        """In standard errors; `texts` are those with the spelling. Copies of a context count once."""
        contexts = {context for text in texts for context in _contexts_of_variant(variant, text)}
        word = self._word(variant.word)
        if not contexts or not word.deviation:
            return 0.0
        mean = sum(map(word.weight, contexts)) / len(contexts)
        errors = (mean - word.mean) / word.deviation * sqrt(min(len(contexts), MOST_COUNTED))
        return errors - (ORDINARY if _is_ordinary(variant) else 0.0)

    def _word(self, word: str) -> _Word:
        if word not in self._words:
            self._words[word] = self._learn(word)
        return self._words[word]

    def _learn(self, word: str) -> _Word:
        contexts = [*islice((one for text in self._texts for one in _contexts(word, text)), MOST_OF_WORD)]
        counts = Counter(character for context in contexts for character in context)
        weights = {
            character: self._weight(character, counts[character], len(contexts))
            for character in counts.keys() | self._frequencies.keys()
        }
        unseen = log(PRIOR / (len(contexts) + PRIOR))
        unscaled = _Word(weights, unseen, 0.0, 0.0)
        random = [unscaled.weight(context) for context in self._random]
        return _Word(weights, unseen, float(np.mean(random or [0])), float(np.std(random or [0])))

    def _weight(self, character: str, count: int, contexts: int) -> float:
        share = (self._frequencies[character] + 1) / (len(self._random) + 1)
        return log((count + PRIOR * share) / (contexts + PRIOR) / share)


def _is_ordinary(variant: Variant) -> bool:
    return variant.how == "sound" and rjieba.has_word(variant.written)


def _contexts_of_variant(variant: Variant, text: str) -> Iterator[Context]:
    if variant.how != "letters":
        return _contexts(variant.written.casefold(), text.casefold())
    normal = normalise(text)
    matches = re.finditer(f"(?<![a-z]){variant.written}(?![a-z])", normal)
    return (_context(normal, match.start(), match.end()) for match in matches)


def _contexts(written: str, text: str) -> Iterator[Context]:
    at = text.find(written)
    while at >= 0:
        yield _context(text, at, at + len(written))
        at = text.find(written, at + len(written))


def _context(text: str, start: int, end: int) -> Context:
    before, after = normalise(text[max(0, start - REACH) : start]), normalise(text[end : end + REACH])
    return frozenset(before[-NEAR:] + after[:NEAR])


def _random_contexts(texts: Sequence[str], rng: np.random.Generator) -> Iterator[Context]:
    """Around two characters of a text, which is as long as most words are."""
    for at in rng.permutation(len(texts)):
        text = texts[at]
        if len(text) > 2 * NEAR:
            start = int(rng.integers(len(text) - 1))
            yield _context(text, start, start + 2)
