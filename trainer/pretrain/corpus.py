"""A corpus of text files as token ids, read as a stream and stored as two bytes per token (four for a large vocabulary)."""

import gzip
import lzma
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from trainer.chunks import in_chunks
from trainer.errors import DatasetError
from trainer.pretrain.config import CLS, MASK, PAD, SEP, UNK
from trainer.reading.marks import cap_marks

Ids = NDArray[np.unsignedinteger[Any]]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

HELD_OUT_ONE_IN = 300


@dataclass(frozen=True)
class Special:
    """Ids of the special tokens, `others` of those without a place of their own in a row."""

    pad: int = PAD
    cls: int = CLS
    sep: int = SEP
    mask: int = MASK
    others: tuple[int, ...] = (UNK,)

    @property
    def ids(self) -> tuple[int, ...]:
        return (self.pad, self.cls, self.sep, self.mask, *self.others)


@dataclass(frozen=True)
class Corpus:
    """The segments of all files: `ids[starts[i]:ends[i]]`, from file `files[i]`, for evaluation if `held_out[i]`.

    Ids are below `size`, the size of the vocabulary.
    """

    ids: Ids
    starts: Numbers
    ends: Numbers
    files: Numbers
    held_out: Flags
    size: int
    special: Special = field(default_factory=Special)

    @property
    def lengths(self) -> Numbers:
        return self.ends - self.starts

    @cached_property
    def ordinary(self) -> Numbers:
        """The ids that are no special token."""
        return np.setdiff1d(np.arange(self.size), self.special.ids)


def read_corpus(path: Path) -> Iterator[str]:
    openers: dict[str, Callable[..., Any]] = {".xz": lzma.open, ".gz": gzip.open}
    try:
        with openers.get(path.suffix, open)(path, "rt", encoding="utf-8") as lines:
            yield from (line.strip() for line in lines if line.strip())
    except UnicodeDecodeError as error:
        raise DatasetError(
            "{path}: not UTF-8 ({problem}); save the file as UTF-8", path=path, problem=error.reason
        ) from error
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise DatasetError("{path}: cannot be read ({error})", path=path, error=error) from error


def fold(text: str) -> str:
    return unicodedata.normalize("NFKC", cap_marks(text)).lower()


def is_held_out(line: str, one_in: int = HELD_OUT_ONE_IN) -> bool:
    # By the text alone: copies of a held-out line are held out in every file and run.
    return zlib.crc32(line.encode()) % one_in == 0


def encode_lines(tokenizer: Tokenizer, lines: Iterable[str]) -> Iterator[tuple[str, Ids]]:
    dtype: type[np.unsignedinteger[Any]] = np.uint16 if tokenizer.get_vocab_size() <= 2**16 else np.uint32
    for some in in_chunks(lines, 4096):
        encodings = tokenizer.encode_batch_fast(some, add_special_tokens=False)
        yield from ((line, np.array(e.ids, dtype=dtype)) for line, e in zip(some, encodings, strict=True))


def encode_corpus(
    tokenizer: Tokenizer, files: Sequence[Iterable[str]], room: int, held_out_one_in: int = HELD_OUT_ONE_IN
) -> Corpus:
    ids: list[Ids] = []
    rows: list[tuple[int, int, int, bool]] = []
    at = 0
    for number, lines in enumerate(files):
        for line, encoded in encode_lines(tokenizer, lines):
            held, end = is_held_out(line, held_out_one_in), at + len(encoded)
            rows.extend((cut, min(cut + room, end), number, held) for cut in range(at, end, room))
            ids.append(encoded)
            at = end
    if not rows:
        raise DatasetError("the corpus is empty: none of its files holds any text that is not excluded")
    starts, ends, owners, held_out = map(np.array, zip(*rows, strict=True))
    return Corpus(np.concatenate(ids), starts, ends, owners, held_out, tokenizer.get_vocab_size())
