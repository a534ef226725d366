"""A round's scores: append-only Parquet segments and a manifest, in the round's own folder.

Posts are scored in the order of their numbers, so the manifest's last post tells what is missing. Where a machine is
too slow for all, a pass scores some of them (`workbench.worker.budget`): the manifest then says which numbers it covered.
Reading needs no torch: pages and the queue use this module, the worker's `scoring` fills it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trainer.config import LABELS
from trainer.files import new_file, write_text
from trainer.selection.budget import is_drawn

MANIFEST = "manifest.json"
ROWS_AT_ONCE = 100_000
SEGMENT = 100_000
"""Posts in a file: what is read to look at the score of one."""
SEGMENTS_KEPT = 16
"""In memory, about two megabytes each."""


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


@dataclass(frozen=True)
class Coverage:
    """A pass that scored some of the posts from number `first` to `last` only.

    It looked at `posts` and picked `scored` of them, as many as fit into `hours`; each was drawn with the chance `rate`
    whatever it says. The counts are those of that day: what is purged later stays in them.
    """

    first: int
    last: int
    posts: int
    scored: int
    rate: float
    hours: float


def last_scored(folder: Path) -> int:
    """The number of the last post that was scored or left out by a pass, 0 before the first."""
    scored = (segment["last"] for segment in _segments(folder))
    return max([*scored, *(one.last for one in coverage(folder))], default=0)


def coverage(folder: Path) -> list[Coverage]:
    """The passes that left posts out, in their order; posts in none of them have all been scored."""
    return [Coverage(**values) for values in _manifest(folder).get("coverage", ())]


@dataclass(frozen=True)
class PartlyScored:
    """Of `posts` that were looked at `scored` have a score, as many as fit into `hours`; each was drawn with the chance
    `rate` at least."""

    posts: int
    scored: int
    rate: float
    hours: float


def partly_scored(folder: Path) -> PartlyScored | None:
    """What pages say of a round that left posts out; None where it has scored all it has looked at."""
    passes = coverage(folder)
    if not passes:
        return None
    scored = count_scored(folder)
    left_out = sum(one.posts - one.scored for one in passes)
    return PartlyScored(scored + left_out, scored, lowest_rate(folder), max(one.hours for one in passes))


def is_fair(folder: Path, post_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) whether each of these posts was to be scored whatever anybody thinks of it: all were, or it was drawn."""
    found: NDArray[np.bool_] = _stands_for(coverage(folder), post_ids) > 0
    return found


def was_left_out(folder: Path, post_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) whether a pass over these numbers left posts out."""
    found = np.zeros(len(post_ids), dtype=bool)
    for one in coverage(folder):
        found |= (post_ids >= one.first) & (post_ids <= one.last)
    return found


def lowest_rate(folder: Path) -> float:
    """The chance by which a post of any pass was drawn; 1 where all were scored. What it draws, every pass drew."""
    return min((one.rate for one in coverage(folder)), default=1.0)


def fair_parts(folder: Path) -> Iterator[tuple[Scores, NDArray[np.float64]]]:
    """The scores of posts that nobody chose, a file at a time, and how many posts each stands for (n,).

    What figures about all posts are made from; where all are scored, simply all scores.
    """
    passes = coverage(folder)
    for part in read_in_parts(folder):
        weights = _stands_for(passes, part.post_ids)
        kept = weights > 0
        if kept.any():
            yield Scores(part.post_ids[kept], part.probabilities[kept]), weights[kept]


def stream_fair(folder: Path) -> Iterator[Scores]:
    """The same without the weights."""
    return (scores for scores, _weights in fair_parts(folder))


def count_scored(folder: Path) -> int:
    """How many posts have a score."""
    return sum(segment["posts"] for segment in _segments(folder))


def append_pass(folder: Path, scores: Scores, left_out: Coverage | None = None) -> None:
    """Add the scores of posts that all come after `last_scored`, and what their pass left out.

    In files of SEGMENT posts; visible whole or not at all.
    """
    made: list[Segment] = []
    if len(scores.post_ids) and (first := int(scores.post_ids[0])) <= last_scored(folder):
        raise ValueError(f"post {first} has been scored already")
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(scores.post_ids), SEGMENT):
        here = slice(start, start + SEGMENT)
        some = Scores(scores.post_ids[here], scores.probabilities[here])
        first, last = int(some.post_ids[0]), int(some.post_ids[-1])
        made.append({"file": f"{first:010d}-{last:010d}.parquet", "last": last, "posts": len(some.post_ids)})
        _write(folder, made[-1]["file"], some)
    passes = [*coverage(folder), *([left_out] if left_out else [])]
    _write_manifest(folder, [*_segments(folder), *made], passes)


def append_segment(folder: Path, scores: Scores) -> None:
    """The same of a pass that left nothing out; nothing for no scores."""
    if len(scores.post_ids):
        append_pass(folder, scores)


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
    """The scores of the posts scored first that nobody chose, `most` at most: of no more files than these lie in."""
    found, parts = 0, [_read(folder, ())]
    for part in stream_fair(folder):
        parts.append(part)
        found += len(part.post_ids)
        if found >= most:
            break
    return Scores(
        np.concatenate([part.post_ids for part in parts])[:most],
        np.concatenate([part.probabilities for part in parts])[:most],
    )


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

    A post that later gets the number of the last one that went is scored like any other; so are posts that a pass had
    left out, where the last one it looked at goes.
    """
    kept: list[Segment] = []
    gone = 0
    before, passes = _segments(folder), coverage(folder)
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
    left_over = _without(passes, kept, post_ids)
    if kept != before or left_over != passes:
        _write_manifest(folder, kept, left_over)
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
    with new_file(folder / name) as part:
        pq.write_table(pa.table({"post_id": scores.post_ids, **columns}), part)


def _stands_for(passes: Sequence[Coverage], post_ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) 1 where all were scored; where some were drawn, 1 / chance for those and 0 for the others."""
    weights = np.ones(len(post_ids))
    for one in passes:
        here = (post_ids >= one.first) & (post_ids <= one.last)
        weights[here] = is_drawn(post_ids[here], one.rate) / one.rate if one.rate else 0.0
    return weights


def _without(
    passes: Sequence[Coverage], segments: Sequence[Segment], gone: NDArray[np.int64]
) -> list[Coverage]:
    """The passes when these posts are gone: one that loses its last ends with its last post that has a score."""
    kept = []
    for one in passes:
        if one.last in gone:
            last = max((known["last"] for known in segments if known["last"] <= one.last), default=0)
            if last < one.first:
                continue
            kept.append(replace(one, last=last))
        else:
            kept.append(one)
    return kept


def _write_manifest(folder: Path, segments: Sequence[Segment], passes: Sequence[Coverage]) -> None:
    """Whole or not at all."""
    values: dict[str, Any] = {"labels": LABELS, "segments": segments}
    if passes:
        values["coverage"] = [asdict(one) for one in passes]
    write_text(folder / MANIFEST, json.dumps(values, indent=1))


def _kept(file: Path) -> Scores:
    """A segment, read once while it is asked for: segments never change, another file has another time."""
    return _read_once(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=SEGMENTS_KEPT)
def _read_once(file: Path, _changed: int) -> Scores:
    return _read(file.parent, [{"file": file.name, "last": 0, "posts": 0}])


def _segments(folder: Path) -> Sequence[Segment]:
    segments: Sequence[Segment] = _manifest(folder).get("segments", [])
    return segments


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    if not file.exists():
        return {}
    values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return values
