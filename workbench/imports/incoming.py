"""Imported rows in Arrow files, until the worker stores them in the tables.

Storing holds the write lock, which saving an answer needs too, and updates half a dozen indexes. So an import writes no
posts to the database: it ends once its rows are checked and synced to disk, without delaying annotators. The worker
stores them in short, resumable steps before it prepares them.
"""

import hashlib
import shutil
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from db.tables import Import
from workbench.project import Project

FOLDER = "incoming"
SCHEMA = pa.schema(
    [
        ("external_id", pa.string()),
        ("text", pa.string()),
        ("facts", pa.string()),
        ("thread_key", pa.int64()),
    ]
)
"""Of a file of rows; `facts` is the JSON of the table's column, null without facts."""
MOST_MERGED = 2**20
"""Most hashes in one run: merging needs as much memory again as the runs."""


@dataclass
class Block:
    """Columns of rows; all lists have the same length."""

    external_ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    facts: list[str | None] = field(default_factory=list)
    thread_keys: list[int | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.external_ids)

    def write(self, file: Path) -> None:
        columns = (self.external_ids, self.texts, self.facts, self.thread_keys)
        batch = pa.record_batch(
            [pa.array(values, one.type) for values, one in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
        )
        with pa.ipc.new_file(str(file), SCHEMA) as sink:
            sink.write_batch(batch)


def text_hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def folder_of(project: Project, import_id: int) -> Path:
    return project.data / FOLDER / f"{import_id:06d}"


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.arrow"))


class WaitingPosts:
    """Index by id of the imported posts that are not stored yet; 16 bytes of memory per post."""

    def __init__(self) -> None:
        self._runs: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._files: list[Path] = []
        self._starts: list[int] = []
        self._count = 0

    @classmethod
    def of(cls, project: Project) -> "WaitingPosts":
        posts = cls()
        with project.database.read() as session:
            imports = session.scalars(select(Import.id).where(Import.waiting > 0).order_by(Import.id)).all()
        for number in imports:
            for file in files_in(folder_of(project, number)):
                try:
                    posts.add(file, read_rows(file)["external_id"].to_pylist())
                except FileNotFoundError:  # stored meanwhile
                    break
                except pa.ArrowInvalid:  # storing raises the error
                    continue
        return posts

    def add(self, file: Path, external_ids: Sequence[str]) -> None:
        if not external_ids:
            return
        self._files.append(file)
        self._starts.append(self._count)
        hashes = _hashes(external_ids)
        rows = np.arange(self._count, self._count + len(hashes), dtype=np.int64)
        self._count += len(hashes)
        order = np.argsort(hashes, kind="stable")
        self._runs.append((hashes[order], rows[order]))
        # Merging runs of similar size keeps the runs few and copies each row rarely.
        while len(self._runs) > 1 and len(self._runs[-2][0]) <= len(self._runs[-1][0]) <= MOST_MERGED:
            (one, its_rows), (other, other_rows) = self._runs.pop(), self._runs.pop()
            hashes, rows = np.concatenate([other, one]), np.concatenate([other_rows, its_rows])
            order = np.argsort(hashes, kind="stable")
            self._runs.append((hashes[order], rows[order]))

    def texts_of(self, external_ids: Sequence[str]) -> dict[str, str]:
        """Texts by id, of the waiting ones. A post stored in the meantime may be missing: query the tables afterwards."""
        if not self._runs or not external_ids:
            return {}
        wanted = np.sort(_hashes(external_ids))
        hits: list[int] = []
        for hashes, rows in self._runs:
            left = np.searchsorted(hashes, wanted)
            is_hit = hashes[np.minimum(left, len(hashes) - 1)] == wanted
            right = np.searchsorted(hashes, wanted[is_hit], "right")
            for start, end in zip(left[is_hit].tolist(), right.tolist(), strict=True):
                hits.extend(rows[start:end].tolist())
        wanted_ids, texts = set(external_ids), {}
        for external_id, text in self._at(sorted(set(hits))):
            if external_id in wanted_ids:
                texts[external_id] = text
        return texts

    def _at(self, rows: Sequence[int]) -> Iterator[tuple[str, str]]:
        """External id and text of each row; rows of files that were removed in the meantime are skipped."""
        read = lru_cache(maxsize=2)(read_rows)
        for row in rows:
            file = bisect_right(self._starts, row) - 1
            try:
                table = read(self._files[file])
            except FileNotFoundError:
                continue
            at = row - self._starts[file]
            yield table["external_id"][at].as_py(), table["text"][at].as_py()


def _hashes(external_ids: Sequence[str]) -> NDArray[np.int64]:
    """Valid in this process only. `hash` is keyed by a secret of the process, so ids cannot be crafted to collide."""
    return np.fromiter(map(hash, external_ids), np.int64, len(external_ids))


def is_anything_waiting(session: Session) -> bool:
    return session.scalar(select(Import.id).where(Import.waiting > 0).limit(1)) is not None


def remove_strays(project: Project) -> None:
    """Remove the folders of unfinished imports. The caller holds the import lock."""
    with project.database.read() as session:
        finished = {folder_of(project, number) for number in session.scalars(finished_imports())}
    for folder in (project.data / FOLDER).glob("*"):
        if folder not in finished:
            shutil.rmtree(folder)


def finished_imports() -> Select[int]:
    return select(Import.id).where(Import.state.in_(("stored", "prepared")))


def read_rows(file: Path) -> pa.Table:
    """Raises pyarrow.ArrowInvalid if the file is truncated or a text is not valid UTF-8."""
    with pa.memory_map(str(file)) as source:
        table = pa.ipc.open_file(source).read_all()
    table.validate(full=True)
    return table
