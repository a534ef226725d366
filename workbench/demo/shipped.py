"""The rounds that ship with the sample: written once by `history`, adopted by each new demo instead of training.

A round's folder holds the adapter, the evaluation, the doubts, and the scores of the posts by their number, which the
order of the sample's posts determines. The tokenizer is that of all rounds: it is there once, compressed.
"""

import gzip
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select

from db.tables import Post, Round
from trainer.adapters.card import Card, read_card, write_card
from trainer.adapters.folders import TOKENIZER_FILES
from trainer.files import put_in_place, sha256_of, write_json
from trainer.labels import LABELS
from workbench.demo.work import Made
from workbench.exports.jsonl import SPLITS
from workbench.project import Project
from workbench.rounds.champion import champion_number
from workbench.scores.round_scores import RoundScores, Scores
from workbench.worker.attempts import GO, begin
from workbench.worker.steps import keep_evaluation

ROUND, SCORES, TOKENIZER = "round.json", "scores.parquet", "tokenizer"
TRAINED_FILES = (
    "adapter_model.safetensors",
    "adapter_config.json",
    "card.json",
    "README.md",
    "out_of_fold.json",
)
EVALUATION_FILES = ("report.json", "test_probabilities.parquet", "behaviour.json")
DOUBTS = "doubts.parquet"
ROW_FIELDS = ("id", "label", "group", "weight", "labels")
"""Of a row that trains: without the dates, which are those of each demo."""


@dataclass(frozen=True)
class Shipped:
    """`folder` holds a folder for each round."""

    folder: Path

    def made(self) -> Made:
        return Made(self._train, self._evaluate, self._score, self._add_scores)

    def _train(self, project: Project, number: int) -> str:
        attempt = begin(project, number, "training")
        adapter, own = attempt.folder / "adapter", round_folder(self.folder, number)
        adapter.mkdir(parents=True)
        _copy(own, adapter, TRAINED_FILES)
        card = read_card(adapter)
        for file in (self.folder / TOKENIZER).iterdir():
            (adapter / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        write_card(adapter, self._dated(project, number, card))
        with attempt.finish():
            put_in_place(adapter, project.round_folder(number))
        return GO

    def _dated(self, project: Project, number: int, card: Card) -> Card:
        """The card with this demo's date, and with the hashes of its files if they hold the rows that were trained on."""
        files = project.export_folder(number)
        data = card.data
        if digest(files) == self._facts(number)["rows"]:
            data = {
                name: replace(file, sha256=sha256_of(files / file.file)) for name, file in card.data.items()
            }
        return replace(card, created=project.now().isoformat(timespec="seconds"), data=data)

    def _evaluate(self, project: Project, number: int) -> str:
        attempt = begin(project, number, "evaluating")
        with project.database.read() as session:
            champion = champion_number(session)
        out, own = attempt.folder / "evaluation", round_folder(self.folder, number)
        out.mkdir(parents=True)
        _copy(own, out, EVALUATION_FILES)
        _copy(own, project.round_folder(number), [DOUBTS])
        keep_evaluation(attempt, out, champion)
        return GO

    def _score(self, project: Project, number: int) -> str:
        attempt = begin(project, number, "scoring", serves_promotion=True)
        self._add_scores(project, number)
        with attempt.finish(step_attempts=0) as session:
            session.get_one(Round, number).scored = self._facts(number)["scored"]
        return GO

    def _add_scores(self, project: Project, number: int) -> None:
        scores = RoundScores.of(project, number)
        with project.database.read() as session:
            prepared = select(Post.id).where(Post.group_id.is_not(None), Post.id > scores.last_scored())
            missing = np.fromiter(session.scalars(prepared.order_by(Post.id)), dtype=np.int64)
        scores.append(read_scores(round_folder(self.folder, number) / SCORES).of(missing))

    def _facts(self, number: int) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = json.loads(
            (round_folder(self.folder, number) / ROUND).read_text(encoding="utf-8")
        )
        return facts


def ship(project: Project, number: int, history: Path) -> None:
    """Write what a demo needs of a round into the folder `history`."""
    own, folder = project.round_folder(number), round_folder(history, number)
    folder.mkdir(parents=True)
    _copy(own, folder, (*TRAINED_FILES, DOUBTS))
    _copy(own / "evaluation", folder, EVALUATION_FILES)
    _ship_tokenizer(own, history / TOKENIZER)
    _ship_scores(RoundScores.of(project, number).read(), folder / SCORES)
    with project.database.read() as session:
        scored = session.get_one(Round, number).scored
    write_json(folder / ROUND, {"rows": digest(project.export_folder(number)), "scored": scored})


def _copy(source: Path, target: Path, names: Iterable[str]) -> None:
    """Those of the files that are there: some rounds have no folds, or no doubts."""
    for name in names:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


def _ship_tokenizer(adapter: Path, out: Path) -> None:
    out.mkdir(exist_ok=True)
    for name in map(Path, read_card(adapter).files):
        if any(map(name.match, TOKENIZER_FILES)):
            packed = gzip.compress((adapter / name.name).read_bytes(), mtime=0)
            (out / f"{name.name}.gz").write_bytes(packed)


def _ship_scores(scores: Scores, file: Path) -> None:
    columns = {label: scores.probabilities[:, place] for place, label in enumerate(LABELS)}
    pq.write_table(pa.table({"post_id": scores.post_ids, **columns}), file)


def round_folder(history: Path, number: int) -> Path:
    return history / f"round-{number:04d}"


def digest(export: Path) -> str:
    """Of the rows of an export, in order, without their dates."""
    rows = hashlib.sha256()
    for split in SPLITS:
        for line in (export / f"{split}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            rows.update(json.dumps([split, *(row.get(name) for name in ROW_FIELDS)]).encode())
    return rows.hexdigest()


def read_scores(file: Path) -> Scores:
    with pq.ParquetFile(file) as parquet:
        table = parquet.read()
    post_ids, *columns = (np.from_dlpack(table[name].combine_chunks()) for name in ("post_id", *LABELS))
    return Scores(post_ids.astype(np.int64), np.stack(columns, axis=1))
