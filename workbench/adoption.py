"""Take home an adapter that was trained elsewhere: it becomes a round, judged here like any other.

Light: what needs torch (the scores that came along, the gate) is looked at by the worker.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select

from db.queries import rounds_by_number
from db.tables import Post, Round
from trainer.card import Card, write_card
from trainer.config import LABELS
from trainer.folders import same_base, vouched_card
from workbench import jobs, rounds
from workbench.accounts import Account, Right, acting, record
from workbench.bundles import kept_rows
from workbench.errors import InputError
from workbench.project import Project
from workbench.scores import Scores, append_segment

SCORES = Path("scores") / "scores.parquet"


def adopt(project: Project, account: Account, folder: Path, *, notes: str | None = None) -> int:
    """Make a round of the adapter in `folder` (or in `folder/adapter`, with `folder/scores` beside it).

    Returns the round's number; the worker judges it and puts it in use, or not. Raises AdapterError when its files
    are not as they were written, are not of our labels or stand on another base; InputError when it was trained on
    rows that no bundle of this project holds, or its scores cannot be read; RoundError when a round is under way.
    """
    adapter = folder / "adapter" if (folder / "adapter").is_dir() else folder
    card = vouched_card(adapter)
    rows = _rows_of(project, adapter, card)
    base = json.loads((rows / "receipt.json").read_text(encoding="utf-8"))["base"]
    same_base(adapter, card, base)
    with _staged(project, account) as (model, annotations):
        model.mkdir()
        for name in card.files:  # what it vouches for and nothing else
            shutil.copyfile(adapter / Path(name).name, model / Path(name).name)
        # Over there the base may have had another name; its fingerprint is the same.
        named = replace(card, base=replace(card.base, name=base), config=replace(card.config, base=base))
        write_card(model, named)
        shutil.copytree(rows, annotations)
        if (folder / SCORES).exists():
            _take_scores(project, folder / SCORES, model / "scores")
        with acting(project, account, Right.RUN_ROUNDS) as session:
            rounds.refuse_second(session)
            last = session.scalar(rounds_by_number().limit(1))
            number = (last.number if last else 0) + 1
            row = Round(
                number=number,
                state="queued",
                is_running=True,
                is_quick=False,
                base=base,
                notes=notes or "trained elsewhere",
                created_at=project.now(),
                started_by_id=account.id,
            )
            session.add(row)
            session.flush()
            record(session, project, account.id, "adopt round", f"round {number}", rows=rows.name)
            job_id = f"round-{number}"
            jobs.enqueue(project.database.engine, session, jobs.Job.ADOPT, number, job_id=job_id)
            _move(model, project.round_folder(number))
            _move(annotations, project.annotations / f"round-{number:04d}")
    return number


def _rows_of(project: Project, adapter: Path, card: Card) -> Path:
    """The rows that were sent away and that this adapter was trained on."""
    trained_on = {name: file.sha256 for name, file in card.data.items()}
    for folder in kept_rows(project):
        sent = json.loads((folder / "receipt.json").read_text(encoding="utf-8"))["files"]
        if trained_on == {name: sent[f"{name}.jsonl"]["sha256"] for name in trained_on}:
            return folder
    raise InputError(
        "{folder} was trained on other rows than this project has sent away with `workbench round bundle`. "
        "Train it on the files of a bundle, unchanged.",
        folder=adapter,
    )


@contextmanager
def _staged(project: Project, account: Account) -> Iterator[tuple[Path, Path]]:
    """Two places to fill beside where they will lie; gone again, if they are still there."""
    places = project.models / f".adopting-{account.id}", project.annotations / f".adopting-{account.id}"
    try:
        for place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(place, ignore_errors=True)
        yield places
    finally:
        for place in places:
            shutil.rmtree(place, ignore_errors=True)


def _take_scores(project: Project, file: Path, out: Path) -> None:
    """Turn scores made elsewhere into a round's own, where they are of all posts up to some number."""
    found = _read_scores(file)
    if not len(found.post_ids):
        return
    last = int(found.post_ids[-1])
    with project.database.read() as session:
        prepared = select(Post.id).where(Post.group_id.is_not(None), Post.id <= last).order_by(Post.id)
        expected = np.fromiter(session.scalars(prepared), dtype=np.int64)
    if not np.array_equal(found.post_ids, expected):
        raise InputError(
            "{file} does not hold one score for each post of this project up to number {last}. "
            "Score the bundle's pool.jsonl, or leave the scores out: they are made here then.",
            file=file,
            last=last,
        )
    append_segment(out, found)


def _read_scores(file: Path) -> Scores:
    """Raises InputError when this is no file of `trainer.score`, over the numbers of a bundle's posts."""
    try:
        table = pq.read_table(file, columns=["id", *LABELS])
        post_ids = table["id"].to_numpy().astype(np.int64)
        probabilities = np.stack([table[name].to_numpy() for name in LABELS], axis=1).astype(np.float32)
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise InputError(
            "{file} is not a file of scores ({problem}). Make it with python -m trainer.score.",
            file=file,
            problem=error,
        ) from error
    if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise InputError(
            "{file} holds probabilities that do not add up to one. Score the pool again.", file=file
        )
    order = np.argsort(post_ids)
    return Scores(post_ids[order], probabilities[order])


def _move(part: Path, final: Path) -> None:
    """A folder without a round in the database is what an adoption left that died before its commit."""
    shutil.rmtree(final, ignore_errors=True)
    part.rename(final)
