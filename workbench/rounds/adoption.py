"""Adopting an adapter that was trained on another machine: it becomes a round and passes the gate like any other.

The steps that need torch (checking the supplied scores, the gate) run in the worker.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries.rounds import rounds_by_number
from db.tables import Post, Round
from trainer.adapters.card import Card, write_card
from trainer.adapters.folders import TOKENIZER_FILES, WEIGHTS, same_base, vouched_card
from trainer.adapters.lora_config import ADAPTER_CONFIG
from trainer.errors import AdapterError
from trainer.files import new_folder, put_in_place
from trainer.labels import LABELS
from trainer.messages import Message
from workbench import jobs
from workbench.accounts import Account, Right, acting, check
from workbench.audit import record
from workbench.errors import InputError
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.rounds.base import place_of
from workbench.rounds.bundles import SENT_ROWS, sent_rows
from workbench.scores.round_scores import FOLDER, RoundScores, Scores

SCORES = Path("scores") / "scores.parquet"
MOST_BYTES = 2 * 10**9
LONGEST_PROBLEM = 300
"""Characters of a library's message, which may quote the file."""
ADOPTING = ".adopting-"


def adopt(project: Project, account: Account, folder: Path, *, notes: str | None = None) -> int:
    """Make a round from the adapter in `folder` (or in `folder/adapter`, with `folder/scores` beside it).

    Returns the round's number; the worker then evaluates it. Raises AdapterError if a file differs from its
    recorded hash, the labels are not this project's or the base encoder is another one; InputError if the
    training rows belong to no bundle of this project or the scores cannot be read; RoundError if a round is
    running.
    """
    check(project, account, Right.RUN_ROUNDS)
    adapter = folder / "adapter" if (folder / "adapter").is_dir() else folder
    card = vouched_card(adapter)
    rows = _rows_of(project, adapter, card)
    receipt = json.loads((rows / "receipt.json").read_text(encoding="utf-8"))
    base = receipt["base"]
    same_base(adapter, card, place_of(project, base))
    scores = folder / SCORES
    scored = _read_scores(project, scores) if scores.exists() else None
    with _staging(project) as (model, annotations):
        with new_folder(model) as part:
            for name in _own_files(adapter, card):
                shutil.copyfile(adapter / name, part / name)
            # The other machine may use another name for the base; the fingerprint is equal.
            named = replace(card, base=replace(card.base, name=base), config=replace(card.config, base=base))
            write_card(part, named)
        if scored is not None:
            RoundScores(model / FOLDER).append(scored)
        with new_folder(annotations) as part:
            shutil.copytree(rows, part, dirs_exist_ok=True)
        with acting(project, account, Right.RUN_ROUNDS) as session:
            lifecycle.refuse_second(session)
            last = session.scalar(rounds_by_number().limit(1))
            number = (last.number if last else 0) + 1
            row = Round(
                number=number,
                state="queued",
                is_running=True,
                is_quick=False,
                base=base,
                notes=(Message.verbatim(notes) if notes else Message("trained elsewhere")).to_dict(),
                created_at=project.now(),
                labels_until=_labels_until(session, receipt),
                started_by_id=account.id,
            )
            session.add(row)
            session.flush()
            origin = {"rows": rows.name, "base": base, "fingerprint": card.base.fingerprint}
            record(session, project, account.id, "adopt round", f"round {number}", **origin)
            job_id = f"round-{number}"
            jobs.enqueue(project.database.engine, session, jobs.Job.ADOPT, number, job_id=job_id)
            # A folder without a round is left from an adoption that ended before its commit.
            put_in_place(model, project.round_folder(number))
            put_in_place(annotations, project.export_folder(number))
    return number


def _rows_of(project: Project, adapter: Path, card: Card) -> Path:
    trained_on = {name: file.sha256 for name, file in card.data.items()}
    for folder in sent_rows(project):
        receipt = json.loads((folder / "receipt.json").read_text(encoding="utf-8"))
        sent = {split: receipt["files"][f"{split}.jsonl"]["sha256"] for split in SENT_ROWS}
        if trained_on == sent and receipt["fingerprint"] == card.base.fingerprint:
            return folder
    raise InputError(
        "{folder} was trained on other rows, or on another base encoder, than this project has sent away with "
        "`workbench round bundle`. Train it on the files of a bundle, unchanged.",
        folder=adapter,
    )


def _labels_until(session: Session, receipt: Mapping[str, Any]) -> datetime:
    """The rows of a bundle are those of a round, or what was labelled when it was packed."""
    row = session.get(Round, receipt["round"])
    return datetime.fromisoformat(receipt["created"]) if row is None else row.labels_until or row.created_at


def _own_files(adapter: Path, card: Card) -> list[str]:
    """The files listed in the card. Raises AdapterError for any other than those of an adapter and its tokenizer."""
    names = sorted(Path(name).name for name in card.files)
    for name in names:
        if name not in {WEIGHTS, ADAPTER_CONFIG} and not any(map(Path(name).match, TOKENIZER_FILES)):
            raise AdapterError(
                "{adapter}: {name} is no file of an adapter; take it out and train again",
                adapter=adapter,
                name=name,
            )
    if (size := sum((adapter / name).stat().st_size for name in names)) > MOST_BYTES:
        raise AdapterError(
            "{adapter}: {size} MB are too many for an adapter; train it again",
            adapter=adapter,
            size=f"{size / 1e6:,.0f}",
        )
    return names


@contextmanager
def _staging(project: Project) -> Iterator[tuple[Path, Path]]:
    """Two temporary folders on the file systems of their targets; removed afterwards if they still exist."""
    mark = f"{ADOPTING}{uuid4().hex[:12]}"
    places = project.models / mark, project.annotations / mark
    try:
        yield places
    finally:
        for place in places:
            shutil.rmtree(place, ignore_errors=True)


def _read_scores(project: Project, file: Path) -> Scores:
    """Scores from another machine, one for each prepared post up to some number. Raises InputError otherwise."""
    scored = _parse_scores(project, file)
    last = int(scored.post_ids.max(initial=0))
    with project.database.read() as session:
        prepared = select(Post.id).where(Post.group_id.is_not(None), Post.id <= last).order_by(Post.id)
        expected = np.fromiter(session.scalars(prepared), dtype=np.int64)
    if not np.array_equal(scored.post_ids, expected):
        raise InputError(
            "{file} does not hold one score for each post of this project up to number {last}. "
            "Score the bundle's pool.jsonl, or leave the scores out: they are made here then.",
            file=file,
            last=last,
        )
    return scored


def _parse_scores(project: Project, file: Path) -> Scores:
    with project.database.read() as session:
        posts = session.scalar(select(func.count()).select_from(Post)) or 0
    try:
        # The rows are counted before the file is read: a small file can unpack to more than the memory.
        if (rows := pq.read_metadata(file).num_rows) > posts:
            raise InputError(
                "{file} holds {rows} scores, more than there are posts. Score the pool again.",
                file=file,
                rows=rows,
            )
        _refuse_other_types(pq.read_schema(file))
        # A long text that the file states once for all rows is not repeated in memory.
        table = pq.read_table(file, columns=["id", *LABELS], read_dictionary=["id"])
        post_ids = _numbers(table["id"])
        probabilities = np.stack([table[name].cast(pa.float32()).to_numpy() for name in LABELS], axis=1)
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise InputError(
            "{file} is not a file of scores ({problem}). Make it with python -m trainer.score.",
            file=file,
            problem=str(error)[:LONGEST_PROBLEM],
        ) from error
    is_fair = (probabilities >= 0).all() and np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)
    if not is_fair or post_ids.dtype != np.int64:
        raise InputError(
            "{file} holds numbers that are no probabilities of posts. Score the pool again.", file=file
        )
    order = np.argsort(post_ids)
    return Scores(post_ids[order], probabilities[order])


def _refuse_other_types(schema: pa.Schema) -> None:
    """Raises TypeError, KeyError without one of the columns."""
    for name in ("id", *LABELS):
        kind = schema.field(name).type
        is_fit = pa.types.is_string(kind) if name == "id" else pa.types.is_floating(kind)
        if not is_fit:
            raise TypeError(f"{name} is of the type {kind}")


def _numbers(ids: pa.ChunkedArray) -> NDArray[Any]:
    """Raises pa.ArrowException for a value that is no number."""
    chunks = [chunk.dictionary.cast(pa.int64()).take(chunk.indices) for chunk in ids.chunks]
    numbers: NDArray[Any] = pa.chunked_array(chunks, pa.int64()).to_numpy()
    return numbers
