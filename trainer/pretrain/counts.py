"""Initial token vectors from co-occurrence counts, without training.

Factored positive pointwise mutual information (Levy, Goldberg and Dagan, 2015): a minute in place of hours of
masked training. `docs/starter.md` measures the vectors alone.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from torch import Tensor
from torch.nn import functional

from trainer.pretrain.config import MASK
from trainer.pretrain.corpus import Corpus

WINDOW = 5
SMOOTHING = 0.75
SPREAD = 0.04
"""Standard deviation of the components of a token vector."""
PAIRS_AT_ONCE = 10_000_000


def count_pairs(corpus: Corpus) -> NDArray[np.float32]:
    """(size, size) counts of token pairs within WINDOW in one segment, in both directions.

    Dense, 4 * size**2 bytes: 2.3 GB for 24,000 tokens. Held-out text is not counted.
    """
    counts = np.zeros((corpus.size, corpus.size), dtype=np.float32)
    segment = np.repeat(np.arange(len(corpus.starts), dtype=np.int32), corpus.lengths)
    segment[np.repeat(corpus.held_out, corpus.lengths)] = -1
    for distance in range(1, WINDOW + 1):
        last = len(corpus.ids) - distance
        for start in range(0, last, PAIRS_AT_ONCE):
            here = slice(start, min(start + PAIRS_AT_ONCE, last))
            there = slice(here.start + distance, here.stop + distance)
            same = (segment[here] == segment[there]) & (segment[here] >= 0)
            left, right = corpus.ids[here][same], corpus.ids[there][same]
            pairs = coo_array((np.ones(len(left), np.float32), (left, right)), shape=counts.shape)
            summed = pairs.tocsr().tocoo()
            counts[summed.row, summed.col] += summed.data
            counts[summed.col, summed.row] += summed.data
    return counts


def inform(counts: NDArray[np.float32]) -> Tensor:
    """max(0, log p(i, j) / p(i) p(j)) with smoothed contexts; overwrites the counts."""
    counts[: MASK + 1] = counts[:, : MASK + 1] = 0
    rows = torch.from_numpy(counts.sum(axis=1))
    contexts = rows**SMOOTHING
    information = torch.from_numpy(counts)
    information /= rows.clamp(min=1)[:, None]
    information /= (contexts / contexts.sum()).clamp(min=1e-12)
    return information.clamp_(min=1).log_()


def count_vectors(counts: NDArray[np.float32], width: int, seed: int, device: torch.device) -> Tensor:
    """(size, width) token vectors with standard deviation SPREAD; random for special tokens and for tokens
    without pairs.

    Overwrites the counts.
    """
    torch.manual_seed(seed)
    rank = min(width, len(counts) - 1)
    vectors = torch.randn(len(counts), width)
    information = inform(counts).to(device)
    seen = (information.sum(1) > 0).cpu()
    if not seen.any():
        return vectors * SPREAD
    left, values, _ = torch.svd_lowrank(information, q=min(rank + 32, len(counts)), niter=2)
    projected = (left * values.sqrt())[:, :rank].cpu()
    vectors[seen, :rank] = functional.layer_norm((projected - projected[seen].mean(0))[seen], (rank,))
    return vectors * SPREAD
