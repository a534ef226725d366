"""Token ids of many texts in flat arrays, in memory or mapped from files, so that every round can reuse them.

A file is one uncompressed Arrow table (`id`, `tokens`, `digest`) that is memory-mapped: ten million posts
need no more memory than the pages in use.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trainer.chunks import in_chunks
from trainer.texts.dataset import encodable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

AT_ONCE = 8_192
VERSION = 1
"""Version of the preprocessing before the tokenizer; a new number invalidates all stored tokens."""
DIGEST = 16
"""Bytes. Posts may be hostile: with eight bytes a collision of a harmless text with another could be computed."""


@dataclass(frozen=True)
class Tokens:
    """n texts as token ids.

    `values` holds flat ids, one array per file. The ids of text i are `lengths[i]` ids from `starts[i]` on in
    `values[shard[i]]`; the others are (n,). `digests` (n, 2) are equal exactly where the ids are.
    """

    values: Sequence[NDArray[np.integer[Any]]]
    shard: NDArray[np.int32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    digests: NDArray[np.uint64]

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]], dtype: Any = np.uint32) -> "Tokens":
        lengths = np.array([len(ids) for ids in texts], dtype=np.int64)
        flat = np.fromiter(chain.from_iterable(texts), dtype=dtype, count=int(lengths.sum()))
        starts = np.concatenate([[0], lengths.cumsum()[:-1]]).astype(np.int64)[: len(texts)]
        return cls([flat], np.zeros(len(texts), np.int32), starts, lengths, _digests(flat, lengths))

    @classmethod
    def joined(cls, parts: Sequence["Tokens"]) -> "Tokens":
        if not parts:
            return cls.of([])
        first = np.cumsum([0, *(len(part.values) for part in parts[:-1])])
        return cls(
            [values for part in parts for values in part.values],
            np.concatenate(
                [part.shard + np.int32(at) for part, at in zip(parts, first, strict=True)], dtype=np.int32
            ),
            np.concatenate([part.starts for part in parts]),
            np.concatenate([part.lengths for part in parts]),
            np.concatenate([part.digests for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(
        self, positions: NDArray[np.integer[Any]], pad_id: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """Token ids and attention mask, (k, longest) each; the mask is None if nothing was padded."""
        lengths = self.lengths[positions]
        places = np.arange(lengths.max(initial=0))
        is_text = places < lengths[:, None]
        at = self.starts[positions][:, None] + places
        ids = np.full(is_text.shape, pad_id, dtype=np.int64)
        shards = self.shard[positions]
        for shard in np.unique(shards):
            here = is_text & (shards == shard)[:, None]
            ids[here] = self.values[shard][at[here]]
        return ids, None if is_text.all() else is_text.astype(np.int64)

    def distinct(self, positions: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The positions of the distinct texts, longest first, and for each of `positions` its index among them.

        Longest first, so that a batch that does not fit the memory fails at once. Ties are ordered by
        content, so that batches depend on the set of texts and not on their order.
        """
        first, second = self.digests[positions, 0], self.digests[positions, 1]
        order = np.lexsort((second, first, -self.lengths[positions]))
        is_new = np.ones(len(order), dtype=bool)
        is_new[1:] = (np.diff(first[order]) != 0) | (np.diff(second[order]) != 0)
        which = np.empty(len(order), dtype=np.int64)
        which[order] = is_new.cumsum() - 1
        return positions[order[is_new]].astype(np.int64), which

    def batches(self, longest_first: NDArray[np.int64], budget: int) -> Iterator[NDArray[np.int64]]:
        at = 0
        while at < len(longest_first):
            count = max(1, budget // max(1, int(self.lengths[longest_first[at]])))
            yield longest_first[at : at + count]
            at += count


def tokenise(tokenizer: "PreTrainedTokenizerBase", texts: Iterable[str], max_length: int) -> Tokens:
    dtype = np.uint16 if len(tokenizer) <= 2**16 else np.uint32
    parts = []
    for some in in_chunks(texts, AT_ONCE):
        chunk = [encodable(text, max_length) for text in some]
        ids = tokenizer(chunk, truncation=True, max_length=max_length, return_attention_mask=False)
        parts.append(Tokens.of(ids["input_ids"], dtype))
    return _flat(parts) if parts else Tokens.of([], dtype)


def fingerprint(tokenizer: "PreTrainedTokenizerBase", max_length: int) -> str:
    """Equal for tokenizers for which `tokenise` gives equal ids on every text."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    facts = tokenizer.get_vocab() if backend is None else json.loads(backend.to_str())
    # These are settings of the last call and not of the tokenizer.
    facts = {name: fact for name, fact in facts.items() if name not in ("truncation", "padding")}
    own = [VERSION, type(tokenizer).__name__, tokenizer.truncation_side, max_length]
    described = json.dumps([facts, *own], sort_keys=True, ensure_ascii=False)
    return sha256(described.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def write_tokens(file: Path, ids: NDArray[np.int64], tokens: Tokens) -> None:
    whole = _flat([tokens])
    offsets = pa.array(np.concatenate([whole.starts, [len(whole.values[0])]]), pa.int64())
    digests = np.ascontiguousarray(whole.digests)
    table = pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "tokens": pa.LargeListArray.from_arrays(offsets, pa.array(whole.values[0])),
            "digest": pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(DIGEST), len(ids), [None, pa.py_buffer(digests.tobytes())]
            ),
        }
    )
    with pa.ipc.new_file(str(file), table.schema) as sink:
        sink.write_table(table, max_chunksize=max(1, len(ids)))


def read_tokens(file: Path) -> tuple[NDArray[np.int64], Tokens]:
    with pa.memory_map(str(file)) as source:
        table = pa.ipc.open_file(source).read_all().combine_chunks()
    if not len(table):
        return np.empty(0, np.int64), Tokens.of([])
    listed, digests = table["tokens"].chunk(0), table["digest"].chunk(0)
    offsets = listed.offsets.to_numpy()
    return table["id"].to_numpy(), Tokens(
        [listed.values.to_numpy()],
        np.zeros(len(table), np.int32),
        offsets[:-1],
        np.diff(offsets),
        np.frombuffer(digests.buffers()[1], dtype=np.uint64).reshape(-1, 2)[: len(table)],
    )


def select(tokens: Tokens, positions: NDArray[np.integer[Any]]) -> Tokens:
    return _flat(
        [
            Tokens(
                tokens.values,
                tokens.shard[positions],
                tokens.starts[positions],
                tokens.lengths[positions],
                tokens.digests[positions],
            )
        ]
    )


def _flat(parts: Sequence[Tokens]) -> Tokens:
    """All texts of the parts in one array."""
    whole = Tokens.joined(parts)
    starts = np.concatenate([[0], whole.lengths.cumsum()[:-1]]).astype(np.int64)[: len(whole)]
    flat = np.empty(int(whole.lengths.sum()), dtype=whole.values[0].dtype)
    for shard, values in enumerate(whole.values):
        here = whole.shard == shard
        lengths = whole.lengths[here]
        # Offset of each id within its text, for both its source and its target.
        inside = np.arange(lengths.sum()) - np.repeat(lengths.cumsum() - lengths, lengths)
        flat[np.repeat(starts[here], lengths) + inside] = values[
            np.repeat(whole.starts[here], lengths) + inside
        ]
    return Tokens([flat], np.zeros(len(whole), np.int32), starts, whole.lengths, whole.digests)


def _digests(flat: NDArray[np.integer[Any]], lengths: NDArray[np.int64]) -> NDArray[np.uint64]:
    """(n, 2), equal where the ids are, regardless of dtype."""
    data, ends = memoryview(flat.astype(np.uint32).tobytes()), lengths.cumsum() * 4
    digests = b"".join(
        blake2b(data[end - 4 * length : end], digest_size=DIGEST).digest()
        for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)
    )
    return np.frombuffer(digests, dtype=np.uint64).reshape(-1, 2)
