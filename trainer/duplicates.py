"""Normalise texts, find near-copies, assign splits. Pure: no database, the same on every machine.

Near-copies are found by locality-sensitive hashing: the MinHash signature of a text's character
3-grams is cut into bands, two texts that share a band are candidates, and candidates are compared
exactly (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, ch. 3).
"""

import hashlib
import unicodedata
from collections.abc import Sequence

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray

SHINGLE = 3
BANDS = 12
ROWS = 4
SEED = 1
NEAR = 0.7
"""Jaccard similarity of the 3-grams from which two posts count as near-copies. With 12 bands of
4 rows a pair at 0.7 becomes a candidate with probability 0.96, at 0.8 with 0.998."""

SPLITS = (("pool", 0.80), ("validation", 0.08), ("test", 0.10), ("audit", 0.02))
"""Name and share of each split. Everything but the pool is held out."""


def normalise(text: str) -> str:
    """What is left when case, width, white space and invisible characters are taken away."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if not c.isspace() and unicodedata.category(c) not in {"Cf", "Cc"})


def group_key(text: str) -> bytes:
    """16 bytes that equal texts share after normalising, on every machine."""
    return hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass")).digest()[:16]


def split_of(key: bytes) -> str:
    """The split of the group founded by the text with this key, drawn by hash."""
    # Hashed again with a word of its own, so that the split is independent of any other use of the key.
    position = int.from_bytes(hashlib.sha256(b"split" + key).digest()[:8]) / 2**64
    for name, share in SPLITS:
        if position < share:
            return name
        position -= share
    return SPLITS[-1][0]


def shingles(text: str) -> frozenset[str]:
    """The character 3-grams of the normalised text; shorter texts are one shingle."""
    normal = normalise(text)
    return frozenset(normal[i : i + SHINGLE] for i in range(max(1, len(normal) - SHINGLE + 1)))


def band_keys(texts: Sequence[str]) -> NDArray[np.int64]:
    """The LSH keys of each text.

    Returns:
        (len(texts), BANDS) integers; two texts with a common key are candidates for near-copies.
    """
    sets = [[s.encode("utf-8", "surrogatepass") for s in shingles(text)] for text in texts]
    signatures = MinHash.bulk(sets, num_perm=BANDS * ROWS, seed=SEED)
    return np.array([_keys(signature.hashvalues) for signature in signatures], dtype=np.int64).reshape(
        -1, BANDS
    )


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard similarity of two sets of shingles, 0 to 1."""
    return len(one & other) / len(one | other)


def _keys(hashvalues: NDArray[np.generic]) -> list[int]:
    bands = np.asarray(hashvalues, dtype="<u8").reshape(BANDS, ROWS)
    # The band's number is part of the hash: equal values in different bands are no match.
    digests = (
        hashlib.blake2b(bytes([band]) + row.tobytes(), digest_size=8).digest()
        for band, row in enumerate(bands)
    )
    return [int.from_bytes(digest, signed=True) for digest in digests]
