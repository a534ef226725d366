"""Batches of posts of similar length, in random order.

`group_by_length` of `transformers.Trainer` pads more: it sorts longer stretches, and its batches cross their borders.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

MEGA_BATCH = 50
"""Batches of one length-sorted stretch: padding is small and order still random."""


class LengthGroupedBatches(Sampler[list[int]]):
    def __init__(self, lengths: Sequence[int], batch_size: int) -> None:
        self._lengths, self._batch_size = np.asarray(lengths), batch_size
        self.batches: list[list[int]] = []

    def draw(self, rng: np.random.Generator) -> None:
        """Draw the batches of the next epoch: row positions."""
        order = rng.permutation(len(self._lengths))
        stretch, size = self._batch_size * MEGA_BATCH, self._batch_size
        batches: list[list[int]] = []
        for start in range(0, len(order), stretch):
            mega = sorted(order[start : start + stretch].tolist(), key=self._lengths.__getitem__)
            batches.extend(mega[at : at + size] for at in range(0, len(mega), size))
        self.batches = [batches[position] for position in rng.permutation(len(batches))]

    def __iter__(self) -> Iterator[list[int]]:
        yield from self.batches

    def __len__(self) -> int:
        return math.ceil(len(self._lengths) / self._batch_size)
