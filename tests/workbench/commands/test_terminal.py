"""What commands print, whatever stands in posts, names and the terminal's settings."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from tests.workbench.making import import_texts, write_tsv
from workbench import cli
from workbench.accounts import Account
from workbench.commands.importing import import_command
from workbench.commands.posts import post_command, posts_command
from workbench.commands.terminal import err, out, print_json
from workbench.imports.storing import store_waiting
from workbench.project import Project

HOSTILE = "笑😂\x1b[2J加我\u202e微信\x9b31m [red]红[/red]"


def test_no_text_reaches_the_terminal_raw(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("text")
    table.add_row(Text(HOSTILE))
    for thing in (HOSTILE, Text(HOSTILE), table):
        out.print(thing, markup=False)
        err.print(thing, markup=False)
    printed = capsys.readouterr()
    for text in (printed.out, printed.err):
        assert not set(text) & set("\x1b\u202e\x9b")
        assert "\ufffd[2J" in text


def test_json_keeps_the_text_and_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(text=HOSTILE, long="字" * 500)
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"text": HOSTILE, "long": "字" * 500}
    assert not set(printed) & set("\x1b\u202e\x9b")


def test_hostile_posts_are_listed_without_harm(
    project: Project, lead: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    import_texts(project, lead, [HOSTILE])
    post_command("p1", project.home)
    posts_command(home=project.home, limit=5)
    file = write_tsv(
        project.home / "a\u202e.tsv", [{"id": "x\x1b[2J", "text": "a"}, {"id": "x\x1b[2J", "text": "b"}]
    )
    import_command(file, project.home)
    import_command(file, project.home, dry_run=True)
    printed = capsys.readouterr()
    assert not set(printed.out + printed.err) & set("\x1b\u202e\x9b")


def workbench(home: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "workbench.cli", *arguments, "--home", str(home)]
    return subprocess.run(
        command, capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "gbk"}
    )


def test_a_terminal_that_cannot_show_a_character_is_given_an_escape(project: Project, lead: Account) -> None:
    import_texts(project, lead, ["笑死😂加我微信"])
    store_waiting(project)
    shown = workbench(project.home, "post", "p1")
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert "笑死\\U0001f602加我微信" in shown.stdout.decode("gbk")
    as_json = workbench(project.home, "post", "p1", "--json")
    assert json.loads(as_json.stdout.decode("gbk"))["text"] == "笑死😂加我微信"


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (OverflowError("int too large"), 1, "error: One of the numbers is too large.\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (OSError("no \x1b]0;x\x07 file"), 1, "error: no \ufffd]0;x\ufffd file\n"),
    ],
)
def test_each_end_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    line: str,
) -> None:
    def fails(_name: str) -> None:
        raise error

    monkeypatch.setattr(cli, "load", fails)
    monkeypatch.setattr(sys, "argv", ["workbench", "status"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == status
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("number", ["99999999999999999999", "9" * 100])
def test_a_number_beyond_64_bits_is_one_sentence(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["workbench", "round", "show", number, "--home", str(project.home)])
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err == "error: One of the numbers is too large.\n"
