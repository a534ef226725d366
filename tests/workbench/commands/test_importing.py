"""`workbench import` and `import-labels`: what they print and how they end."""

import json
from pathlib import Path

import pytest
import typer

from tests.trainer.reading.workbooks.making import write_workbook
from tests.workbench.making import different_texts, import_texts, write_tsv
from workbench.accounts import Account
from workbench.commands.importing import import_command, import_labels_command
from workbench.errors import InputError
from workbench.imports.preparing import prepare
from workbench.project import Project


def broken(tmp_path: Path, *, is_whole: bool) -> Path:
    file = tmp_path / "posts.tsv"
    file.write_text("id\ttext\n" + ("" if is_whole else "1\ta\n") + "2\n3\t \n", encoding="utf-8")
    return file


@pytest.mark.parametrize("as_json", [True, False])
def test_a_file_whose_every_row_is_rejected_has_failed(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    with pytest.raises(typer.Exit) as end:
        import_command(broken(tmp_path, is_whole=True), project.home, as_json=as_json)
    assert end.value.exit_code == 1
    assert "2" in capsys.readouterr().out
    import_command(broken(tmp_path, is_whole=False), project.home, as_json=as_json)


def test_the_receipt_of_a_log_says_what_was_superseded_and_what_is_never_used(
    project: Project, lead: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_texts(project, lead, different_texts(40))
    prepare(project)
    rows = [{"id": f"p{n}", "time": "2026-03-01", "label": "violation"} for n in range(1, 41)]
    rows += [{"id": "p1", "time": "2026-03-02", "label": "normal"}, rows[1]]
    import_labels_command(write_tsv(tmp_path / "log.tsv", rows), project.home, source="modlog")
    printed = capsys.readouterr().out
    assert "40 labels saved, 0 were there already, 0 new posts" in printed
    assert "1 earlier actions were superseded" in printed
    assert "1 lines repeat the label" in printed
    assert "held out for validation, test and audit (labels with a source are never used there)" in printed


def test_new_posts_wait_for_the_worker(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_tsv(tmp_path / "l.tsv", [{"text": "甲", "label": "normal"}])
    import_labels_command(file, project.home)
    printed = capsys.readouterr()
    assert "1 wait for the worker" in printed.out
    assert "No worker is running" in printed.err
    import_labels_command(file, project.home, as_json=True)
    receipt = json.loads(capsys.readouterr().out)
    assert (receipt["labelled"], receipt["unchanged"], receipt["places"]) == (0, 1, {"unprepared": 1})


def test_a_sheet_of_a_workbook_is_imported_with_its_labels(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("编号", "正文", "标签"), ("a", "加微信领红包", "违规"), ("b", "今天下雨", "正常")]
    file = write_workbook(tmp_path / "posts.xlsx", rows, Other=[("text",), ("x",)])
    with pytest.raises(InputError, match="Sheet, Other"):
        import_command(file, project.home)
    import_command(file, project.home, sheet="Sheet", as_json=True)
    receipt = json.loads(capsys.readouterr().out)
    assert (receipt["accepted"], receipt["rejected"], receipt["encoding"]) == (2, 0, "xlsx")
    import_labels_command(file, project.home, sheet="Sheet", as_json=True)
    receipt = json.loads(capsys.readouterr().out)
    assert (receipt["labelled"], receipt["new_posts"]) == (2, 0)
