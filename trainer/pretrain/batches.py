"""The order of segments and the tokens to predict, both determined by the seed and the batch number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.errors import DatasetError
from trainer.pretrain.config import PretrainConfig
from trainer.pretrain.corpus import Corpus, Flags, Numbers

HELD_OUT_AT_MOST = 1500
ORDER, MASKING, HELD_OUT = (1 << 20, 1 << 21, 1 << 22)
"""Separate the uses of random generators that share a seed and a number."""


@dataclass(frozen=True)
class Batch:
    """`ids` (rows, length) before masking, `places` (asked,) the flat positions to predict, `masked` the ids
    with masks.
    """

    ids: Tensor
    places: Tensor
    masked: Tensor

    @property
    def answers(self) -> Tensor:
        return self.ids.flatten()[self.places]

    def to(self, device: torch.device) -> "Batch":
        return Batch(*(t.to(device, non_blocking=True) for t in (self.ids, self.places, self.masked)))


def mix_files(corpus: Corpus, weights: Sequence[float], cap: float) -> NDArray[np.float64]:
    """Share of each file in the tokens seen, by weight and at most `cap` while other files can take the rest."""
    is_trained = np.bincount(corpus.files[~corpus.held_out], minlength=len(weights)) > 0
    shares = np.where(is_trained, weights, 0.0)
    if shares.sum() <= 0:
        raise DatasetError("the corpus is too small: no file with a weight above zero has text to train on")
    shares /= shares.sum()
    cap = max(cap, 1 / np.count_nonzero(shares))
    while shares.max() > cap + 1e-9:
        free = shares < cap
        spare = 1 - cap * np.count_nonzero(~free)
        shares = np.where(free, spare * shares / shares[free].sum(), cap)
    return shares


def draw_pool(corpus: Corpus, shares: NDArray[np.float64], size: int, number: int, seed: int) -> Numbers:
    """About `size` segments for pool `number`: each file is read in shuffled order, repeatedly.

    Depends only on seed and number, so that a resumed run continues the sequence.
    """
    members = [np.flatnonzero((corpus.files == f) & ~corpus.held_out) for f in range(len(shares))]
    usual = np.array([corpus.lengths[m].mean() if len(m) else 1.0 for m in members])
    counts = shares / usual
    drawn = []
    for file, take in enumerate(np.ceil(size * counts / counts.sum()).astype(int)):
        turns, places = np.divmod(np.arange(number * take, (number + 1) * take), max(len(members[file]), 1))
        for turn in np.unique(turns):
            order = np.random.default_rng([seed, file, int(turn)]).permutation(members[file])
            drawn.append(order[places[turns == turn]])
    return np.concatenate(drawn)


def group_by_length(lengths: Numbers, batch_tokens: int) -> list[Numbers]:
    """Positions in batches of similar length with at most `batch_tokens` including padding, but at least one row."""
    order = np.argsort(-lengths, kind="stable")
    batches = []
    first = 0
    while first < len(order):
        rows = max(1, batch_tokens // (int(lengths[order[first]]) + 2))
        batches.append(order[first : first + rows])
        first += rows
    return batches


def pad_segments(corpus: Corpus, numbers: Numbers) -> Numbers:
    """(rows, longest + 2) ids: `[CLS]`, tokens, `[SEP]`, padding."""
    special = corpus.special
    lengths = corpus.lengths[numbers][:, None]
    at = np.arange(int(lengths.max()) + 2)[None, :]
    source = np.minimum(corpus.starts[numbers][:, None] + at - 1, len(corpus.ids) - 1)
    ids = np.where(at <= lengths, corpus.ids[source], special.pad).astype(np.int64)
    ids[:, 0] = special.cls
    ids[np.arange(len(numbers)), lengths[:, 0] + 1] = special.sep
    return ids


def make_batch(corpus: Corpus, numbers: Numbers, mask_rate: float, random: np.random.Generator) -> Batch:
    """A padded batch with `mask_rate` of its tokens to predict, at least one.

    Of these places 80% hold `[MASK]`, 10% another token, and 10% are unchanged.
    """
    ids = pad_segments(corpus, numbers)
    asked: Flags = (random.random(ids.shape) < mask_rate) & ~np.isin(ids, corpus.special.ids)
    if not asked.any():
        asked[0, 1] = True
    places = np.flatnonzero(asked)
    luck = random.random(len(places))
    other = corpus.ordinary[random.integers(0, len(corpus.ordinary), len(places))]
    masked = ids.copy()
    masked.flat[places] = np.where(luck < 0.8, corpus.special.mask, np.where(luck < 0.9, other, ids[asked]))
    return Batch(torch.from_numpy(ids), torch.from_numpy(places), torch.from_numpy(masked))


def walk_batches(corpus: Corpus, config: PretrainConfig, first: int, stride: int) -> Iterator[Batch]:
    """The endless batches `first`, `first + stride` and so on; each of `stride` processes has its own.

    Pools differ in their number of batches, so skipped batches are counted too, though not made.
    """
    shares = mix_files(corpus, list(config.corpus.values()), config.cap)
    passed = pool_number = 0
    while True:
        pool = draw_pool(corpus, shares, config.pool, pool_number, config.seed)
        groups = group_by_length(corpus.lengths[pool], config.batch_tokens)
        for turn in np.random.default_rng([config.seed, ORDER, pool_number]).permutation(len(groups)):
            if passed >= first and (passed - first) % stride == 0:
                random = np.random.default_rng([config.seed, MASKING, passed])
                yield make_batch(corpus, pool[groups[turn]], config.mask_rate, random)
            passed += 1
        pool_number += 1


def held_out_batches(corpus: Corpus, config: PretrainConfig) -> list[Batch]:
    held_out = np.flatnonzero(corpus.held_out)
    chosen = held_out[:: len(held_out) // HELD_OUT_AT_MOST + 1]
    random = np.random.default_rng([config.seed, HELD_OUT])
    groups = group_by_length(corpus.lengths[chosen], config.batch_tokens)
    return [make_batch(corpus, chosen[group], config.mask_rate, random) for group in groups]
