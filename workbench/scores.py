"""A round's scores: append-only Parquet segments and a manifest, in the round's own folder.

Posts are scored in the order of their numbers, so the manifest's last post tells what is missing.
Reading needs no torch: pages and the queue use this module, the worker's `scoring` fills it.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trainer.config import LABELS

MANIFEST = "manifest.json"
ROWS_AT_ONCE = 100_000
SEGMENTS_KEPT = 32
"""In memory, about half a megabyte each."""


class Segment(TypedDict):
    """One line of the manifest; `last` is the number of its last post."""

    file: str
    last: int
    posts: int


@dataclass(frozen=True)
class Scores:
    """post_ids (n,) ascending; probabilities (n, labels) float32 in the order of LABELS, calibrated."""

    post_ids: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    def of(self, wanted: NDArray[np.int64]) -> "Scores":
        """The scores of the wanted posts that have one, in the order of `wanted`."""
        if not len(self.post_ids):
            return Scores(wanted[:0], self.probabilities)
        places = np.searchsorted(self.post_ids, wanted).clip(max=len(self.post_ids) - 1)
        is_scored = self.post_ids[places] == wanted
        return Scores(wanted[is_scored], self.probabilities[places[is_scored]])


def last_scored(folder: Path) -> int:
    """The number of the last post scored, 0 before the first."""
    return max((segment["last"] for segment in _segments(folder)), default=0)


def count_scored(folder: Path) -> int:
    """How many posts have a score."""
    return sum(segment["posts"] for segment in _segments(folder))


def append_segment(folder: Path, scores: Scores) -> None:
    """Add the scores of posts that all come after `last_scored`. Visible whole or not at all."""
    if not len(scores.post_ids):
        return
    folder.mkdir(parents=True, exist_ok=True)
    first, last = int(scores.post_ids[0]), int(scores.post_ids[-1])
    if first <= last_scored(folder):
        raise ValueError(f"post {first} has been scored already")
    name = f"{first:010d}-{last:010d}.parquet"
    _write(folder, name, scores)
    _write_manifest(folder, [*_segments(folder), {"file": name, "last": last, "posts": len(scores.post_ids)}])


def read_scores(folder: Path) -> Scores:
    """All scores of a round."""
    return _read(folder, _segments(folder))


def stream_scores(folder: Path, *, rows: int = ROWS_AT_ONCE) -> Iterator[Scores]:
    """All scores of a round in the order of the posts, `rows` at most at a time."""
    for segment in _segments(folder):
        with pq.ParquetFile(folder / segment["file"]) as file:
            for batch in file.iter_batches(batch_size=rows, columns=["post_id", *LABELS]):
                yield _scores(pa.Table.from_batches([batch]))


def read_scores_of(folder: Path, wanted: NDArray[np.int64]) -> Scores:
    """The scores of the wanted posts that have one: of no more files than these lie in."""
    found, before = [], 0
    for segment in _segments(folder):
        here = wanted[(wanted > before) & (wanted <= segment["last"])]
        before = segment["last"]
        if len(here):
            found.append(_kept(folder / segment["file"]).of(here))
    if not found:
        return _read(folder, ())
    return Scores(
        np.concatenate([part.post_ids for part in found]),
        np.concatenate([part.probabilities for part in found]),
    )


def read_first_scores(folder: Path, most: int) -> Scores:
    """The scores of the posts scored first, `most` at most: of no more files than these lie in."""
    before, needed = 0, []
    for segment in _segments(folder):
        if before < most:
            needed.append(segment)
        before += segment["posts"]
    found = _read(folder, needed)
    return Scores(found.post_ids[:most], found.probabilities[:most])


def read_in_parts(folder: Path) -> Iterator[Scores]:
    """All scores of a round, a file at a time, so that ten million need no more memory than a few thousand."""
    for segment in _segments(folder):
        yield _read(folder, [segment])


def count_of(folder: Path, post_ids: NDArray[np.int64]) -> int:
    """How many of these posts have a score."""
    return sum(
        int(np.isin(pq.read_table(folder / segment["file"])["post_id"].to_numpy(), post_ids).sum())
        for segment in _segments(folder)
        if _may_hold(segment, post_ids)
    )


def forget(folder: Path, post_ids: NDArray[np.int64]) -> int:
    """Take the scores of these posts out; returns how many went. Interrupted, it is done again.

    A post that later gets the number of the last one that went is scored like any other.
    """
    kept: list[Segment] = []
    gone = 0
    before = _segments(folder)
    for segment in before:
        if not _may_hold(segment, post_ids):
            kept.append(segment)
            continue
        found = _read(folder, [segment])
        stays = ~np.isin(found.post_ids, post_ids)
        rest = Scores(found.post_ids[stays], found.probabilities[stays])
        gone += len(found.post_ids) - len(rest.post_ids)
        if len(rest.post_ids) < len(found.post_ids) and len(rest.post_ids):
            _write(folder, segment["file"], rest)
        if len(rest.post_ids):
            kept.append(
                {"file": segment["file"], "last": int(rest.post_ids[-1]), "posts": len(rest.post_ids)}
            )
    if kept != before:
        _write_manifest(folder, kept)
        for segment in before:
            if segment["file"] not in {left["file"] for left in kept}:
                (folder / segment["file"]).unlink(missing_ok=True)
    return gone


def score_of(folder: Path, post_id: int) -> NDArray[np.float32] | None:
    """The probabilities (labels,) of one post, from the one file it lies in; None where it has none."""
    for segment in _segments(folder):
        if segment["last"] >= post_id:
            found = _read(folder, [segment]).of(np.array([post_id]))
            return found.probabilities[0] if len(found.post_ids) else None
    return None


def _read(folder: Path, segments: Sequence[Segment]) -> Scores:
    tables = [pq.read_table(folder / segment["file"]) for segment in segments]
    if not tables:
        return Scores(np.empty(0, np.int64), np.empty((0, len(LABELS)), np.float32))
    return _scores(pa.concat_tables(tables))


def _scores(table: pa.Table) -> Scores:
    return Scores(table["post_id"].to_numpy(), np.stack([table[name].to_numpy() for name in LABELS], axis=1))


def _may_hold(segment: Segment, post_ids: NDArray[np.int64]) -> bool:
    """A file is named after the first and the last post it was written with."""
    first, _dash, last = Path(segment["file"]).stem.partition("-")
    return bool(((post_ids >= int(first)) & (post_ids <= int(last))).any())


def _write(folder: Path, name: str, scores: Scores) -> None:
    columns = {name: scores.probabilities[:, position] for position, name in enumerate(LABELS)}
    part = folder / f"{name}.part"
    pq.write_table(pa.table({"post_id": scores.post_ids, **columns}), part)
    _publish(part, folder / name)


def _write_manifest(folder: Path, segments: Sequence[Segment]) -> None:
    part = folder / f"{MANIFEST}.part"
    part.write_text(json.dumps({"labels": LABELS, "segments": segments}, indent=1), encoding="utf-8")
    _publish(part, folder / MANIFEST)


def _kept(file: Path) -> Scores:
    """A segment, read once while it is asked for: segments never change, another file has another time."""
    return _read_once(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=SEGMENTS_KEPT)
def _read_once(file: Path, _changed: int) -> Scores:
    return _read(file.parent, [{"file": file.name, "last": 0, "posts": 0}])


def _segments(folder: Path) -> Sequence[Segment]:
    file = folder / MANIFEST
    if not file.exists():
        return []
    segments: list[Segment] = json.loads(file.read_text(encoding="utf-8"))["segments"]
    return segments


def _publish(part: Path, final: Path) -> None:
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(final)
    folder = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
