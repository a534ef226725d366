"""Near-copies and splits. No database; deterministic on every machine.

Near-copies are detected by locality-sensitive hashing: the MinHash signature of a text's shingles, its pairs
of neighbouring letters, is cut into bands; texts that share a band are candidates, which are compared exactly
(Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, ch. 3). docs/duplicates.md has the
reasons for the constants.
"""

import hashlib
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from datasketch import MinHash
from datasketch.hashfunc import sha1_hash32
from numpy.typing import NDArray

from trainer.texts.characters import Table, letter
from trainer.texts.normalisation import key_of, normalise

BANDS = 20
ROWS = 4
SEED = 1
NEAR = 0.65
"""Jaccard similarity of shingles from which two posts are near-copies. With 20 bands of 4 rows a pair at 0.65
becomes a candidate with probability 0.980, at 0.7 with 0.996, at 0.8 with 0.99997.
"""

SPLITS = (("pool", 0.80), ("validation", 0.08), ("test", 0.10), ("audit", 0.02))
"""Name and share of each split. All but the pool are held out."""
_LETTERS = Table(letter)
_NUMBERS = [bytes([band]) for band in range(BANDS)]
_END = "\n"
"""Marks either end of a text; a normalised text holds no line feed."""


@dataclass(frozen=True)
class Fingerprint:
    group_key: bytes
    """The key of a group that begins with this text."""
    shingles: frozenset[str]
    band_keys: tuple[int, ...]


def split_of(key: bytes) -> str:
    # Hashed again with a prefix, so that the split is independent of any other use of the key.
    position = int.from_bytes(hashlib.sha256(b"split" + key).digest()[:8]) / 2**64
    for name, share in SPLITS:
        if position < share:
            return name
        position -= share
    return SPLITS[-1][0]


def shingles(text: str) -> frozenset[str]:
    """The pairs of neighbouring letters and digits of the normalised text, with either end as a letter.

    Other characters are skipped, so that dots or emoji between letters hide no copy, unless the text has
    nothing else.
    """
    return _shingles(normalise(text))


def band_keys(texts: Sequence[str]) -> NDArray[np.int64]:
    """(texts, BANDS) LSH keys; texts with a common key are candidates for near-copies."""
    return _band_keys(map(shingles, texts))


def fingerprints(texts: Sequence[str]) -> list[Fingerprint]:
    normal = list(map(normalise, texts))
    sets = list(map(_shingles, normal))
    keys = map(tuple, _band_keys(sets).tolist())
    return list(map(Fingerprint, map(key_of, normal), sets, keys))


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def _shingles(normal: str) -> frozenset[str]:
    ended = _END + (normal.translate(_LETTERS) or normal) + _END
    return frozenset(map(operator.add, ended, ended[1:]))


def _band_keys(sets: Iterable[frozenset[str]]) -> NDArray[np.int64]:
    signatures = MinHash.bulk(sets, num_perm=BANDS * ROWS, seed=SEED, hashfunc=_hash)
    digests = b"".join(_digests(signature.hashvalues) for signature in signatures)
    return np.frombuffer(digests, dtype=">i8").astype(np.int64).reshape(-1, BANDS)


@lru_cache(maxsize=200_000)
def _hash(shingle: str) -> int:
    return int(sha1_hash32(shingle.encode("utf-8", "surrogatepass")))


def _digests(hashvalues: NDArray[np.generic]) -> bytes:
    """8 bytes per band, concatenated."""
    values = np.asarray(hashvalues, dtype="<u8").tobytes()
    size = len(values) // BANDS
    # The band's number is part of the hash, so that equal values in different bands do not match.
    return b"".join(
        hashlib.blake2b(number + values[band * size : (band + 1) * size], digest_size=8).digest()
        for band, number in enumerate(_NUMBERS)
    )
