"""A round's export: every label with its votes, one weight per group, a receipt that can be checked."""

import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import select

from db.tables import Post, PostGroup
from tests.workbench.making import add_label, different_texts, import_texts
from trainer.behaviour.cases import read_cases
from trainer.texts.dataset import read_jsonl
from workbench.accounts import Account
from workbench.audit import Head
from workbench.errors import RoundError
from workbench.exports.jsonl import LabelledPost, labelled_posts, write_export
from workbench.imports.preparing import prepare
from workbench.project import Project


@pytest.fixture
def exported(project: Project, lead: Account, ann: Account, ben: Account, tmp_path: Path) -> Path:
    texts = different_texts(60)
    import_texts(project, lead, [*texts, texts[0] + "!", texts[0] + "?"])
    prepare(project)
    for post in range(1, 63):
        add_label(project, ann, post, "violation" if post % 3 else "normal")
    add_label(project, ben, 3, "suspicious")
    with project.database.read() as session:
        posts = labelled_posts(session, 7)
    write_export(tmp_path / "out", posts, round_number=7, by="林", now=project.now(), audit_head=Head())
    return tmp_path / "out"


def lines(folder: Path) -> list[dict[str, object]]:
    return [
        json.loads(line)
        for split in ("train", "validation", "test")
        for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").split("\n")
        if line
    ]


def test_the_receipt_fits_the_files(exported: Path) -> None:
    receipt = json.loads((exported / "receipt.json").read_text(encoding="utf-8"))
    assert (receipt["round"], receipt["by"]) == (7, "林")
    for name, facts in receipt["files"].items():
        content = (exported / name).read_bytes()
        assert facts["sha256"] == hashlib.sha256(content).hexdigest()
        assert facts["rows"] == content.count(b"\n") == sum(facts["labels"].values())


def test_text_and_label_come_first_and_the_trainer_reads_it(exported: Path) -> None:
    rows = lines(exported)
    assert all(list(row)[:2] == ["text", "label"] for row in rows)
    read = [
        example
        for split in ("train", "validation", "test")
        for example in read_jsonl(exported / f"{split}.jsonl")
    ]
    assert [example.label for example in read] == [row["label"] for row in rows]


def test_near_copies_weigh_one_together(exported: Path) -> None:
    rows = lines(exported)
    copies = [row for row in rows if row["id"] in {"p1", "p61", "p62"}]
    assert len({row["group"] for row in copies}) == 1
    assert sum(float(str(row["weight"])) for row in copies) == pytest.approx(1, abs=1e-5) or not copies


def test_a_disagreement_keeps_its_votes_and_the_more_severe_label(exported: Path) -> None:
    row = next(row for row in lines(exported) if row["id"] == "p3")
    assert row["labels"] == {"normal": 1, "suspicious": 1}
    assert row["label"] == "suspicious"
    assert len(row["annotators"]) == 2  # type: ignore[arg-type]


def test_no_group_stands_in_two_files(exported: Path) -> None:
    home: dict[object, set[object]] = {}
    for row in lines(exported):
        home.setdefault(row["group"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in home.values())


def test_a_leak_is_refused_and_nothing_written(project: Project, tmp_path: Path) -> None:
    posts = [LabelledPost(split, 1, {"id": split, "label": "normal"}) for split in ("train", "test")]
    with pytest.raises(RoundError, match="would leak"):
        write_export(tmp_path / "out", posts, round_number=1, by="x", now=project.now(), audit_head=Head())
    assert not (tmp_path / "out").exists()


def test_a_held_out_row_says_how_likely_it_was_to_be_labelled(
    project: Project, lead: Account, ann: Account
) -> None:
    import_texts(project, lead, different_texts(300))
    prepare(project)
    with project.database.write() as session:
        groups = list(
            session.scalars(select(PostGroup).where(PostGroup.split == "test").order_by(PostGroup.id))
        )
        for at, group in enumerate(groups):
            group.stratum = 3 if at < 10 else 0
        posts = {post.group_id: post.id for post in session.scalars(select(Post))}
    rare, common = groups[:10], groups[10:]
    for group in (*rare[:8], *common[:6]):
        add_label(project, ann, posts[group.id], "normal")
    with project.database.read() as session:
        labelled = labelled_posts(session, 1)
    chances = {post.group_id: post.line["inclusion_probability"] for post in labelled}
    assert {chances[group.id] for group in rare[:8]} == {0.8}
    assert {chances[group.id] for group in common[:6]} == {round(6 / len(common), 6)}


def test_rows_that_train_were_chosen_and_carry_no_chance(exported: Path) -> None:
    assert all(("inclusion_probability" in line) == (line["split"] != "train") for line in lines(exported))


def test_a_copy_of_a_written_case_is_counted_and_trains_nothing(project: Project, tmp_path: Path) -> None:
    cases = [case.text for case in read_cases()]
    texts = [("train", f" {cases[0]} "), ("train", "天气真好"), ("validation", cases[1]), ("test", cases[2])]
    posts = [
        LabelledPost(split, number, {"text": text, "label": "normal", "id": f"p{number}"})
        for number, (split, text) in enumerate(texts)
    ]
    receipt = write_export(
        tmp_path / "out", posts, round_number=1, by="x", now=project.now(), audit_head=Head()
    )
    assert [row["id"] for row in lines(tmp_path / "out")] == ["p1", "p3"]
    assert receipt["copies_of_written_cases"] == 2
    assert receipt["files"]["train.jsonl"]["rows"] == 1
