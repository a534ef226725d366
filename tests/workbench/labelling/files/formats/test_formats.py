"""Files as other tools export them, with invented posts."""

import json
from pathlib import Path
from typing import Any

import pytest

from workbench.labelling.files.mapping import parse_map
from workbench.labelling.files.rows import LabelledRow, Names
from workbench.labelling.files.source import LabelFile

MAP = parse_map("pos=normal,neg=violation")


def read(path: Path, content: Any, **names: str) -> list[tuple[str | None, str, str] | str | None]:
    """(id, text, label) of each entry, the problem, or None for one left out."""
    if isinstance(content, list):
        content = "\n".join(json.dumps(line, ensure_ascii=False) for line in content)
    path.write_text(content, encoding="utf-8")
    entries = [entry for _, entry in LabelFile(path, Names(**names), None, MAP).entries()]
    return [
        (entry.row.id, entry.row.text, entry.label)
        if isinstance(entry, LabelledRow)
        else None
        if entry is None
        else str(entry)
        for entry in entries
    ]


def annotation(
    choice: str, *, question: str = "sentiment", by: int = 1, cancelled: bool = False
) -> dict[str, Any]:
    result = {"from_name": question, "to_name": "text", "type": "choices", "value": {"choices": [choice]}}
    return {"id": 11, "completed_by": by, "was_cancelled": cancelled, "result": [result], "lead_time": 3.2}


def task(*annotations: dict[str, Any], text: str = "二手显卡出售") -> dict[str, Any]:
    return {"id": 1, "data": {"text": text, "id": "f7"}, "annotations": list(annotations), "predictions": []}


def test_doccano(tmp_path: Path) -> None:
    """A post with an empty list is not labelled yet, and left out."""
    lines = [
        {"id": 1, "text": "今天天气不错", "label": ["pos"], "Comments": []},
        {"id": 2, "text": "加我领红包", "labels": ["neg"]},
        {"id": 3, "data": "有人在吗", "label": ["pos", "neg"]},
        {"id": 4, "text": "无人标注", "label": []},
    ]
    assert read(tmp_path / "all.jsonl", lines) == [
        ("1", "今天天气不错", "normal"),
        ("2", "加我领红包", "violation"),
        "2 labels, where a post has one: 'pos', 'neg'",
        None,
    ]


@pytest.mark.parametrize("name", ["project-1.json", "tasks.jsonl"])
def test_label_studio(tmp_path: Path, name: str) -> None:
    """Cancelled annotations and tasks without one are left out; annotators who disagree are a problem."""
    tasks = [
        task(annotation("pos")),
        task(annotation("neg", cancelled=True), annotation("pos", by=2)),
        task(annotation("pos"), annotation("pos", by=2)),
        task(annotation("pos"), annotation("neg", by=2)),
        task(annotation("neg", cancelled=True)),
        task(),
    ]
    content: Any = json.dumps(tasks, indent=1) if name.endswith(".json") else tasks
    post = ("f7", "二手显卡出售", "normal")
    assert read(tmp_path / name, content) == [
        post,
        post,
        post,
        "its annotators disagree: 'pos', 'neg'; settle it there, and export again",
        None,
        None,
    ]


def test_label_studio_with_two_questions_needs_the_name_of_one(tmp_path: Path) -> None:
    tasks = json.dumps([task(annotation("pos"), annotation("urgent", question="priority"))])
    (problem,) = read(tmp_path / "two.json", tasks)
    assert problem == "several questions were answered: priority, sentiment; name one with --label-column"
    assert read(tmp_path / "two.json", tasks, label="sentiment") == [("f7", "二手显卡出售", "normal")]


def test_label_studio_in_short(tmp_path: Path) -> None:
    """The number of a task is no id of a post."""
    line = {
        "id": 5,
        "annotator": 1,
        "annotation_id": 8,
        "created_at": "2026-03-01T09:00:00Z",
        "lead_time": 1.5,
    }
    lines = [
        {**line, "text": "今天天气不错", "sentiment": "pos"},
        {**line, "text": "加我领红包", "sentiment": {"choices": ["neg"]}},
        {**line, "text": "没有答案"},
    ]
    assert read(tmp_path / "min.json", json.dumps(lines)) == [
        (None, "今天天气不错", "normal"),
        (None, "加我领红包", "violation"),
        None,
    ]
    table = "annotation_id\tannotator\tid\tsentiment\ttext\n8\t1\t5\tpos\t今天天气不错\n"
    assert read(tmp_path / "min.tsv", table, label="sentiment") == [(None, "今天天气不错", "normal")]


def test_an_answer_to_another_question_is_not_the_label(tmp_path: Path) -> None:
    tasks = [
        task(annotation("pos"), annotation("neg", question="spam")),
        task(annotation("neg", question="spam")),
    ]
    assert read(tmp_path / "two.jsonl", tasks, label="sentiment") == [("f7", "二手显卡出售", "normal"), None]


SHORT = "annotation_id,annotator,created_at,id,sentiment,text\n"


def test_label_studio_as_csv(tmp_path: Path) -> None:
    lines = [
        '8,1,2026-03-01T09:00:00Z,5,pos,"今天,天气不错"',
        '9,1,2026-03-01T09:00:00Z,6,"{""choices"": [""pos"", ""neg""]}",加我领红包',
        "10,1,2026-03-01T09:00:00Z,7,,没有答案",
    ]
    file = tmp_path / "project.csv"
    assert read(file, SHORT + "\n".join(lines)) == [
        (None, "今天,天气不错", "normal"),
        "2 labels, where a post has one: 'pos', 'neg'",
        None,
    ]
    two = SHORT.replace("sentiment", "sentiment,priority") + "8,1,x,p5,pos,urgent,你好\n"
    assert read(file, two) == [
        "several questions were answered: priority, sentiment; name one with --label-column"
    ]
    assert read(file, two, label="sentiment", id="id") == [("p5", "你好", "normal")]


@pytest.mark.parametrize(
    "odd", [5, "x", {"a": 1}, [None], [5], [{"result": 5}], [{"result": [None, {"value": 5}]}]]
)
def test_label_studio_with_values_of_other_kinds(tmp_path: Path, odd: Any) -> None:
    lines = [task(annotation("pos")), {**task(), "annotations": odd}]
    (_, entry) = read(tmp_path / "odd.jsonl", lines)
    assert entry in (None, "no task of Label Studio, as the first one is")


@pytest.mark.parametrize("odd", [5, "pos", {"a": 1}, [None], [[]]])
def test_argilla_with_values_of_other_kinds(tmp_path: Path, odd: Any) -> None:
    lines = [
        {"text": "a", "verdict.responses": ["pos"], "verdict.responses.status": "submitted"},
        {"text": "b", "verdict.responses": odd, "verdict.responses.status": odd},
    ]
    first, second = read(tmp_path / "odd.jsonl", lines)
    assert first == (None, "a", "normal")
    assert not isinstance(second, tuple)


def test_half_characters_beside_a_text_are_replaced(tmp_path: Path) -> None:
    line = {"id": "\ud83d", "text": "a", "label": "pos", "board": "\ud83d", "time": "\ud83d"}
    file = tmp_path / "half.jsonl"
    assert read(file, json.dumps(line)) == [("\ufffd", "a", "normal")]
    (row,) = LabelFile(file, Names(), None, MAP).rows()
    assert (row.row.facts["board"], row.time) == ("\ufffd", "\ufffd")


def test_argilla(tmp_path: Path) -> None:
    def record(*answers: tuple[str, str]) -> dict[str, Any]:
        responses = [{"value": value, "status": status, "user_id": "u"} for value, status in answers]
        return {
            "id": "f7",
            "fields": {"text": "二手显卡出售"},
            "responses": {"verdict": responses},
            "status": "completed",
        }

    records = [
        record(("pos", "submitted")),
        record(("neg", "discarded"), ("pos", "submitted")),
        record(("neg", "draft")),
        record(("pos", "submitted"), ("neg", "submitted")),
        {"id": "x", "fields": {"text": "没有答案"}, "responses": {}},
    ]
    post = ("f7", "二手显卡出售", "normal")
    assert read(tmp_path / "records.json", json.dumps(records)) == [
        post,
        post,
        None,
        "its annotators disagree: 'pos', 'neg'; settle it there, and export again",
        None,
    ]


def test_argilla_as_flat_rows(tmp_path: Path) -> None:
    rows = [
        {
            "id": "a",
            "text": "今天天气不错",
            "label.responses": ["pos"],
            "label.responses.status": ["submitted"],
        },
        {
            "id": "b",
            "text": "加我领红包",
            "label.responses": ["pos", "neg"],
            "label.responses.status": ["discarded", "submitted"],
        },
        {"id": "c", "text": "没有答案", "label.responses": None, "label.responses.status": None},
        {"id": "d", "text": "没有状态", "label.responses": ["neg"], "label.suggestion": "pos"},
    ]
    assert read(tmp_path / "rows.jsonl", rows) == [
        ("a", "今天天气不错", "normal"),
        ("b", "加我领红包", "violation"),
        None,
        ("d", "没有状态", "violation"),
    ]


def test_argilla_of_version_1(tmp_path: Path) -> None:
    def row(*answers: tuple[str, str]) -> dict[str, Any]:
        return {
            "text": "加我领红包",
            "verdict": [{"user_id": "u", "value": v, "status": s} for v, s in answers],
        }

    rows = [row(("pos", "discarded"), ("neg", "submitted")), {"text": "没有答案", "verdict": []}]
    assert read(tmp_path / "rows.jsonl", rows) == [(None, "加我领红包", "violation"), None]


def test_a_number_is_a_position_of_ours_only_in_our_own_export(tmp_path: Path) -> None:
    ours = {
        "text": "加我领红包",
        "label": 2,
        "id": "p1",
        "labels": {"normal": 0, "suspicious": 0, "violation": 1},
    }
    assert read(tmp_path / "ours.jsonl", [ours]) == [("p1", "加我领红包", "violation")]
    (entry,) = read(tmp_path / "other.jsonl", [{"text": "加我领红包", "label": 2}])
    assert "2" in str(entry)
    assert not isinstance(entry, tuple)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({"id": True, "text": "a", "label": "pos"}, "the id is neither text nor a number"),
        ({"id": "1", "text": 5, "label": "pos"}, "the text is a number, a list or another value, not text"),
        ({"id": " ", "label": "pos"}, "no text"),
        ({"text": "\ud800中", "label": "pos"}, "half of a surrogate pair in the text"),
        ({"text": "a" * 100_001, "label": "pos"}, "text of 100001 characters; at most 100000"),
        ({"text": "a", "label": {"x": 1}}, "the label is neither a name nor a number"),
    ],
)
def test_a_value_that_cannot_be_used_is_a_problem(tmp_path: Path, line: dict[str, Any], problem: str) -> None:
    assert read(tmp_path / "l.jsonl", json.dumps(line)) == [problem]


@pytest.mark.parametrize(
    ("identity", "id_"), [("", None), ("  ", None), (None, None), (7, "7"), (7.0, "7"), (" p1 ", "p1")]
)
def test_an_empty_id_is_none_and_a_number_is_its_text(
    tmp_path: Path, identity: object, id_: str | None
) -> None:
    assert read(tmp_path / "l.jsonl", [{"id": identity, "text": "a", "label": "pos"}]) == [
        (id_, "a", "normal")
    ]


def test_an_empty_id_in_a_table_is_none(tmp_path: Path) -> None:
    assert read(tmp_path / "l.tsv", "id\ttext\tlabel\n\ta\tpos\n \tb\tneg\n") == [
        (None, "a", "normal"),
        (None, "b", "violation"),
    ]


def test_known_columns_of_an_object_become_facts_of_its_post(tmp_path: Path) -> None:
    file = tmp_path / "l.jsonl"
    file.write_text(
        json.dumps({"text": "a", "label": "pos", "board": "交易", "verdict": "x"}), encoding="utf-8"
    )
    (row,) = LabelFile(file, Names(), None, MAP).rows()
    assert dict(row.row.facts) == {"board": "交易"}
