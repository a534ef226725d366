"""Texts of one file that stand in another: learning from what is measured on would flatter the measure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from trainer.chunks import in_chunks
from trainer.texts.dataset import Example
from trainer.texts.duplicates import NEAR, Fingerprint, fingerprints, similarity
from trainer.texts.normalisation import group_key

CHUNK = 1_000


def without_copies(examples: Sequence[Example], others: Sequence[Example]) -> list[Example]:
    """The examples whose normalised text is none of the others'."""
    keys = {group_key(other.text) for other in others}
    return [example for example in examples if group_key(example.text) not in keys]


def near_copies(texts: Sequence[str], others: Sequence[str]) -> list[bool]:
    """Whether each text is a near-copy of one of the others. About 2,500 texts a second."""
    by_band: defaultdict[int, list[Fingerprint]] = defaultdict(list)
    for other in fingerprints(others):
        for key in other.band_keys:
            by_band[key].append(other)
    chunks = map(fingerprints, in_chunks(texts, CHUNK))
    return [_is_near(text, by_band) for chunk in chunks for text in chunk]


def _is_near(text: Fingerprint, by_band: Mapping[int, Sequence[Fingerprint]]) -> bool:
    candidates = (other for key in text.band_keys for other in by_band.get(key, ()))
    return any(
        text.group_key == other.group_key or similarity(text.shingles, other.shingles) >= NEAR
        for other in candidates
    )
