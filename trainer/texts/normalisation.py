"""Normalised texts, and the key that equal ones share. Without the MinHash index, so that it loads quickly."""

import hashlib
import unicodedata

from trainer.reading.marks import cap_marks
from trainer.texts.characters import Table, fold

_FOLDED = Table(fold)


def normalise(text: str) -> str:
    """The text without case, width, accents, white space and invisible characters.

    Letters and digits that look alike become one (`trainer.texts.characters`).
    """
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", cap_marks(text)).casefold())
    return unicodedata.normalize("NFKC", apart.translate(_FOLDED))


def group_key(text: str) -> bytes:
    return key_of(normalise(text))


def key_of(normal: str) -> bytes:
    return hashlib.sha256(normal.encode("utf-8", "surrogatepass")).digest()[:16]
