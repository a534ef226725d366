"""`workbench import` and `import-labels` take files as they really are."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench import cli
from workbench.accounts import Account
from workbench.project import Project

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    def outcome_of(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["workbench", *arguments, "--home", str(project.home)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return outcome_of


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_without_an_id_the_import_says_what_stands_for_it(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", "text\n好\n")
    assert "No id column: the text stands for it." in run("import", file)[2]
    file = write(tmp_path / "b.tsv", "ID\ttext\n1\t好\n")
    assert "No id column" not in run("import", file)[2]


def test_an_id_column_can_be_left_out(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", "id\ttext\n0\ta\n0\tb\n")
    receipt = json.loads(run("import", file, "--id-column", "", "--json")[1])
    assert (receipt["accepted"], receipt["rejected"]) == (2, 0)


def test_a_file_whose_every_row_is_rejected_ends_with_status_1(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", "id\ttext\n1\t\n2\tNULL\n")
    status, out, err = run("import", file)
    assert (status, "2 rejected" in out, "Every row was rejected" in err) == (1, True, True)
    assert run("import", file, "--json")[0] == 1


def test_labels_are_found_by_the_id_that_the_import_found(run: Run, tmp_path: Path) -> None:
    run("import", write(tmp_path / "a.csv", '帖子ID,内容\n101,"顶\n一下"\n102,顶\n'))
    labels = write(tmp_path / "l.JSONL", '{"pid": 101, "标签": "正常"}\n')
    assert json.loads(run("import-labels", labels, "--json")[1])["labelled"] == 1


def test_json_is_read_in_a_named_encoding(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "l.jsonl"
    file.write_bytes('{"text": "這是一條帖子", "label": "normal"}\n'.encode("big5"))
    assert run("import-labels", str(file), "--encoding", "big5")[0] == 0


def test_how_quotes_are_read_can_be_said(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", 'text\n"two\nlines"\nsay "hi"\n')
    status, _, err = run("import", file)
    assert (status, "--quoted or --no-quoted" in err) == (1, True)
    assert json.loads(run("import", file, "--quoted", "--json")[1])["accepted"] == 2
    assert json.loads(run("import", file, "--no-quoted", "--json")[1])["accepted"] == 2


def test_a_run_of_marks_is_cut_in_posts_labels_and_searches(run: Run, tmp_path: Path) -> None:
    """Each text that is normalised has been cut: a test of the reading package refuses longer runs."""
    run_of_marks = "a" + "\u0315" * 300 + "\u0316" * 300
    run("import", write(tmp_path / "a.tsv", f"id\ttext\n1\t{run_of_marks}\n"))
    labels = write(tmp_path / "l.tsv", f"text\tlabel\n{run_of_marks}\tnormal\n")
    receipt = json.loads(run("import-labels", labels, "--json")[1])
    assert (receipt["labelled"], receipt["new_posts"]) == (1, 0)
    (post,) = json.loads(run("posts", run_of_marks, "--json")[1])["posts"]
    assert post["id"] == "1"
