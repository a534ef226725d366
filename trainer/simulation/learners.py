"""Learners of a simulation: the trainer of live rounds, or a classifier over frozen vectors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainer.adapters.encoder import Encoder, build, merged
from trainer.config import TrainConfig
from trainer.fitting.training import fit
from trainer.labels import LABELS, Label
from trainer.linear.frozen import FrozenClassifier
from trainer.running.progress import Silent
from trainer.scoring.embeddings import Embedder
from trainer.scoring.scorer import logits
from trainer.selection.strategies import Positions, Probabilities
from trainer.simulation.replay import Learned, Post
from trainer.statistics.calibration import Calibration
from trainer.statistics.metrics import macro_f1
from trainer.statistics.vector_scaling import apply_calibration
from trainer.texts.dataset import Example
from trainer.texts.tokens import Tokens, select, tokenise


class Vectors:
    def __init__(self, base: str, texts: Sequence[str]) -> None:
        self._embedder, self._texts = Embedder.load(base), texts
        self._vectors = np.zeros((len(texts), self._embedder.width), dtype=np.float32)
        self._is_computed = np.zeros(len(texts), dtype=bool)

    def of(self, positions: Positions) -> NDArray[np.float32]:
        missing = positions[~self._is_computed[positions]]
        self._vectors[missing] = self._embedder.vectors([self._texts[at] for at in missing])
        self._is_computed[missing] = True
        return self._vectors[positions]


class FrozenLearner:
    """Logistic regression over frozen vectors: seconds for a whole run."""

    def __init__(self, pool: Sequence[Post], test: Sequence[Post], base: str) -> None:
        self._vectors = Vectors(base, [post.text for post in pool])
        self._test = Vectors(base, [post.text for post in test]).of(np.arange(len(test)))
        self._truth = [post.label for post in test]

    def embed(self, positions: Positions) -> NDArray[np.floating]:
        return self._vectors.of(positions)

    def learn(self, positions: Sequence[int], labels: Sequence[str], seed: int) -> Learned:  # noqa: ARG002 - deterministic
        if len(set(labels)) < 2:
            return Guess(labels, self._truth)
        model = FrozenClassifier.learn(self._vectors.of(np.array(positions)), list(labels))
        return FrozenLearned(model, self._vectors, self._test, self._truth)


@dataclass(frozen=True)
class FrozenLearned:
    model: FrozenClassifier
    vectors: Vectors
    test: NDArray[np.float32]
    truth: Sequence[str]

    def of_pool(self, positions: Positions) -> Probabilities:
        return self.model.probabilities(self.vectors.of(positions))

    def macro_f1(self) -> float:
        return macro_f1(self.truth, self.model.probabilities(self.test).argmax(axis=1))


class LoraLearner:
    """Adapters trained as in live rounds, but for a fixed number of epochs, so that no labels go to validation.

    Without validation rows there is no calibration; the order by margin hardly depends on it.
    """

    def __init__(self, pool: Sequence[Post], test: Sequence[Post], config: TrainConfig) -> None:
        self._config, self._texts = config, [post.text for post in pool]
        self._vectors = Vectors(config.base, self._texts)
        tokenizer = build(config).tokenizer
        self._pool = tokenise(tokenizer, self._texts, config.max_length)
        self._test = tokenise(tokenizer, [post.text for post in test], config.max_length)
        self._truth = [post.label for post in test]

    def embed(self, positions: Positions) -> NDArray[np.floating]:
        return self._vectors.of(positions)

    def learn(self, positions: Sequence[int], labels: Sequence[str], seed: int) -> Learned:
        if len(set(labels)) < 2:
            return Guess(labels, self._truth)
        examples = [_example(at, self._texts[at], label) for at, label in zip(positions, labels, strict=True)]
        fitted = fit(examples, [], replace(self._config, seed=seed), progress=Silent())
        return LoraLearned(merged(fitted.encoder), self._pool, self._test, self._truth)


@dataclass(frozen=True)
class LoraLearned:
    encoder: Encoder
    pool: Tokens
    test: Tokens
    truth: Sequence[str]

    def of_pool(self, positions: Positions) -> Probabilities:
        return self._probabilities(select(self.pool, positions))

    def macro_f1(self) -> float:
        return macro_f1(self.truth, self._probabilities(self.test).argmax(axis=1))

    def _probabilities(self, tokens: Tokens) -> Probabilities:
        return apply_calibration(logits(self.encoder.model, self.encoder, tokens), Calibration.identity())


@dataclass(frozen=True)
class Guess:
    """Predicts the only label seen so far."""

    labels: Sequence[str]
    truth: Sequence[str]

    def of_pool(self, positions: Positions) -> Probabilities:
        return np.tile(np.eye(len(LABELS))[Label(self.labels[0]).position], (len(positions), 1))

    def macro_f1(self) -> float:
        return macro_f1(self.truth, [self.labels[0]] * len(self.truth))


def _example(number: int, text: str, label: str) -> Example:
    target = tuple(float(label == other) for other in LABELS)
    return Example(str(number), text, target, 1.0, str(number), label)
