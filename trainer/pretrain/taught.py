"""Lines with the sentence vectors of a teacher, in one safetensors file, and batches of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from tokenizers import Tokenizer
from torch import Tensor

from trainer.errors import DatasetError
from trainer.fitting.checkpoint import load_tensors, save_tensors
from trainer.pretrain.batches import MASKING, ORDER, group_by_length, make_batch
from trainer.pretrain.config import MASK, DistilConfig
from trainer.pretrain.corpus import Corpus, encode_lines, is_held_out

Vectors = NDArray[np.float16]


@dataclass(frozen=True)
class Taught:
    """`corpus` has one segment a line; `vectors` (lines, size) are of unit length."""

    corpus: Corpus
    vectors: Vectors


@dataclass(frozen=True)
class TaughtBatch:
    """`ids`, `places` and `masked` as in `Batch`; `vectors` (rows, size) of the teacher."""

    ids: Tensor
    places: Tensor
    masked: Tensor
    vectors: Tensor


def save_taught(lines: Sequence[str], vectors: Vectors, path: Path, facts: dict[str, str]) -> None:
    text = np.frombuffer("\n".join(lines).encode(), dtype=np.uint8)
    save_tensors({"text": torch.from_numpy(text.copy()), "vectors": torch.from_numpy(vectors)}, path, facts)


def read_taught(path: Path) -> tuple[list[str], Vectors]:
    """Raises DatasetError."""
    try:
        tensors, _ = load_tensors(path)
        lines = bytes(tensors["text"].numpy()).decode().split("\n")
        vectors = tensors["vectors"].numpy()
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise DatasetError("{path}: cannot be read ({error})", path=path, error=error) from error
    if len(lines) != len(vectors):
        raise DatasetError(
            "{path}: {lines} lines, but vectors of {vectors}; make the file again",
            path=path,
            lines=f"{len(lines):,}",
            vectors=f"{len(vectors):,}",
        )
    return lines, vectors


def load_taught(path: Path, tokenizer: Tokenizer, length: int) -> Taught:
    """Lines are cut at `length` tokens, `[CLS]` and `[SEP]` counted."""
    lines, vectors = read_taught(path)
    ids = [encoded[: length - 2] for _, encoded in encode_lines(tokenizer, lines)]
    ends = np.cumsum([len(encoded) for encoded in ids])
    starts = np.concatenate([[0], ends[:-1]])
    held_out = np.array([is_held_out(line) for line in lines])
    files = np.zeros(len(lines), dtype=np.int64)
    corpus = Corpus(np.concatenate(ids), starts, ends, files, held_out, tokenizer.get_vocab_size())
    return Taught(corpus, vectors)


def make_taught_batch(
    taught: Taught, numbers: NDArray[np.int64], config: DistilConfig, random: np.random.Generator
) -> TaughtBatch:
    """Every second row has places to predict, at least one in all; the others are read as they are."""
    batch = make_batch(taught.corpus, numbers, config.mask_rate, random)
    is_masked = torch.arange(len(numbers)) % 2 == 0
    places = batch.places[is_masked[batch.places // batch.ids.shape[1]]]
    masked = torch.where(is_masked[:, None], batch.masked, batch.ids)
    if not len(places):
        places = torch.tensor([1])
        masked[0, 1] = MASK
    return TaughtBatch(batch.ids, places, masked, torch.from_numpy(taught.vectors[numbers]).float())


def walk_taught(taught: Taught, config: DistilConfig, first: int) -> Iterator[TaughtBatch]:
    """The endless batches from number `first` on, determined by the seed."""
    members = np.flatnonzero(~taught.corpus.held_out)
    passed = turn = 0
    while True:
        order = np.random.default_rng([config.seed, ORDER, turn]).permutation(members)
        for start in range(0, len(order), config.pool):
            pool = order[start : start + config.pool]
            groups = group_by_length(taught.corpus.lengths[pool], config.batch_tokens)
            for number in np.random.default_rng([config.seed, ORDER, turn, start]).permutation(len(groups)):
                if passed >= first:
                    random = np.random.default_rng([config.seed, MASKING, passed])
                    yield make_taught_batch(taught, random.permutation(pool[groups[number]]), config, random)
                passed += 1
        turn += 1


def held_out_taught(taught: Taught, config: DistilConfig) -> list[TaughtBatch]:
    held_out = np.flatnonzero(taught.corpus.held_out)
    random = np.random.default_rng([config.seed, ORDER])
    groups = group_by_length(taught.corpus.lengths[held_out], config.batch_tokens)
    return [make_taught_batch(taught, held_out[group], config, random) for group in groups]
