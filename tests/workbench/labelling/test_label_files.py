"""Imported labels are matched to their posts; an unknown label is refused by line."""

import json
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.queries.serving import queue_left
from db.queries.standing import current_labels
from db.tables import Annotation, Post
from tests.workbench.making import different_texts, import_texts, write_tsv
from trainer.texts.duplicates import split_of
from trainer.texts.normalisation import group_key
from workbench.accounts import Account
from workbench.errors import InputError
from workbench.exports.jsonl import labelled_posts
from workbench.imports.preparing import prepare
from workbench.labelling.label_files import LabelReceipt, import_labels, parse_map
from workbench.project import Project
from workbench.queue import swap


def standing(project: Project) -> dict[str, str | None]:
    with project.database.read() as session:
        rows = session.scalars(current_labels()).all()
        return {session.get_one(Post, row.post_id).external_id: row.label for row in rows}


THREE = {"加微信领红包": "删除", "今天天气很好": "通过", "再这样就封号": "警告"}


def test_a_moderation_log_is_mapped_onto_our_labels(project: Project, lead: Account, tmp_path: Path) -> None:
    import_texts(project, lead, ["卖号", "你好", "哈哈"])
    log = write_tsv(
        tmp_path / "log.tsv",
        [{"id": "p1", "action": "删除"}, {"id": "p2", "action": "通过"}, {"id": "p3", "action": "疑似"}],
    )
    mapping = parse_map("删除=violation,通过=正常")
    receipt = import_labels(project, lead, log, label_column="action", mapping=mapping, source="modlog")
    assert receipt == LabelReceipt(labelled=3, unchanged=0, new_posts=0)
    assert standing(project) == {"p1": "violation", "p2": "normal", "p3": "suspicious"}


def test_a_line_is_matched_by_id_then_by_text_and_an_unknown_text_becomes_a_post(
    project: Project, lead: Account, tmp_path: Path
) -> None:
    import_texts(project, lead, ["甲的帖子", "ＡＢＣ乙"])
    prepare(project)
    lines = [
        {"id": "p1", "text": "甲的帖子", "label": "normal"},
        {"text": "abc 乙", "label": "violation"},
        {"text": "谁也没见过", "label": "suspicious"},
    ]
    file = tmp_path / "labels.jsonl"
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    assert import_labels(project, lead, file, mapping=parse_map(None)) == LabelReceipt(3, 0, 1)
    assert sorted(map(str, standing(project).values())) == ["normal", "suspicious", "violation"]
    assert standing(project)["p2"] == "violation"


def test_the_same_file_again_changes_nothing_and_another_label_supersedes(
    project: Project, lead: Account, tmp_path: Path
) -> None:
    import_texts(project, lead, ["a", "b"])
    file = write_tsv(tmp_path / "l.tsv", [{"id": "p1", "label": "normal"}, {"id": "p2", "label": "normal"}])
    import_labels(project, lead, file, mapping=parse_map(None))
    assert import_labels(project, lead, file, mapping=parse_map(None)) == LabelReceipt(0, 2, 0)
    write_tsv(file, [{"id": "p1", "label": "violation"}])
    import_labels(project, lead, file, mapping=parse_map(None))
    assert standing(project) == {"p1": "violation", "p2": "normal"}
    with project.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Annotation)) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id\tlabel\np1\tnormal\np2\tspam\n", "line 3: unknown label 'spam'"),
        ("id\tlabel\np1\t\n", "line 2: no label"),
        ("id\tlabel\np9\tnormal\n", "line 2: no text, and no post has the id p9"),
        ("id\tlabel\np1\n", "line 2: expected 2 columns, found 1"),
        ("id\tverdict\np1\tnormal\n", "has no column label"),
        ("id\ttext\tlabel\np1\tsomething else\tnormal\n", "line 2: id p1 is already known with another text"),
        ("id\tlabel\np1\tnormal\np2\tnormal\np1\tviolation\n", "line 4: violation, but line 2 says normal"),
    ],
)
def test_a_bad_line_refuses_the_whole_file(
    project: Project, lead: Account, tmp_path: Path, content: str, message: str
) -> None:
    import_texts(project, lead, ["a", "b"])
    file = tmp_path / "l.tsv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        import_labels(project, lead, file, mapping=parse_map(None))
    assert standing(project) == {}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a"}', "no label"),
        ('{"label": "normal"}', "no text"),
        ("{", "not a JSON object"),
        ('{"text": "a", "label": "x"}', "unknown label 'x'"),
    ],
)
def test_a_bad_line_of_jsonl_is_named(
    project: Project, lead: Account, tmp_path: Path, line: str, message: str
) -> None:
    file = tmp_path / "l.jsonl"
    file.write_text('{"text": "ok", "label": "normal"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"line 2: {message}"):
        import_labels(project, lead, file, mapping=parse_map(None))


@pytest.mark.parametrize("text", ["删除", "删除=spam", "=normal"])
def test_a_map_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="write theirs=ours"):
        parse_map(text)


def test_a_label_is_left_out_only_where_that_was_asked_for(project: Project, lead: Account) -> None:
    """A dash often stands for a missing value, so it is refused as an unknown label."""
    file = write_tsv(
        project.home / "log.tsv", [{"text": "a", "label": "-"}, {"text": "b", "label": "normal"}]
    )
    with pytest.raises(InputError, match="unknown label '-'"):
        import_labels(project, lead, file, mapping=parse_map("警告=-"))


def test_lines_of_a_label_that_nobody_wants_are_left_out(project: Project, lead: Account) -> None:
    rows = [{"id": f"p{at}", "text": text, "label": label} for at, (text, label) in enumerate(THREE.items())]
    file = write_tsv(project.home / "log.tsv", rows)
    mapping = parse_map("删除=violation,通过=normal,警告=-")
    assert import_labels(project, lead, file, mapping=mapping) == LabelReceipt(2, 0, 2, left_out=1)
    lines = [json.dumps({"text": text, "label": label}) for text, label in THREE.items()]
    (project.home / "log.jsonl").write_text("\n".join(lines), encoding="utf-8")
    again = import_labels(project, lead, project.home / "log.jsonl", mapping=mapping)
    assert again == LabelReceipt(0, 2, 0, left_out=1)


def test_a_log_never_supersedes_a_careful_label_nor_the_other_way_round(
    project: Project, lead: Account, tmp_path: Path
) -> None:
    import_texts(project, lead, ["a"])
    prepare(project)
    careful = write_tsv(tmp_path / "careful.tsv", [{"id": "p1", "label": "violation"}])
    log = write_tsv(tmp_path / "log.tsv", [{"id": "p1", "label": "normal"}])
    for file, source in ((careful, None), (log, "modlog"), (careful, None), (log, "modlog")):
        import_labels(project, lead, file, mapping=parse_map(None), source=source)
    with project.database.read() as session:
        rows = session.execute(select(Annotation.label, Annotation.source).order_by(Annotation.id)).all()
        (post,) = labelled_posts(session, 1)
    assert rows == [("violation", None), ("normal", "modlog")]
    assert post.line["label"] == "violation"


def test_a_log_leaves_the_held_out_posts_to_be_labelled_blind(
    project: Project, lead: Account, tmp_path: Path
) -> None:
    import_texts(project, lead, different_texts(120))
    prepare(project)
    swap.rebuild(project)
    before = held_out(project)
    log = write_tsv(tmp_path / "log.tsv", [{"id": f"p{n}", "label": "normal"} for n in range(1, 121)])
    import_labels(project, lead, log, mapping=parse_map(None), source="modlog")
    object.__setattr__(project, "settings", project.settings.model_copy(update={"test_target": 5}))
    swap.rebuild(project)
    assert held_out(project) == before > 0


def held_out(project: Project) -> int:
    with project.database.read() as session:
        return dict(session.execute(queue_left()).all()).get("held_out", 0)


def test_chosen_labels_train_but_never_judge(project: Project, lead: Account, tmp_path: Path) -> None:
    texts = different_texts(120)
    import_texts(project, lead, texts)
    prepare(project)
    file = write_tsv(tmp_path / "log.tsv", [{"id": f"p{n}", "label": "normal"} for n in range(1, 121)])
    import_labels(project, lead, file, mapping=parse_map(None), source="modlog")
    with project.database.read() as session:
        exported = labelled_posts(session, 1)
    assert {post.split for post in exported} == {"train"}
    assert len(exported) == sum(split_of(group_key(text)) == "pool" for text in texts)
