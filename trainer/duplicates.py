"""Normalise texts, find near-copies, assign splits. Pure: no database, the same on every machine.

Near-copies are found by locality-sensitive hashing: the MinHash signature of a text's shingles, its pairs
of neighbouring letters, is cut into bands, two texts that share a band are candidates, and candidates are
compared exactly (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, ch. 3).
What the constants were chosen by: docs/duplicates.md.
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from datasketch import MinHash
from datasketch.hashfunc import sha1_hash32
from numpy.typing import NDArray

from trainer.characters import Table, fold, letter

SHINGLE = 2
BANDS = 20
ROWS = 4
SEED = 1
NEAR = 0.65
"""Jaccard similarity of the shingles from which two posts count as near-copies. With 20 bands of 4 rows
a pair at 0.65 becomes a candidate with probability 0.980, at 0.7 with 0.996, at 0.8 with 0.99997."""

SPLITS = (("pool", 0.80), ("validation", 0.08), ("test", 0.10), ("audit", 0.02))
"""Name and share of each split. Everything but the pool is held out."""
_FOLDED = Table(fold)
_LETTERS = Table(letter)
_END = "\n"
"""Stands for either end of a text, which holds none once normalised."""


def normalise(text: str) -> str:
    """What is left when case, width, accents, white space and what cannot be seen are taken away.

    Letters and digits that look alike become one (`trainer.characters`).
    """
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFKC", apart.translate(_FOLDED))


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
    """The pairs of neighbouring letters and digits of the normalised text, each end counted as one more.

    What stands between letters is passed over, so that dots or emoji there hide no copy; a text of nothing
    else is taken as it is.
    """
    normal = normalise(text)
    ended = _END + (normal.translate(_LETTERS) or normal) + _END
    return frozenset(ended[i : i + SHINGLE] for i in range(len(ended) - SHINGLE + 1))


def band_keys(texts: Sequence[str]) -> NDArray[np.int64]:
    """The LSH keys of each text.

    Returns:
        (len(texts), BANDS) integers; two texts with a common key are candidates for near-copies.
    """
    sets = map(shingles, texts)
    signatures = MinHash.bulk(sets, num_perm=BANDS * ROWS, seed=SEED, hashfunc=_hash)
    return np.array([_keys(signature.hashvalues) for signature in signatures], dtype=np.int64).reshape(
        -1, BANDS
    )


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard similarity of two sets of shingles, 0 to 1."""
    return len(one & other) / len(one | other)


@lru_cache(maxsize=200_000)
def _hash(shingle: str) -> int:
    return int(sha1_hash32(shingle.encode("utf-8", "surrogatepass")))


def _keys(hashvalues: NDArray[np.generic]) -> list[int]:
    bands = np.asarray(hashvalues, dtype="<u8").reshape(BANDS, ROWS)
    # The band's number is part of the hash: equal values in different bands are no match.
    digests = (
        hashlib.blake2b(bytes([band]) + row.tobytes(), digest_size=8).digest()
        for band, row in enumerate(bands)
    )
    return [int.from_bytes(digest, signed=True) for digest in digests]
