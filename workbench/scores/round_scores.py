"""The scores of a round: append-only Parquet segments and a manifest, in the round's folder.

Posts are scored by ascending number, so all posts after the manifest's last one are unscored. On a slow machine a pass
scores only some posts (`workbench.worker.budget`); the manifest records the numbers that it covered. This module needs
no torch: the worker's `scoring` writes through it, pages and the queue read.
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
"""In the folder of the round."""
MANIFEST = "manifest.json"
SEGMENT = 100_000
"""Posts per file, all of which are read for the score of one."""
SEGMENTS_KEPT = 16
"""Segments cached in memory, about 2 MB each."""


class Segment(TypedDict):
    file: str
    last: int
    """The number of the last post in the file."""
    posts: int


@dataclass(frozen=True)
class Scores:
    """post_ids (n,) ascending; probabilities (n, labels) float32 in the order of LABELS, calibrated."""

    post_ids: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    def of(self, wanted: NDArray[np.int64]) -> "Scores":
        """The scores of the wanted posts, in their order; unscored posts are left out."""
        if not len(self.post_ids):
            return Scores(wanted[:0], self.probabilities)
        places = np.searchsorted(self.post_ids, wanted).clip(max=len(self.post_ids) - 1)
        is_scored = self.post_ids[places] == wanted
        return Scores(wanted[is_scored], self.probabilities[places[is_scored]])


@dataclass(frozen=True)
class Coverage:
    """A pass that scored only some of the posts from number `first` to `last`.

    Of `posts` it picked `scored`, as many as fit into `hours`. Each post was drawn with probability `rate`,
    independent of its text. The counts date from the pass: posts purged later are included.
    """

    first: int
    last: int
    posts: int
    scored: int
    rate: float
    hours: float


@dataclass(frozen=True)
class PartlyScored:
    """Totals over the passes. Of `posts`, `scored` have a score, as many as fit into `hours`; each was drawn with
    probability `rate` or more."""

    posts: int
    scored: int
    rate: float
    hours: float


@dataclass(frozen=True)
class RoundScores:
    """The scores of one round, empty without a folder. Every call reads the files again."""

    folder: Path

    @classmethod
    def of(cls, project: Project, number: int) -> "RoundScores":
        return cls(project.round_folder(number) / FOLDER)

    def last_scored(self) -> int:
        """Number of the last post that was scored or left out by a pass, 0 without any."""
        scored = (segment["last"] for segment in self._segments())
        return max([*scored, *(one.last for one in self.coverage())], default=0)

    def count(self) -> int:
        return sum(segment["posts"] for segment in self._segments())

    def coverage(self) -> list[Coverage]:
        """The passes that left posts out, in order. All posts outside of them are scored."""
        return [Coverage(**values) for values in self._manifest().get("coverage", ())]

    def partly_scored(self) -> PartlyScored | None:
        passes = self.coverage()
        if not passes:
            return None
        scored = self.count()
        left_out = sum(one.posts - one.scored for one in passes)
        return PartlyScored(scored + left_out, scored, self.lowest_rate(), max(one.hours for one in passes))

    def lowest_rate(self) -> float:
        """The least probability of the passes, 1 if all posts were scored. Posts drawn at this rate were drawn by every pass."""
        return min((one.rate for one in self.coverage()), default=1.0)

    def is_fair(self, post_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) whether each post was scored independent of its text: it was drawn, or its pass left no post out."""
        fair: NDArray[np.bool_] = _weights(self.coverage(), post_ids) > 0
        return fair

    def was_left_out(self, post_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) whether each post lies in the range of a pass that left posts out, scored or not."""
        left_out = np.zeros(len(post_ids), dtype=bool)
        for one in self.coverage():
            left_out |= (post_ids >= one.first) & (post_ids <= one.last)
        return left_out

    def read(self) -> Scores:
        return _joined(self.parts())

    def parts(self) -> Iterator[Scores]:
        for segment in self._segments():
            yield _read(self.folder / segment["file"])

    def fair_parts(self) -> Iterator[tuple[Scores, NDArray[np.float64]]]:
        """The scores of the posts that `is_fair`, one file at a time, with their weights (n,): posts that each represents.

        The basis of figures about all posts. If all posts are scored, all scores with weight 1.
        """
        passes = self.coverage()
        for part in self.parts():
            weights = _weights(passes, part.post_ids)
            has_weight = weights > 0
            if has_weight.any():
                yield Scores(part.post_ids[has_weight], part.probabilities[has_weight]), weights[has_weight]

    def fair(self) -> Iterator[Scores]:
        return (scores for scores, _weights in self.fair_parts())

    def read_of(self, wanted: NDArray[np.int64]) -> Scores:
        parts, previous = [], 0
        for segment in self._segments():
            here = wanted[(wanted > previous) & (wanted <= segment["last"])]
            previous = segment["last"]
            if len(here):
                parts.append(_cached(self.folder / segment["file"]).of(here))
        return _joined(parts)

    def read_first(self, most: int) -> Scores:
        count, parts = 0, []
        for part in self.fair():
            parts.append(part)
            count += len(part.post_ids)
            if count >= most:
                break
        first = _joined(parts)
        return Scores(first.post_ids[:most], first.probabilities[:most])

    def score_of(self, post_id: int) -> NDArray[np.float32] | None:
        for segment in self._segments():
            if segment["last"] >= post_id:
                scores = _read(self.folder / segment["file"]).of(np.array([post_id]))
                return scores.probabilities[0] if len(scores.post_ids) else None
        return None

    def append(self, scores: Scores, left_out: Coverage | None = None) -> None:
        """Add the scores of a pass atomically, and its coverage if it left posts out.

        Raises ValueError unless all posts come after `last_scored`.
        """
        if not len(scores.post_ids) and left_out is None:
            return
        if len(scores.post_ids) and (first := int(scores.post_ids[0])) <= self.last_scored():
            raise ValueError(f"post {first} has been scored already")
        self.folder.mkdir(parents=True, exist_ok=True)
        added: list[Segment] = []
        for start in range(0, len(scores.post_ids), SEGMENT):
            here = slice(start, start + SEGMENT)
            part = Scores(scores.post_ids[here], scores.probabilities[here])
            first, last = int(part.post_ids[0]), int(part.post_ids[-1])
            added.append(
                {"file": f"{first:010d}-{last:010d}.parquet", "last": last, "posts": len(part.post_ids)}
            )
            self._write(added[-1]["file"], part)
        passes = [*self.coverage(), *([left_out] if left_out else [])]
        self._write_manifest([*self._segments(), *added], passes)

    def count_of(self, post_ids: NDArray[np.int64]) -> int:
        return sum(
            int(np.isin(pq.read_table(self.folder / segment["file"])["post_id"].to_numpy(), post_ids).sum())
            for segment in self._segments()
            if _may_hold(segment, post_ids)
        )

    def forget(self, post_ids: NDArray[np.int64]) -> int:
        """Remove the scores of these posts; returns their number. It can be repeated after an interruption.

        If the last post goes, a later post with its number is scored as usual. If the last post of a pass goes, so are
        the posts that the pass left out at its end.
        """
        remaining: list[Segment] = []
        removed = 0
        segments, passes = self._segments(), self.coverage()
        for segment in segments:
            if not _may_hold(segment, post_ids):
                remaining.append(segment)
                continue
            scores = _read(self.folder / segment["file"])
            stays = ~np.isin(scores.post_ids, post_ids)
            rest = Scores(scores.post_ids[stays], scores.probabilities[stays])
            removed += len(scores.post_ids) - len(rest.post_ids)
            if len(rest.post_ids) < len(scores.post_ids) and len(rest.post_ids):
                self._write(segment["file"], rest)
            if len(rest.post_ids):
                remaining.append(
                    {"file": segment["file"], "last": int(rest.post_ids[-1]), "posts": len(rest.post_ids)}
                )
        remaining_passes = _without(passes, remaining, post_ids)
        if remaining != segments or remaining_passes != passes:
            self._write_manifest(remaining, remaining_passes)
            for segment in segments:
                if segment["file"] not in {other["file"] for other in remaining}:
                    (self.folder / segment["file"]).unlink(missing_ok=True)
        return removed

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
    """A numeric column without nulls, by DLPack: `to_numpy` imports pandas, as `read_table` does."""
    return np.from_dlpack(column.combine_chunks())


def _may_hold(segment: Segment, post_ids: NDArray[np.int64]) -> bool:
    """By the name of the file: the first and last post that it was first written with."""
    first, _dash, last = Path(segment["file"]).stem.partition("-")
    return bool(((post_ids >= int(first)) & (post_ids <= int(last))).any())


def _weights(passes: Sequence[Coverage], post_ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) posts that each post represents: 1 outside of the passes; within, 1 / rate if drawn, else 0."""
    weights = np.ones(len(post_ids))
    for one in passes:
        here = (post_ids >= one.first) & (post_ids <= one.last)
        weights[here] = is_drawn(post_ids[here], one.rate) / one.rate if one.rate else 0.0
    return weights


def _without(
    passes: Sequence[Coverage], segments: Sequence[Segment], removed: NDArray[np.int64]
) -> list[Coverage]:
    """The passes after these posts are removed: one that loses its last post ends at its last scored one."""
    remaining = []
    for one in passes:
        if one.last in removed:
            last = max((segment["last"] for segment in segments if segment["last"] <= one.last), default=0)
            if last < one.first:
                continue
            remaining.append(replace(one, last=last))
        else:
            remaining.append(one)
    return remaining


def _cached(file: Path) -> Scores:
    return _read_once(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=SEGMENTS_KEPT)
def _read_once(file: Path, _changed: int) -> Scores:
    return _read(file)
