"""Export of all labels with their provenance, as JSONL, CSV, or a folder for Hugging Face `datasets`.

Posts are streamed twice, first to count them and to refuse a leak, then to write.
"""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy.orm import Session

from db.queries.preparing import strata_sizes
from trainer.files import new_folder, sha256_of, write_json
from trainer.labels import LABELS, Label
from trainer.messages import Message
from workbench.accounts import Account, Right, acting, reading
from workbench.audit import read_head, record
from workbench.errors import InputError, RoundError
from workbench.exports.jsonl import Census, LabelledPost, dump_line, each_labelled_post
from workbench.exports.left_out import LeftOut, count_asked, read_left_out
from workbench.exports.spreadsheet import BOM, not_a_formula
from workbench.project import Project

FORMATS = ("jsonl", "csv", "datasets")
SCHEMA = 1
RECEIPT = "receipt.json"
EXPORTS_KEPT = 5
"""Exports of the web app that stay on disk; older ones are deleted."""
ROWS_AT_ONCE = 5_000
SPLITS = ("train", "validation", "test", "audit")

FIELDS: Mapping[str, pa.DataType] = {
    "text": pa.string(),
    "label": pa.int64(),
    "id": pa.string(),
    "group": pa.string(),
    "weight": pa.float64(),
    "labels": pa.struct([(label, pa.int64()) for label in LABELS]),
    "annotators": pa.list_(pa.int64()),
    "resolved_by": pa.int64(),
    "lane": pa.string(),
    "source": pa.string(),
    "labelled_at": pa.string(),
    "inclusion_probability": pa.float64(),
}
"""Columns of a `datasets` folder, which has one file per split."""
COLUMNS = (*FIELDS, "split")
"""Columns of a CSV file."""

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Export:
    folder: Path
    receipt: Mapping[str, Any]

    def notes(self) -> list[Message]:
        """What the export leaves out or had to decide; none in receipts of earlier versions."""
        notes = LeftOut(**self.receipt.get("left_out", {})).reasons()
        if notes:
            notes = [Message("Left out: {reasons}.", reasons=notes)]
        if disputed := self.receipt.get("disagreements"):
            notes.append(
                Message(
                    "{count} posts have different labels and no decision of a lead: theirs is the most frequent one, "
                    "in a tie the more severe.",
                    count=disputed,
                )
            )
        return notes


def export_labels(
    project: Project,
    account: Account,
    out: Path | None = None,
    *,
    form: str = "jsonl",
    has_audit: bool = False,
    headings: Sequence[str] = COLUMNS,
) -> Export:
    """Write all labelled posts atomically into a new folder `out`, by default one in the project's data.

    `headings` are those of a CSV file, in the order of COLUMNS.
    `has_audit` adds the sealed audit set. Raises NotAllowedError without the right to export, InputError for another
    format, RoundError if there are no labels or a group is in two splits, TrainerError if `out` exists.
    """
    if form not in FORMATS:
        raise InputError("{format} is no format of ours. Choose jsonl, csv or datasets.", format=form)
    now = project.now()
    out = out or _exports_folder(project) / f"{now:%Y%m%dT%H%M%S%f}-{form}"
    with reading(project, account, Right.EXPORT) as session:
        left_out = read_left_out(session, has_audit=has_audit)
        census = _take_census(session, has_audit, left_out)
        with new_folder(out) as part:
            counts, disputed = Counter[tuple[str, str]](), Counter[str]()
            posts = each_labelled_post(session, has_audit=has_audit)
            lines = _counted(posts, census, counts, disputed)
            shown = lines if account.may(Right.REVIEW) else map(_without_people, lines)
            if form == "csv":
                _write_csv(part, shown, headings)
            else:
                _WRITERS[form](part, shown)
            receipt = {
                "schema": SCHEMA,
                "format": form,
                "created": now.isoformat(),
                "by": account.name,
                "audit_head": str(read_head(session)),
                "posts": counts.total(),
                "splits": _nested(counts),
                "left_out": left_out.to_dict(),
                "disagreements": disputed.total(),
                "files": {
                    str(file.relative_to(part)): {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
                    for file in sorted(part.rglob("*"))
                    if file.is_file()
                },
            }
            write_json(part / RECEIPT, receipt)
    with acting(project, account, Right.EXPORT) as session:
        record(session, project, account.id, "export labels", out.name, posts=counts.total(), audit=has_audit)
    return Export(out, receipt)


def list_exports(project: Project) -> list[Export]:
    """The exports in the project's data, newest first. Deletes all but the newest EXPORTS_KEPT."""
    folders = sorted(_exports_folder(project).glob(f"[0-9]*/{RECEIPT}"), reverse=True)
    for file in folders[EXPORTS_KEPT:]:
        shutil.rmtree(file.parent, ignore_errors=True)
    return [
        Export(file.parent, json.loads(file.read_text(encoding="utf-8"))) for file in folders[:EXPORTS_KEPT]
    ]


def _exports_folder(project: Project) -> Path:
    return project.data / "exports"


def _take_census(session: Session, has_audit: bool, left_out: LeftOut) -> Census:
    census, has_posts = Census(session.execute(strata_sizes())), False
    for post in each_labelled_post(session, has_audit=has_audit):
        census.add(post)
        has_posts = True
    if not has_posts:
        raise _nothing_to_export(left_out, count_asked(session))
    return census


def _nothing_to_export(left_out: LeftOut, asked: int) -> RoundError:
    if left_out.posts:
        return RoundError(
            "None of the {count} labelled posts can be exported yet: {reasons}.",
            count=left_out.posts,
            reasons=left_out.reasons(),
        )
    if asked:
        return RoundError(
            "There are no labels yet: {count} posts wait for a lead to decide them.", count=asked
        )
    return RoundError("There are no labels yet. Label some posts first.")


def _without_people(line: Line) -> Line:
    """For a reader who may not see who labelled what. A resolution stays one: it replaces the votes."""
    hidden: dict[str, Any] = {"annotators": []}
    return {**line, **hidden, **({"resolved_by": 0} if "resolved_by" in line else {})}


def _counted(
    posts: Iterable[LabelledPost],
    census: Census,
    counts: Counter[tuple[str, str]],
    disputed: Counter[str],
) -> Iterator[Line]:
    """The weighted lines. As they are consumed, `counts` by split and label grows, and `disputed`, the posts by split
    that have different labels and no resolution.
    """
    for post in posts:
        line = {name: value for name, value in census.weighed(post).line.items() if name != "round"}
        counts[post.split, line["label"]] += 1
        disputed[post.split] += len(line["labels"]) > 1 and "resolved_by" not in line
        yield line


def _nested(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    return {
        split: {label: counts.get((split, label), 0) for label in LABELS}
        for split in SPLITS
        if any(split == counted for counted, _ in counts)
    }


def _write_jsonl(part: Path, lines: Iterable[Line]) -> None:
    with (part / "labels.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(f"{dump_line(line)}\n" for line in lines)


def _write_csv(part: Path, lines: Iterable[Line], headings: Sequence[str]) -> None:
    with (part / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        file.write(BOM)
        writer = csv.writer(file)
        writer.writerow(headings)
        writer.writerows([_cell(line.get(name)) for name in COLUMNS] for line in lines)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return not_a_formula(value)
        case list():
            return " ".join(map(str, value))
        case dict():
            return "; ".join(f"{name} {count}" for name, count in value.items())
    return str(value)


def _write_datasets(part: Path, lines: Iterable[Line]) -> None:
    (part / "data").mkdir()
    writers: dict[str, pq.ParquetWriter] = {}
    waiting: dict[str, list[Line]] = {}
    schema = pa.schema(list(FIELDS.items()))
    rows: Counter[str] = Counter()

    def flush(split: str) -> None:
        columns = {name: [_value(line, name) for line in waiting[split]] for name in FIELDS}
        writers[split].write_table(pa.table(columns, schema=schema))
        rows[split] += len(waiting[split])
        waiting[split] = []

    try:
        for line in lines:
            split = line["split"]
            if split not in writers:
                writers[split] = pq.ParquetWriter(part / "data" / f"{split}.parquet", schema)
            waiting.setdefault(split, []).append(line)
            if len(waiting[split]) == ROWS_AT_ONCE:
                flush(split)
        for split in writers:
            flush(split)
    finally:
        for writer in writers.values():
            writer.close()
    (part / "README.md").write_text(_dataset_card(rows), encoding="utf-8")


def _value(line: Line, name: str) -> Any:
    value = line.get(name)
    if name == "label":
        return Label(line["label"]).position
    if name == "labels":
        return {label: value.get(label, 0) for label in LABELS} if value is not None else None
    return value


def _dataset_card(rows: Mapping[str, int]) -> str:
    splits = [split for split in SPLITS if rows.get(split)]
    lines = ["---", "language: [zh]", "task_categories: [text-classification]", "configs:"]
    lines += ["- config_name: default", "  data_files:"]
    for split in splits:
        lines += [f"  - split: {split}", f"    path: data/{split}.parquet"]
    lines += ["dataset_info:", "  features:"]
    for name, kind in FIELDS.items():
        lines += [f"  - name: {name}", *_feature(name, kind)]
    lines += ["---", "", "# Labelled forum posts", ""]
    lines += [f"- {split}: {rows[split]:,} posts" for split in splits]
    lines += [
        "",
        f"`label` is {', '.join(f'{at} {name}' for at, name in enumerate(LABELS))}. `labels` counts how many people "
        "said what; `resolved_by` is the lead whose decision stands instead. Near-copies share a `group`, never stand in "
        "two splits, and weigh one together. Validation, test and audit posts were drawn at random within strata: divide "
        "by `inclusion_probability` to make them stand for the forum. Training posts were chosen by the model's doubt and "
        "do not.",
        "",
    ]
    return "\n".join(lines)


def _feature(name: str, kind: pa.DataType) -> list[str]:
    if name == "label":
        names = [f"          '{at}': {label}" for at, label in enumerate(LABELS)]
        return ["    dtype:", "      class_label:", "        names:", *names]
    if name == "labels":
        return [
            "    struct:",
            *(line for label in LABELS for line in (f"    - name: {label}", "      dtype: int64")),
        ]
    if name == "annotators":
        return ["    list: int64"]
    return [f"    dtype: {'float64' if pa.types.is_floating(kind) else kind}"]


_WRITERS = {"jsonl": _write_jsonl, "datasets": _write_datasets}
