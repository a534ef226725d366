"""Removal of posts from files: exports, receipts, scores, token ids, doubts, checked posts, verdicts."""

import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select

from db.bulk import IDS_AT_ONCE
from db.queries.rounds import rounds_by_number
from db.tables import Post
from trainer.chunks import in_chunks
from trainer.files import new_file
from workbench.exports import redaction
from workbench.imports.incoming import text_hash
from workbench.overview.radar import radar_file
from workbench.posts.counting import set_aside_file
from workbench.project import Project
from workbench.purging.criterion import Criterion
from workbench.review import doubts
from workbench.rounds.adoption import ADOPTING
from workbench.rounds.bundles import PACKING
from workbench.scores import tokens
from workbench.scores.round_scores import RoundScores
from workbench.thresholds.verdicts import escaped

EARLIER_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
CHECKED = Path("evaluation") / "test_probabilities.parquet"
"""In a round's folder: its adapter's probabilities of the test posts."""


@dataclass(frozen=True)
class PurgedPosts:
    project: Project
    posts: Sequence[int]
    criterion: Criterion

    def count_in_files(self) -> dict[str, int]:
        keys = self._keys()
        lines = sum(sum(redaction.count_lines(folder, keys.is_gone).values()) for folder in self._exports())
        folders = [self.project.round_folder(number) for number in self._rounds()]
        ids = np.array(self.posts, dtype=np.int64)
        return {
            "exported lines": lines,
            "scores": sum(scores.count_of(ids) for scores in self._scores()),
            "token ids": tokens.count_of(self.project, ids),
            "doubts": sum(doubts.count_of(folder, keys.ids) for folder in folders),
            "checked posts": sum(_checked(folder, keys.ids) for folder in folders),
            "verdicts": sum(verdicts_on(file, keys.ids) for file in self._verdicts()),
        }

    def remove_from_files(self) -> Counter[str]:
        keys, at = self._keys(), self.project.now().isoformat()
        counts: Counter[str] = Counter()
        for folder in self._exports():
            counts["exported lines"] += redaction.redact(
                folder, keys.is_gone, criterion=self.criterion.mark(self.project), at=at
            )
        for number in self._rounds():
            counts["doubts"] += doubts.forget(self.project.round_folder(number), keys.ids)
            counts["checked posts"] += _without_checked(self.project.round_folder(number), keys.ids)
        counts["scores"] += self.remove_scores()
        counts["token ids"] += tokens.forget(self.project, self.posts)
        counts["verdicts"] += sum(without_verdicts(file, keys.ids) for file in self._verdicts())
        remove_what_is_made_again(self.project)
        return counts

    def _verdicts(self) -> list[Path]:
        return sorted((self.project.data / "verdicts").glob("*.tsv"))

    def remove_scores(self) -> int:
        ids = np.array(self.posts, dtype=np.int64)
        return sum(scores.forget(ids) for scores in self._scores())

    def _scores(self) -> list[RoundScores]:
        return [RoundScores.of(self.project, number) for number in self._rounds()]

    def rounds_with_lines(self) -> list[int]:
        keys = self._keys()
        return [
            number
            for number in self._rounds()
            if redaction.count_lines(self.project.export_folder(number), keys.is_gone).keys() - {"test.jsonl"}
        ]

    def rounds_that_lost_lines(self) -> list[int]:
        return [
            number
            for number in self._rounds()
            # By interrupted runs too.
            if redaction.has_lost_lines(self.project.export_folder(number), self.criterion.mark(self.project))
        ]

    def _keys(self) -> "_PostKeys":
        ids, texts = set(), set()
        with self.project.database.read() as session:
            for some in in_chunks(self.posts, IDS_AT_ONCE):
                rows = session.execute(
                    select(Post.external_id, Post.text_hash).where(Post.id.in_(some))
                ).all()
                ids |= {row.external_id for row in rows}
                texts |= {row.text_hash for row in rows}
            purged = set(self.posts)
            for some in in_chunks(list(texts), IDS_AT_ONCE):
                same = session.execute(select(Post.id, Post.text_hash).where(Post.text_hash.in_(some)))
                texts -= {row.text_hash for row in same if row.id not in purged}
        return _PostKeys(ids, texts)

    def _rounds(self) -> list[int]:
        with self.project.database.read() as session:
            return sorted(row.number for row in session.scalars(rounds_by_number()))

    def _exports(self) -> Iterator[Path]:
        yield from sorted(
            {
                file.parent
                for root in (self.project.annotations, self.project.data / "bundles")
                for file in root.rglob("*.jsonl")
                if not any(part.startswith(".") for part in file.relative_to(root).parts)
            }
        )


@dataclass(frozen=True)
class _PostKeys:
    """Ids of the purged posts, and hashes of texts that no other post has."""

    ids: Collection[str]
    texts: Collection[bytes]

    def is_gone(self, line: Mapping[str, Any]) -> bool:
        """Rows of bundles have no id and are matched by text."""
        if "id" in line:
            return line["id"] in self.ids
        return text_hash(line["text"]) in self.texts


def verdicts_on(file: Path, ids: Collection[str]) -> int:
    written = _as_written(ids)
    with file.open(encoding="utf-8", newline="\n") as lines:
        return sum(line.rstrip("\n").partition("\t")[0] in written for line in lines)


def without_verdicts(file: Path, ids: Collection[str]) -> int:
    gone = verdicts_on(file, ids)
    if gone:
        written = _as_written(ids)
        with (
            new_file(file) as part,
            file.open(encoding="utf-8", newline="\n") as lines,
            part.open("w", encoding="utf-8", newline="\n") as target,
        ):
            target.writelines(line for line in lines if line.rstrip("\n").partition("\t")[0] not in written)
    return gone


def _as_written(ids: Collection[str]) -> Collection[str]:
    """As now, and as in files of earlier versions."""
    return {*map(escaped, ids), *(name.translate(EARLIER_ESCAPES) for name in ids)}


def _checked(folder: Path, ids: Collection[str]) -> int:
    file = folder / CHECKED
    return sum(name in ids for name in pq.read_table(file)["id"].to_pylist()) if file.exists() else 0


def _without_checked(folder: Path, ids: Collection[str]) -> int:
    gone = _checked(folder, ids)
    if gone:
        file = folder / CHECKED
        table = pq.read_table(file)
        kept = table.filter(pa.array([name not in ids for name in table["id"].to_pylist()]))
        with new_file(file) as part:
            pq.write_table(kept, part)
    return gone


def remove_what_is_made_again(project: Project) -> None:
    radar_file(project).unlink(missing_ok=True)
    set_aside_file(project).unlink(missing_ok=True)
    shutil.rmtree(project.data / "exports", ignore_errors=True)


def remove_leftovers(project: Project) -> None:
    # Killed processes leave partial files, which contain texts.
    bundles = project.data / "bundles"
    for root, pattern in (
        (bundles, f"{PACKING}*"),
        (project.annotations, f"{ADOPTING}*"),
        (project.models, f"{ADOPTING}*"),
        (project.models, ".round-*-attempt-*"),
        (project.models, ".base-*"),
    ):
        for folder in root.glob(pattern):
            shutil.rmtree(folder)
    for root in (project.annotations, bundles, project.data / "verdicts", project.models):
        for left in sorted(root.rglob(".*.part"), reverse=True):  # files of a folder before the folder
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
    for left in project.data.glob(f".{radar_file(project).name}.*.part"):
        left.unlink()
