"""Imported labels are matched to their posts; an unknown label is refused by line."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from db.queries.serving import queue_left
from db.queries.standing import current_labels
from db.tables import Annotation, Post
from tests.trainer.reading.workbooks.making import write_workbook
from tests.workbench.making import different_texts, import_texts, write_tsv
from trainer.labels import LABELS
from trainer.texts.duplicates import split_of
from trainer.texts.normalisation import group_key
from workbench import accounts
from workbench.accounts import Account
from workbench.errors import InputError, NotAllowedError
from workbench.exports.jsonl import labelled_posts
from workbench.exports.labelled_posts import export_labels
from workbench.imports.intake import rejects_of
from workbench.imports.preparing import prepare
from workbench.labelling.files.mapping import parse_map
from workbench.labelling.label_files import LabelReceipt, import_labels
from workbench.project import Project, init_project
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
        ("id\tlabel\n" + "x" * 10_000 + "\tnormal\n", "no post has the id x{200}[.]"),
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


def labelled_from(project: Project, lead: Account, content: str, name: str = "l.tsv") -> LabelReceipt:
    file = project.home / name
    file.write_text(content, encoding="utf-8")
    return import_labels(project, lead, file, mapping=parse_map("0=normal,2=violation"))


MANGLED = [("1.2E+17", "卖二手显卡"), ("1.2E+17", "今天天气不错"), ("1.2E+17", "出售游戏账号")]


@pytest.mark.parametrize("name", ["l.tsv", "l.jsonl"])
def test_an_id_that_means_another_text_is_refused_by_line(project: Project, lead: Account, name: str) -> None:
    """A spreadsheet rounds long ids, so that several posts share one."""
    if name == "l.tsv":
        content = "".join(f"{id_}\t{text}\tnormal\n" for id_, text in [("id", "text"), *MANGLED])
        content = content.replace("text\tnormal", "text\tlabel", 1)
    else:
        lines = [{"id": id_, "text": text, "label": "normal"} for id_, text in [("p0", "第一条"), *MANGLED]]
        content = "\n".join(map(json.dumps, lines))
    with pytest.raises(InputError, match=r"line 3: id 1.2E\+17 has another text than line 2; line 4: "):
        labelled_from(project, lead, content, name)
    assert standing(project) == {}


def test_an_empty_id_is_no_id(project: Project, lead: Account) -> None:
    lines = [{"id": "", "text": text, "label": 0} for text in ("卖二手显卡", "今天天气不错")]
    content = "\n".join(map(json.dumps, lines))
    assert labelled_from(project, lead, content, "l.jsonl") == LabelReceipt(2, 0, 2)


@pytest.mark.parametrize(
    "content",
    [
        '{"id": "p1", "label": 2}\n{"id": "p2", "label": "0"}',
        '[{"id": "p1", "label": 2}, {"id": "p2", "label": 0.0}]',
    ],
)
def test_known_posts_need_no_text_in_json(project: Project, lead: Account, content: str) -> None:
    import_texts(project, lead, ["a", "b"])
    assert labelled_from(project, lead, content, "l.json") == LabelReceipt(2, 0, 0)
    assert standing(project) == {"p1": "violation", "p2": "normal"}


def test_a_line_without_text_may_speak_of_a_post_that_another_line_brings(
    project: Project, lead: Account
) -> None:
    content = '{"id": "n1", "label": 0}\n{"id": "n1", "text": "新帖", "label": 0}'
    assert labelled_from(project, lead, content, "l.jsonl") == LabelReceipt(1, 0, 1, repeated=1)


def test_a_repeated_line_was_not_there_already(project: Project, lead: Account) -> None:
    content = "text\tlabel\n甲\tnormal\n甲\tnormal\n乙\tviolation\n"
    assert labelled_from(project, lead, content) == LabelReceipt(2, 0, 2, repeated=1)
    assert labelled_from(project, lead, content) == LabelReceipt(0, 2, 0, repeated=1)


def test_lines_that_name_one_post_by_id_and_by_text_must_agree(project: Project, lead: Account) -> None:
    import_texts(project, lead, ["甲的帖子"])
    with pytest.raises(InputError, match="line 2: violation, but line 1 says normal of the same post"):
        labelled_from(project, lead, '{"id": "p1", "label": 0}\n{"text": "甲的帖子", "label": 2}', "l.jsonl")


LOG = [
    "p1\t{at}10:00\tviolation",
    "p1\t{at}12:00\tnormal",
    "p1\t{at}11:00\tsuspicious",
    "p2\t{at}09:00\tviolation",
]


@given(st.permutations(LOG))
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_last_action_of_a_log_counts_in_any_order(
    project: Project, lead: Account, lines: list[str]
) -> None:
    if not standing(project):
        import_texts(project, lead, ["a", "b"])
    content = "\n".join(["id\t操作时间\tlabel", *lines]).format(at="2026-03-01 ")
    receipt = labelled_from(project, lead, content)
    assert (receipt.superseded, receipt.repeated, receipt.labelled + receipt.unchanged) == (2, 0, 2)
    assert standing(project) == {"p1": "normal", "p2": "violation"}


def test_actions_at_one_time_or_without_a_time_are_refused_by_line(project: Project, lead: Account) -> None:
    import_texts(project, lead, ["a"])
    for content, words in (
        ("id\ttime\tlabel\np1\t2026-03-01\tviolation\np1\t2026-03-01\tnormal\n", "at the same time"),
        ("id\tlabel\np1\tviolation\np1\tnormal\n", "no column says which came last"),
    ):
        with pytest.raises(
            InputError, match=f"line 3: normal, but line 2 says violation of the same post.* {words}"
        ):
            labelled_from(project, lead, content)


def test_unknown_labels_are_counted_with_the_map_that_would_name_them(
    project: Project, lead: Account
) -> None:
    content = "text\tlabel\n" + "".join(f"帖子{n}\t{'删除' if n % 3 else '通过'}\n" for n in range(12))
    with pytest.raises(InputError) as refusal:
        labelled_from(project, lead, content)
    assert "'删除' (8), '通过' (4)" in str(refusal.value)
    assert "--map 删除=ours,通过=ours" in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "content"), [("l.jsonl", "\n"), ("l.json", "[]"), ("l.tsv", "text\tlabel\n")]
)
def test_a_file_without_rows_is_refused(project: Project, lead: Account, name: str, content: str) -> None:
    with pytest.raises(InputError, match="has no rows"):
        labelled_from(project, lead, content, name)


def test_an_array_that_is_cut_off_is_refused_in_one_sentence(project: Project, lead: Account) -> None:
    with pytest.raises(InputError, match="is not valid JSON"):
        labelled_from(project, lead, '[{"text": "a", "label": 0}', "l.json")
    with pytest.raises(InputError, match="entry 2: no label"):
        labelled_from(project, lead, '[{"text": "a", "label": 0}, {"text": "b"}]', "l.json")


def test_the_receipt_says_where_the_labels_go(project: Project, lead: Account) -> None:
    texts = different_texts(60)
    import_texts(project, lead, texts)
    unprepared = labelled_from(
        project, lead, "id\tlabel\n" + "".join(f"p{n}\tnormal\n" for n in range(1, 61))
    )
    assert unprepared.places == {"unprepared": 60}
    prepare(project)
    prepared = labelled_from(project, lead, "id\tlabel\n" + "".join(f"p{n}\tnormal\n" for n in range(1, 61)))
    train = sum(split_of(group_key(text)) == "pool" for text in texts)
    assert (prepared.places["train"], prepared.held_out) == (train, 60 - train)


def test_our_own_export_for_datasets_is_read_back_without_loss(
    project: Project, lead: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_texts(project, lead, different_texts(40))
    prepare(project)
    content = "id\tlabel\n" + "".join(f"p{n}\t{LABELS[n % 3]}\n" for n in range(1, 41))
    labelled_from(project, lead, content)
    before = standing(project)
    export_labels(project, lead, tmp_path / "out", form="datasets", has_audit=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets  # noqa: PLC0415 - slow to load, only needed here

    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    other = init_project(tmp_path / "other")
    for split, table in loaded.items():
        table.to_json(str(tmp_path / f"{split}.jsonl"))
        import_labels(
            other, accounts.command_line(other), tmp_path / f"{split}.jsonl", mapping=parse_map(None)
        )
    assert standing(other) == before
    other.database.dispose()


def test_a_log_that_is_exported_and_read_back_still_never_judges(
    project: Project, lead: Account, tmp_path: Path
) -> None:
    texts = different_texts(40)
    import_texts(project, lead, texts)
    prepare(project)
    log = write_tsv(tmp_path / "log.tsv", [{"id": f"p{n}", "label": "violation"} for n in range(1, 31)])
    import_labels(project, lead, log, mapping=parse_map(None), source="modlog")
    careful = write_tsv(tmp_path / "l.tsv", [{"id": f"p{n}", "label": "normal"} for n in range(31, 41)])
    import_labels(project, lead, careful, mapping=parse_map(None))
    export_labels(project, lead, tmp_path / "out", has_audit=True)
    other = init_project(tmp_path / "other")
    import_labels(
        other, accounts.command_line(other), tmp_path / "out" / "labels.jsonl", mapping=parse_map(None)
    )
    with other.database.read() as session:
        sources = dict(session.execute(select(Annotation.label, Annotation.source).distinct()).all())
    assert sources == {"violation": "modlog", "normal": None}
    other.database.dispose()


@pytest.mark.parametrize("kind", ["xlsx", "jsonl"])
def test_unusable_lines_are_kept_with_their_reasons_where_the_others_are_wanted(
    project: Project, lead: Account, tmp_path: Path, kind: str
) -> None:
    import_texts(project, lead, ["甲的帖子", "乙的帖子"])
    lines = [("p1", "violation"), ("p9", "normal"), ("p2", "spam"), ("p2", "normal")]
    file = tmp_path / f"labels.{kind}"
    if kind == "xlsx":
        write_workbook(file, [("id", "label"), *lines])
    else:
        rows = (json.dumps({"id": name, "label": label}) for name, label in lines)
        file.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(InputError):
        import_labels(project, lead, file, mapping=parse_map(None))
    assert standing(project) == {}
    receipt = import_labels(project, lead, file, mapping=parse_map(None), is_partial=True)
    assert receipt == LabelReceipt(2, 0, 0, not_found=1)
    assert standing(project) == {"p1": "violation", "p2": "normal"}
    assert receipt.rejects is not None
    assert [str(row.reason) for row in rejects_of(project, receipt.rejects.import_id)] == [
        "no text, and no post has the id p9",
        "unknown label 'spam'",
    ]


def test_none_of_the_lines_about_a_post_is_taken_if_they_contradict_each_other(
    project: Project, lead: Account, tmp_path: Path
) -> None:
    import_texts(project, lead, ["甲的帖子"])
    file = write_tsv(
        tmp_path / "l.tsv", [{"id": "p1", "label": "normal"}, {"id": "p1", "label": "violation"}]
    )
    receipt = import_labels(project, lead, file, mapping=parse_map(None), is_partial=True)
    assert receipt == LabelReceipt(0, 0, 0)
    assert receipt.rejects is not None
    assert [row.line for row in receipt.rejects.rejects] == [2, 3]
    assert standing(project) == {}


def test_no_unusable_line_is_kept_for_a_person_who_may_not_import(
    project: Project, lead: Account, ann: Account, tmp_path: Path
) -> None:
    import_texts(project, lead, ["甲的帖子"])
    file = write_tsv(tmp_path / "l.tsv", [{"id": "p1", "label": "normal"}, {"id": "p9", "label": "normal"}])
    with pytest.raises(NotAllowedError):
        import_labels(project, ann, file, mapping=parse_map(None), is_partial=True)
    assert standing(project) == {}
    assert rejects_of(project, 2) == []
