"""A round's scores: append-only Parquet segments and a manifest, in the round's own folder.

Posts are scored in the order of their numbers, so the manifest's last post tells what is missing. Where a machine is
too slow for all, a pass scores some of them (`workbench.worker.budget`): the manifest then says which numbers it covered.
Reading needs no torch: pages and the queue use this module, the worker's `scoring` fills it.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trainer.files import new_file, write_text
from trainer.labels import LABELS
from trainer.selection.budget import is_drawn
from workbench.project import Project

FOLDER = "scores"
"""Inside the round's folder."""
MANIFEST = "manifest.json"
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


@dataclass(frozen=True)
class PartlyScored:
    """Of `posts` that were looked at `scored` have a score, as many as fit into `hours`; each was drawn with the chance
    `rate` at least."""

    posts: int
    scored: int
    rate: float
    hours: float


@dataclass(frozen=True)
class RoundScores:
    """The scores of one round. Every call reads the files anew; without a folder there are no scores."""

    folder: Path

    @classmethod
    def of(cls, project: Project, number: int) -> "RoundScores":
        return cls(project.round_folder(number) / FOLDER)

    def last_scored(self) -> int:
        """The number of the last post that was scored or left out by a pass, 0 before the first."""
        scored = (segment["last"] for segment in self._segments())
        return max([*scored, *(one.last for one in self.coverage())], default=0)

    def count(self) -> int:
        """How many posts have a score."""
        return sum(segment["posts"] for segment in self._segments())

    def coverage(self) -> list[Coverage]:
        """The passes that left posts out, in their order; posts in none of them have all been scored."""
        return [Coverage(**values) for values in self._manifest().get("coverage", ())]

    def partly_scored(self) -> PartlyScored | None:
        """None where the round has scored all it has looked at."""
        passes = self.coverage()
        if not passes:
            return None
        scored = self.count()
        left_out = sum(one.posts - one.scored for one in passes)
        return PartlyScored(scored + left_out, scored, self.lowest_rate(), max(one.hours for one in passes))

    def lowest_rate(self) -> float:
        """The chance by which a post of any pass was drawn; 1 where all were scored. What it draws, every pass drew."""
        return min((one.rate for one in self.coverage()), default=1.0)

    def is_fair(self, post_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) whether each of these posts was to be scored whatever it says: all were, or it was drawn."""
        fair: NDArray[np.bool_] = _stands_for(self.coverage(), post_ids) > 0
        return fair

    def was_left_out(self, post_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) whether a pass over these numbers left posts out."""
        left_out = np.zeros(len(post_ids), dtype=bool)
        for one in self.coverage():
            left_out |= (post_ids >= one.first) & (post_ids <= one.last)
        return left_out

    def read(self) -> Scores:
        """All scores."""
        return _joined(self.parts())

    def parts(self) -> Iterator[Scores]:
        """All scores, a file at a time, so that ten million need no more memory than a few thousand."""
        for segment in self._segments():
            yield _read(self.folder / segment["file"])

    def fair_parts(self) -> Iterator[tuple[Scores, NDArray[np.float64]]]:
        """The scores of posts that were not chosen, a file at a time, and how many posts each stands for (n,).

        What figures about all posts are made from; where all are scored, simply all scores.
        """
        passes = self.coverage()
        for part in self.parts():
            weights = _stands_for(passes, part.post_ids)
            kept = weights > 0
            if kept.any():
                yield Scores(part.post_ids[kept], part.probabilities[kept]), weights[kept]

    def fair(self) -> Iterator[Scores]:
        """`fair_parts` without the weights."""
        return (scores for scores, _weights in self.fair_parts())

    def read_of(self, wanted: NDArray[np.int64]) -> Scores:
        """The scores of the wanted posts that have one, from no more files than these lie in."""
        parts, before = [], 0
        for segment in self._segments():
            here = wanted[(wanted > before) & (wanted <= segment["last"])]
            before = segment["last"]
            if len(here):
                parts.append(_kept(self.folder / segment["file"]).of(here))
        return _joined(parts)

    def read_first(self, most: int) -> Scores:
        """The scores of the fair posts scored first, `most` at most, from no more files than these lie in."""
        count, parts = 0, []
        for part in self.fair():
            parts.append(part)
            count += len(part.post_ids)
            if count >= most:
                break
        first = _joined(parts)
        return Scores(first.post_ids[:most], first.probabilities[:most])

    def score_of(self, post_id: int) -> NDArray[np.float32] | None:
        """The probabilities (labels,) of one post, from the one file it lies in; None where it has none."""
        for segment in self._segments():
            if segment["last"] >= post_id:
                scores = _read(self.folder / segment["file"]).of(np.array([post_id]))
                return scores.probabilities[0] if len(scores.post_ids) else None
        return None

    def append(self, scores: Scores, left_out: Coverage | None = None) -> None:
        """Add the scores of posts that all come after `last_scored`, and what their pass left out.

        In files of SEGMENT posts; visible whole or not at all.
        """
        if not len(scores.post_ids) and left_out is None:
            return
        if len(scores.post_ids) and (first := int(scores.post_ids[0])) <= self.last_scored():
            raise ValueError(f"post {first} has been scored already")
        self.folder.mkdir(parents=True, exist_ok=True)
        added: list[Segment] = []
        for start in range(0, len(scores.post_ids), SEGMENT):
            here = slice(start, start + SEGMENT)
            some = Scores(scores.post_ids[here], scores.probabilities[here])
            first, last = int(some.post_ids[0]), int(some.post_ids[-1])
            added.append(
                {"file": f"{first:010d}-{last:010d}.parquet", "last": last, "posts": len(some.post_ids)}
            )
            self._write(added[-1]["file"], some)
        passes = [*self.coverage(), *([left_out] if left_out else [])]
        self._write_manifest([*self._segments(), *added], passes)

    def count_of(self, post_ids: NDArray[np.int64]) -> int:
        """How many of these posts have a score."""
        return sum(
            int(np.isin(pq.read_table(self.folder / segment["file"])["post_id"].to_numpy(), post_ids).sum())
            for segment in self._segments()
            if _may_hold(segment, post_ids)
        )

    def forget(self, post_ids: NDArray[np.int64]) -> int:
        """Take the scores of these posts out; returns how many went. Interrupted, it is done again.

        A post that later gets the number of the last one that went is scored like any other; so are posts that a pass
        had left out, where the last one it looked at goes.
        """
        kept: list[Segment] = []
        gone = 0
        before, passes = self._segments(), self.coverage()
        for segment in before:
            if not _may_hold(segment, post_ids):
                kept.append(segment)
                continue
            scores = _read(self.folder / segment["file"])
            stays = ~np.isin(scores.post_ids, post_ids)
            rest = Scores(scores.post_ids[stays], scores.probabilities[stays])
            gone += len(scores.post_ids) - len(rest.post_ids)
            if len(rest.post_ids) < len(scores.post_ids) and len(rest.post_ids):
                self._write(segment["file"], rest)
            if len(rest.post_ids):
                kept.append(
                    {"file": segment["file"], "last": int(rest.post_ids[-1]), "posts": len(rest.post_ids)}
                )
        passes_left = _without(passes, kept, post_ids)
        if kept != before or passes_left != passes:
            self._write_manifest(kept, passes_left)
            for segment in before:
                if segment["file"] not in {left["file"] for left in kept}:
                    (self.folder / segment["file"]).unlink(missing_ok=True)
        return gone

    def _write(self, name: str, scores: Scores) -> None:
        columns = {label: scores.probabilities[:, position] for position, label in enumerate(LABELS)}
        with new_file(self.folder / name) as part:
            pq.write_table(pa.table({"post_id": scores.post_ids, **columns}), part)

    def _segments(self) -> Sequence[Segment]:
        segments: Sequence[Segment] = self._manifest().get("segments", [])
        return segments

    def _manifest(self) -> dict[str, Any]:
        file = self.folder / MANIFEST
        if not file.exists():
            return {}
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return values

    def _write_manifest(self, segments: Sequence[Segment], passes: Sequence[Coverage]) -> None:
        values: dict[str, Any] = {"labels": LABELS, "segments": segments}
        if passes:
            values["coverage"] = [asdict(one) for one in passes]
        write_text(self.folder / MANIFEST, json.dumps(values, indent=1))


def _joined(parts: Iterable[Scores]) -> Scores:
    post_ids, probabilities = [np.empty(0, np.int64)], [np.empty((0, len(LABELS)), np.float32)]
    for part in parts:
        post_ids.append(part.post_ids)
        probabilities.append(part.probabilities)
    return Scores(np.concatenate(post_ids), np.concatenate(probabilities))


def _read(file: Path) -> Scores:
    # Not by `pyarrow.parquet.read_table`: it imports pandas, which takes longer than most commands.
    with pq.ParquetFile(file) as parquet:
        table = parquet.read()
    columns = {name: _array(table[name]) for name in ("post_id", *LABELS)}
    return Scores(columns["post_id"], np.stack([columns[name] for name in LABELS], axis=1))


def _array(column: pa.ChunkedArray) -> NDArray[Any]:
    """The numbers of a column without nulls. By DLPack: `to_numpy` imports pandas, as `read_table` does."""
    return np.from_dlpack(column.combine_chunks())


def _may_hold(segment: Segment, post_ids: NDArray[np.int64]) -> bool:
    """A file is named after the first and the last post it was written with."""
    first, _dash, last = Path(segment["file"]).stem.partition("-")
    return bool(((post_ids >= int(first)) & (post_ids <= int(last))).any())


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


def _kept(file: Path) -> Scores:
    """A segment, read once while it is asked for: segments never change, another file has another time."""
    return _read_once(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=SEGMENTS_KEPT)
def _read_once(file: Path, _changed: int) -> Scores:
    return _read(file)
