"""Labels of posts that were drawn at random, and the weights that make them speak for all posts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.selection.lanes import RANDOM
from workbench.exports.jsonl import LabelledPost


def is_drawn(post: LabelledPost) -> bool:
    """Whether chance chose the post: it is held out, or was served in the random lane."""
    return post.split != "train" or post.line["lane"] == RANDOM


def drawn_weights(posts: Sequence[LabelledPost]) -> NDArray[np.float64]:
    """(n,) weights: a group of near-copies counts once.

    Held-out posts are weighted by inverse inclusion probability, rescaled to their own total, so that the two
    samples combine by size.
    """
    chances = [post.line.get("inclusion_probability") for post in posts]
    shares = np.array([post.line["weight"] for post in posts], dtype=np.float64)
    weights = np.array([share / (chance or 1.0) for share, chance in zip(shares, chances, strict=True)])
    is_held_out = np.array([chance is not None for chance in chances])
    if is_held_out.any():
        weights[is_held_out] *= shares[is_held_out].sum() / weights[is_held_out].sum()
    return weights
