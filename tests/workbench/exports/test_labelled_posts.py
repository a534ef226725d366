"""Export of all labels: the formats agree, a leak is refused, the audit set stays sealed."""

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from db.tables import Annotation, AuditEntry, Post, PostGroup
from tests.workbench.making import add_label, different_texts, import_texts
from trainer.errors import TrainerError
from trainer.labels import LABELS
from trainer.texts.dataset import read_jsonl
from workbench.accounts import Account
from workbench.commands.exports import export_command
from workbench.errors import InputError, NotAllowedError, RoundError
from workbench.exports import jsonl, labelled_posts
from workbench.exports.labelled_posts import FORMATS, export_labels, list_exports
from workbench.exports.spreadsheet import not_a_formula
from workbench.imports.preparing import prepare
from workbench.project import LABEL_SET_ID, Project

POSTS = 150
FORMULAS = ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(1)", "＝1"]


@pytest.fixture
def labelled_project(project: Project, lead: Account, ann: Account, ben: Account) -> Project:
    """Ann has labelled every post, Ben every tenth; two near-copies, some moderation log labels, texts like formulas."""
    texts = different_texts(POSTS - 2 - len(FORMULAS))
    formulas = [f"{formula} {text}" for formula, text in zip(FORMULAS, texts, strict=False)]
    import_texts(project, lead, [*texts, texts[0] + "!", texts[0] + "?", *formulas])
    prepare(project)
    for post in range(1, POSTS + 1):
        add_label(project, ann, post, LABELS[post % 3])
        if post % 10 == 0:
            add_label(project, ben, post, "violation")
    return project


def read_lines(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (folder / "labels.jsonl").read_text(encoding="utf-8").split("\n") if line
    ]


def split_by_id(project: Project) -> dict[str, str]:
    with project.database.read() as session:
        rows = session.execute(
            select(Post.external_id, PostGroup.split).join(PostGroup, PostGroup.id == Post.group_id)
        )
        return {row.external_id: row.split for row in rows}


def test_every_labelled_post_is_one_line_and_the_audit_set_only_when_asked_for(
    labelled_project: Project, lead: Account, tmp_path: Path
) -> None:
    splits = split_by_id(labelled_project)
    assert "audit" in splits.values()
    without = read_lines(export_labels(labelled_project, lead, tmp_path / "a").folder)
    whole = read_lines(export_labels(labelled_project, lead, tmp_path / "b", has_audit=True).folder)
    assert sorted(line["id"] for line in whole) == sorted(splits)
    assert {line["id"] for line in without} == {name for name, split in splits.items() if split != "audit"}
    assert Counter(line["split"].replace("train", "pool") for line in whole) == Counter(splits.values())


def test_lines_are_those_of_a_round_with_their_source(
    labelled_project: Project, lead: Account, tmp_path: Path
) -> None:
    """Weights, probabilities and votes equal those of `labelled_posts`, which holds all rows in memory."""
    with labelled_project.database.read() as session:
        expected = {post.line["id"]: dict(post.line) for post in jsonl.labelled_posts(session, 0)}
    for line in expected.values():
        del line["round"]
    lines = read_lines(export_labels(labelled_project, lead, tmp_path / "out").folder)
    assert {line["id"]: line for line in lines} == expected
    assert [list(line)[:2] for line in lines[:3]] == [["text", "label"]] * 3
    assert len(read_jsonl(tmp_path / "out" / "labels.jsonl")) == len(lines)


def test_a_log_label_says_where_it_comes_from(project: Project, lead: Account, tmp_path: Path) -> None:
    import_texts(project, lead, different_texts(30))
    prepare(project)
    with project.database.write() as session:
        for post in range(1, 31):
            row = {"action": "label", "label": "violation", "label_set_id": LABEL_SET_ID, "origin": "import"}
            session.add(
                Annotation(post_id=post, person_id=lead.id, source="modlog", saved_at=project.now(), **row)
            )
    lines = read_lines(export_labels(project, lead, tmp_path / "out").folder)
    assert {(line["split"], line["source"]) for line in lines} == {("train", "modlog")}


@pytest.mark.parametrize("form", FORMATS)
def test_the_receipt_fits_the_files(
    labelled_project: Project, lead: Account, tmp_path: Path, form: str
) -> None:
    exported = export_labels(labelled_project, lead, tmp_path / "out", form=form)
    receipt = json.loads((tmp_path / "out" / "receipt.json").read_text(encoding="utf-8"))
    assert receipt == exported.receipt
    assert (receipt["by"], receipt["format"]) == ("林", form)
    files = {path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != "receipt.json"}
    assert {tmp_path / "out" / name for name in receipt["files"]} == files
    for name, facts in receipt["files"].items():
        assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == facts["sha256"]
    counted = sum(count for labels in receipt["splits"].values() for count in labels.values())
    assert counted == receipt["posts"] == POSTS - Counter(split_by_id(labelled_project).values())["audit"]


def test_a_spreadsheet_opens_chinese_and_runs_nothing(
    labelled_project: Project, lead: Account, tmp_path: Path
) -> None:
    export_labels(labelled_project, lead, tmp_path / "out", form="csv", has_audit=True)
    raw = (tmp_path / "out" / "labels.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))
    assert len(rows) == POSTS
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "＝"))]
    assert sum(row["text"].startswith("'") for row in rows) == len(FORMULAS)
    by_id = {row["id"]: row for row in rows}
    assert by_id["p10"]["labels"] in {"suspicious 1; violation 1", "violation 2"}


@pytest.mark.parametrize(("text", "safe"), [("\t=1", "'\t=1"), ("a=1", "a=1"), ("", ""), ("－1", "'－1")])
def test_only_what_begins_like_a_formula_is_quoted(text: str, safe: str) -> None:
    assert not_a_formula(text) == safe


def test_hugging_face_datasets_loads_the_folder_without_a_network(
    labelled_project: Project, lead: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelled_posts, "ROWS_AT_ONCE", 7)
    export_labels(labelled_project, lead, tmp_path / "out", form="datasets")
    lines = read_lines(export_labels(labelled_project, lead, tmp_path / "lines").folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets  # noqa: PLC0415 - slow to load, only needed here

    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == {"train", "validation", "test"}
    for split, table in loaded.items():
        label = table.features["label"]
        assert label.names == list(LABELS)
        expected = [line for line in lines if line["split"] == split]
        assert [(row["text"], label.int2str(row["label"]), row["id"]) for row in table] == [
            (line["text"], line["label"], line["id"]) for line in expected
        ]
        assert [{name: n for name, n in row["labels"].items() if n} for row in table] == [
            line["labels"] for line in expected
        ]
        assert [row["annotators"] for row in table] == [line["annotators"] for line in expected]


@pytest.mark.parametrize("form", FORMATS)
def test_a_planted_leak_is_refused_and_nothing_written(
    labelled_project: Project, lead: Account, tmp_path: Path, form: str
) -> None:
    """The database is damaged: one of two equal texts is in a group of the other side."""
    import_texts(labelled_project, lead, [different_texts(1)[0]], start=1_000)
    prepare(labelled_project)
    with labelled_project.database.write() as session:
        mine = session.scalar(select(PostGroup.split).join(Post).where(Post.id == 1))
        other = select(PostGroup.id).where(PostGroup.split != mine, PostGroup.split != "audit").limit(1)
        twin = session.scalars(select(Post.id).where(Post.external_id == "p1000")).one()
        session.execute(update(Post).where(Post.id == twin).values(group_id=other.scalar_subquery()))
    add_label(labelled_project, lead, twin, "normal")
    with pytest.raises(RoundError, match="would leak"):
        export_labels(labelled_project, lead, tmp_path / "out", form=form)
    assert list(tmp_path.glob("*out*")) == []


def test_what_is_there_stays_and_a_failed_export_leaves_nothing(
    labelled_project: Project, lead: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_labels(labelled_project, lead, tmp_path / "out")
    with pytest.raises(TrainerError, match="already exists"):
        export_labels(labelled_project, lead, tmp_path / "out", form="csv")

    def full(_line: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(labelled_posts, "dump_line", full)
    with pytest.raises(TrainerError, match="No space left"):
        export_labels(labelled_project, lead, tmp_path / "next")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir() and path.name != "project"] == ["out"]


def test_who_may_not_and_what_cannot_be_exported_is_refused(
    project: Project, lead: Account, ann: Account, tmp_path: Path
) -> None:
    with pytest.raises(NotAllowedError):
        export_labels(project, ann, tmp_path / "out")
    with pytest.raises(InputError, match="jsonl, csv or datasets"):
        export_labels(project, lead, tmp_path / "out", form="xml")
    with pytest.raises(RoundError, match="no labels yet"):
        export_labels(project, lead, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_newest_exports_of_a_project_are_kept(
    labelled_project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelled_posts, "EXPORTS_KEPT", 2)
    exports = []
    for _ in range(3):
        exports.append(export_labels(labelled_project, lead, form="csv").folder)
        labelled_project.now.move(seconds=1)  # type: ignore[attr-defined]
    assert [export.folder for export in list_exports(labelled_project)] == exports[:0:-1]
    assert not exports[0].exists()


def test_who_exported_how_much_is_recorded(labelled_project: Project, lead: Account, tmp_path: Path) -> None:
    exported = export_labels(labelled_project, lead, tmp_path / "out")
    with labelled_project.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "export labels")).one()
    assert (entry.person_id, entry.detail) == (lead.id, {"posts": exported.receipt["posts"], "audit": False})


def test_the_command_prints_the_receipt(
    labelled_project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export_command(labelled_project.home, tmp_path / "out", as_json=True)
    printed = json.loads(capsys.readouterr().out)
    receipt = json.loads((tmp_path / "out" / "receipt.json").read_text(encoding="utf-8"))
    assert printed == {"folder": str(tmp_path / "out"), **receipt}
    export_command(labelled_project.home, tmp_path / "csv", form="csv")
    assert f"{receipt['posts']:,} labelled posts" in capsys.readouterr().out
