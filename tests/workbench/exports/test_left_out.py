"""What an export does without is counted by reason."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select, update

from db.tables import Annotation, Post, PostGroup
from tests.workbench.making import add_label, different_texts, import_texts, write_tsv
from trainer.texts.dataset import read_jsonl
from workbench import accounts
from workbench.accounts import Account, Right
from workbench.commands.exports import export_command
from workbench.commands.status import status_command
from workbench.errors import RoundError
from workbench.exports.labelled_posts import export_labels
from workbench.exports.left_out import LeftOut
from workbench.imports.preparing import prepare
from workbench.labelling.files.mapping import parse_map
from workbench.labelling.label_files import import_labels
from workbench.project import LABEL_SET_ID, Project
from workbench.queue.status import read_status


def labels(project: Project, lead: Account, posts: range, source: str | None = None) -> None:
    file = write_tsv(project.home / "l.tsv", [{"id": f"p{post}", "label": "normal"} for post in posts])
    import_labels(project, lead, file, mapping=parse_map(None), source=source)


def splits(project: Project) -> dict[int, str]:
    with project.database.read() as session:
        query = select(Post.id, PostGroup.split).join(PostGroup, PostGroup.id == Post.group_id)
        return dict(session.execute(query).all())


def test_labels_that_wait_for_the_worker_are_not_no_labels(
    project: Project, lead: Account, tmp_path: Path
) -> None:
    import_texts(project, lead, different_texts(20))
    labels(project, lead, range(1, 21))
    with pytest.raises(
        RoundError, match=r"None of the 20 labelled posts .* 20 wait for the worker to prepare them"
    ):
        export_labels(project, lead, tmp_path / "out")
    assert read_status(project).not_used == LeftOut(unprepared=20)


def test_a_log_on_held_out_posts_is_explained(project: Project, lead: Account, tmp_path: Path) -> None:
    import_texts(project, lead, different_texts(60))
    prepare(project)
    held_out = sum(split != "pool" for split in splits(project).values())
    labels(project, lead, range(1, 61), "modlog")
    exported = export_labels(project, lead, tmp_path / "out", has_audit=True)
    assert exported.receipt["posts"] == 60 - held_out
    assert exported.receipt["left_out"] == LeftOut(source_held_out=held_out).to_dict()
    assert "labels with a source only" in str(exported.notes()[0])
    status = read_status(project)
    used = sum(sum(counts.values()) for counts in status.labels.values())
    assert status.labelled == used + status.not_used.posts == 60


def test_only_held_out_labels_of_a_log_are_no_reason_to_label_first(
    project: Project, lead: Account, tmp_path: Path
) -> None:
    import_texts(project, lead, different_texts(60))
    prepare(project)
    held_out = [post for post, split in splits(project).items() if split != "pool"]
    for post in held_out:
        labels(project, lead, range(post, post + 1), "modlog")
    with pytest.raises(RoundError, match=f"None of the {len(held_out)} labelled posts .* with a source only"):
        export_labels(project, lead, tmp_path / "out")


def test_posts_that_wait_for_a_lead_are_said(
    project: Project, lead: Account, ann: Account, tmp_path: Path
) -> None:
    import_texts(project, lead, different_texts(3))
    prepare(project)
    with project.database.write() as session:
        row = {"action": "skip", "label_set_id": LABEL_SET_ID, "is_flagged": True, "saved_at": project.now()}
        session.add(Annotation(post_id=1, person_id=ann.id, **row))
    with pytest.raises(RoundError, match="1 posts wait for a lead"):
        export_labels(project, lead, tmp_path / "out")


def test_the_command_and_the_receipt_say_what_is_missing(
    project: Project,
    lead: Account,
    ann: Account,
    ben: Account,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import_texts(project, lead, different_texts(150))
    prepare(project)
    labels(project, lead, range(1, 151))
    pool = next(post for post, split in splits(project).items() if split == "pool")
    aside = next(post for post, split in splits(project).items() if split == "pool" and post != pool)
    add_label(project, ann, pool, "violation")
    with project.database.write() as session:
        session.execute(update(Post).where(Post.id == aside).values(is_quarantined=True))
    audit = sum(split == "audit" for split in splits(project).values())
    export_command(project.home, tmp_path / "out")
    printed = capsys.readouterr().out
    assert f"{audit} are in the sealed audit set" in printed
    assert "1 are set aside" in printed
    assert "1 posts have different labels and no decision of a lead" in printed
    receipt = json.loads((tmp_path / "out" / "receipt.json").read_text(encoding="utf-8"))
    assert receipt["posts"] + sum(receipt["left_out"].values()) == 150
    whole = export_labels(project, lead, tmp_path / "whole", has_audit=True)
    assert whole.receipt["left_out"]["audit"] == 0
    status_command(project.home)
    assert "1 are set aside" in capsys.readouterr().out


def test_a_reader_who_may_not_see_people_is_given_none(
    project: Project,
    lead: Account,
    ann: Account,
    ben: Account,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import_texts(project, lead, different_texts(40))
    prepare(project)
    for post in range(1, 41):
        add_label(project, ann, post, "normal")
    monkeypatch.setitem(accounts.RIGHTS, "lead", frozenset({Right.EXPORT}))
    export_labels(project, lead, tmp_path / "out")
    lines = (tmp_path / "out" / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["annotators"] for line in lines] == [[]] * len(lines)
    assert len(read_jsonl(tmp_path / "out" / "labels.jsonl")) == len(lines)
