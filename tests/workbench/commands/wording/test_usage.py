"""The frame of a command in Chinese: help, usage and refusals, and what does not depend on the language."""

import json
import sys
from pathlib import Path

import pytest

from workbench import cli
from workbench.project import Project


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")


def run(monkeypatch: pytest.MonkeyPatch, language: str, *arguments: object) -> object:
    monkeypatch.setenv("LANGUAGE", language)
    monkeypatch.setattr(sys, "argv", ["workbench", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


REFUSED = {
    "import": "缺少参数 'file'。",
    "policy set --missed 1": "缺少选项 '--false-alarm'。",
    "import a b": "多余的参数（b）",
    "imprt": "没有 'imprt' 这个命令。是否要用 'import'？",
    "xyzzy": "没有 'xyzzy' 这个命令。",
    "--nope": "没有 --nope 这个选项",
    "status --hom": "没有 --hom 这个选项（可用：--home）",
    "status --home": "选项 '--home' 需要一个值。",
    "status --json=1": "选项 '--json' 不带值。",
    "round show x": "'number' 的值无效：须为整数",
    "policy set --missed x": "'--missed' 的值无效：须为数字",
    "posts --limit 0": "'--limit' 的值无效：不能小于 1",
    "up --port 99999": "'--port' 的值无效：不能大于 65535",
    "decide --since y": "'--since' 的值无效：'y' 不符合格式",
    "round auto --off --at 09:00": "值无效：--off 须单独使用，--zone 须与 --at 同用。",
}


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("arguments", REFUSED)
def test_a_refused_usage_is_told_in_chinese(
    arguments: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    blank_home: Path,
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(blank_home))
    assert run(monkeypatch, "zh", *arguments.split()) == 2
    said = capsys.readouterr().err
    assert REFUSED[arguments] in said
    assert "─ 错误 ─" in said
    assert "Usage" not in said


@pytest.mark.usefixtures("wide")
def test_help_is_told_in_the_language_and_in_english_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "zh", "import", "--help") == 0
    chinese = capsys.readouterr().out
    for text in (
        "用法：workbench import [选项]",
        "─ 参数 ─",
        "─ 选项 ─",
        "以 JSON 输出。",
        "[必填]",
        "[默认：.]",
        "显示本说明",
    ):
        assert text in chinese
    assert run(monkeypatch, "en", "import", "--help") == 0
    english = capsys.readouterr().out
    for text in (
        "Usage: workbench import [OPTIONS]",
        "─ Arguments ─",
        "Print JSON.",
        "[required]",
        "[default: .]",
    ):
        assert text in english


@pytest.mark.usefixtures("wide")
def test_the_list_of_commands_is_told_in_chinese(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "zh", "--help") == 0
    listed = capsys.readouterr().out
    assert "─ 命令 ─" in listed
    assert "训练轮次。" in listed
    assert not any(command.summary in listed for command in cli.COMMANDS.values())


@pytest.mark.parametrize(
    "command", ["status", "overview", "round list", "review", "policy", "posts", "doubts"]
)
def test_json_does_not_depend_on_the_language(
    command: str, project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = []
    for language in ("en", "zh"):
        code = run(monkeypatch, language, *command.split(), "--json", "--home", project.home)
        printed.append((code, json.loads(capsys.readouterr().out)))
    assert printed[0] == printed[1]


def test_a_refusal_of_the_project_is_told_in_chinese(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "zh", "status", "--home", tmp_path) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"错误：{tmp_path} 里没有项目。")
    assert said.count("\n") == 1


def test_columns_of_chinese_tables_are_aligned(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Chinese character is two columns wide."""
    run(monkeypatch, "zh", "status", "--home", project.home)
    lines = capsys.readouterr().out.splitlines()
    values = {" 帖子": "0", " 模型拿不准": "0", " 后台进程": "未运行"}
    begins = set()
    for name, value in values.items():
        (line,) = (line for line in lines if line.split()[0] == name.strip())
        begins.add(sum(1 + (ord(character) > 0x2E80) for character in line[: line.rindex(value)]))
    assert len(begins) == 1
