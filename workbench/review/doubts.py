"""Doubtful labels: training posts whose label is improbable for a model that has not seen it.

The worker writes `doubts.parquet` into a round's folder. Labels are never changed by it, and reading needs no
torch.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.bulk import IDS_AT_ONCE
from db.queries.rounds import rounds_by_number
from db.queries.standing import current_labels, standing_resolutions
from db.tables import Annotation, Post, PostText, Resolution
from trainer.chunks import in_chunks
from trainer.files import new_file
from trainer.labels import LABELS, Label
from workbench.accounts import Account, Right, reading
from workbench.project import Project

FILE = "doubts.parquet"
LISTED = 200


@dataclass(frozen=True)
class DoubtfulLabel:
    """A doubtful label of a training post. `probabilities` by label name, from a model not trained on the post.

    `decision_id` is the bulk decision that gave the label, None if annotators gave it.
    """

    post_id: int
    external_id: str
    text: str
    label: str
    other: str
    """The most likely other label."""
    probabilities: dict[str, float]
    round_number: int
    decision_id: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def write_doubts(
    folder: Path, ids: Sequence[str], labels: Sequence[str], probabilities: NDArray[np.floating]
) -> None:
    """Rows by the forum's ids; `probabilities` is (n, labels)."""
    columns = {name: probabilities[:, position] for position, name in enumerate(LABELS)}
    _write(folder, pa.table({"id": list(ids), "label": list(labels), **columns}))


def doubtful_labels(project: Project, account: Account, *, most: int = LISTED) -> list[DoubtfulLabel]:
    """The doubtful labels of the newest round that has any file of them, most doubtful first.

    Without posts that a lead has decided individually, and those whose label has changed since. Raises
    NotAllowedError if `account` is not a lead.
    """
    with reading(project, account, Right.REVIEW) as session:
        number = newest_round(session, project)
        if number is None:
            return []
        return list(islice(_doubted(session, project, number), most))


def count_doubtful_labels(project: Project, account: Account) -> int:
    """Of them all, where the list is cut."""
    with reading(project, account, Right.REVIEW) as session:
        number = newest_round(session, project)
        return 0 if number is None else sum(1 for _one in _doubted(session, project, number))


def newest_round(session: Session, project: Project) -> int | None:
    numbers = [row.number for row in session.scalars(rounds_by_number())]
    return next((number for number in numbers if (project.round_folder(number) / FILE).exists()), None)


def count_of(folder: Path, ids: Collection[str]) -> int:
    return 0 if (table := _read(folder)) is None else sum(name in ids for name in table["id"].to_pylist())


def forget(folder: Path, ids: Collection[str]) -> int:
    removed = count_of(folder, ids)
    table = _read(folder)
    if removed and table is not None:
        _write(folder, table.filter(pa.array([name not in ids for name in table["id"].to_pylist()])))
    return removed


def _read(folder: Path) -> Any | None:
    file = folder / FILE
    return pq.read_table(file) if file.exists() else None


def _write(folder: Path, table: Any) -> None:
    with new_file(folder / FILE) as part:
        pq.write_table(table, part)


Row = tuple[str, str, NDArray[np.float64]]


def _ranked(file: Path) -> Iterator[Row]:
    """Id, label and probabilities of the rows for which the model prefers another label; most doubtful first."""
    table = pq.read_table(file)
    probabilities = np.stack([table[name].to_numpy() for name in LABELS], axis=1).astype(np.float64)
    ids, labels = table["id"].to_pylist(), table["label"].to_pylist()
    rows = np.arange(len(ids))
    given = np.array([Label(label).position for label in labels], dtype=np.int64)
    others = probabilities.copy()
    others[rows, given] = -1
    doubt = others.max(axis=1, initial=-1) - probabilities[rows, given]
    for at in np.argsort(-doubt, kind="stable"):
        if doubt[at] <= 0:
            return
        yield ids[at], labels[at], probabilities[at]


def _doubted(session: Session, project: Project, number: int) -> Iterator[DoubtfulLabel]:
    for some in in_chunks(_ranked(project.round_folder(number) / FILE), IDS_AT_ONCE):
        yield from _still_there(session, some, number)


def _still_there(session: Session, rows: Sequence[Row], number: int) -> Iterator[DoubtfulLabel]:
    ids = [row[0] for row in rows]
    posts = {
        row.external_id: row
        for row in session.execute(
            select(Post.external_id, Post.id, PostText.text)
            .join(PostText, PostText.post_id == Post.id)
            .where(Post.external_id.in_(ids), Post.is_quarantined.is_(False))
        )
    }
    numbers = [post.id for post in posts.values()]
    standing = current_labels().where(Annotation.post_id.in_(numbers))
    current = {(answer.post_id, answer.label) for answer in session.scalars(standing)}
    resolutions = standing_resolutions().where(Resolution.post_id.in_(numbers))
    decided = {decision.post_id: decision for decision in session.scalars(resolutions)}
    for external_id, label, probabilities in rows:
        post = posts.get(external_id)
        if post is None:
            continue
        decision = decided.get(post.id)
        if decision is None:
            is_doubted = (post.id, label) in current
        else:
            # In a bulk decision the lead has not read this post, so its label may be doubted.
            is_doubted = decision.bulk_id is not None and decision.label == label
        if is_doubted:
            by_label = {name: float(share) for name, share in zip(LABELS, probabilities, strict=True)}
            other = max(by_label, key=lambda name: (name != label, by_label[name]))
            by_many = None if decision is None else decision.id
            yield DoubtfulLabel(post.id, external_id, post.text, label, other, by_label, number, by_many)
