"""`workbench audit`: a broken chain ends with status 1 and one sentence."""

import json
from pathlib import Path

from typer.testing import CliRunner

from tests.workbench.auditing.test_checking import write_anew
from workbench.accounts import command_line
from workbench.audit import head_of
from workbench.cli import app
from workbench.project import Project


def run(project: Project, *arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["audit", *arguments, "--home", str(project.home)])
    return done.exit_code, done.stdout, done.stderr


def test_an_intact_audit_is_told_with_its_head(project: Project) -> None:
    command_line(project)
    head = head_of(project)
    status, printed, _ = run(project, "verify", "--head", str(head))
    assert (status, printed) == (
        0,
        f"Intact up to entry {head.number}. Head: {head}. Heads in receipts: 1.\n",
    )


def test_a_broken_audit_ends_with_status_1(project: Project) -> None:
    command_line(project)
    head = head_of(project)
    write_anew(project, head.number)
    assert run(project, "verify")[0] == 0
    status, printed, problem = run(project, "verify", "--head", str(head))
    assert (status, printed) == (1, "")
    assert problem.count("\n") == 1
    assert "written anew" in problem
    status, printed, _ = run(project, "verify", "--head", str(head), "--json")
    answer = json.loads(printed)
    assert (status, answer["intact"], answer["compared"]) == (1, False, 1)
    assert "written anew" in answer["problem"]


def test_the_entries_are_written_to_a_file(project: Project, tmp_path: Path) -> None:
    command_line(project)
    count = head_of(project).number
    status, printed, _ = run(project, "export", str(tmp_path / "audit.jsonl"))
    assert (status, printed) == (0, f"{tmp_path / 'audit.jsonl'}: {count} entries of the audit.\n")
    assert len((tmp_path / "audit.jsonl").read_text(encoding="utf-8").splitlines()) == count
