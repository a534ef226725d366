"""Commands and files that the READMEs name exist."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from workbench import cli

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
DOCS = sorted((ROOT / "docs").glob("*.md"))
CARDS = [ROOT / "models" / "starter" / "README.md", ROOT / "data" / "sample" / "README.md"]


def blocks(readme: Path, language: str) -> list[str]:
    text = readme.read_text(encoding="utf-8")
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for tag, block in fenced if tag == language]


def commands(readme: Path) -> list[list[str]]:
    lines = [line for block in blocks(readme, "sh") for line in block.split("\n") if line]
    inline = re.findall(r"`((?:make|workbench|python -m) [^`]+)`", readme.read_text(encoding="utf-8"))
    return [shlex.split(line, comments=True) for line in [*lines, *inline]]


def check_workbench(words: list[str]) -> None:
    if words == ["--help"]:
        return
    command = cli.load(words.pop(0)) if words and words[0] in cli.COMMANDS else get_command(cli.app)
    while words and not words[0].startswith("-") and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    is_whole = not hasattr(command, "commands") or getattr(command, "invoke_without_command", False)
    assert is_whole, f"no such command: {words}"
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= options


def check_make(words: list[str]) -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(words) <= set(targets)


def check_source(words: list[str]) -> None:
    (folder,) = re.findall(r"^VENV := (\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert words == [f"{folder}/bin/activate"]


def check_module(words: list[str]) -> None:
    _, module, *rest = words
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    origin = Path(spec.origin)
    source = (origin.with_name("__main__.py") if spec.submodule_search_locations else origin).read_text(
        "utf-8"
    )
    assert all(f'"{word}"' in source for word in rest if word.startswith("--"))


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_command_exists(readme: Path) -> None:
    check = {"workbench": check_workbench, "make": check_make, "python": check_module, "source": check_source}
    listed = commands(readme)
    assert len(listed) > 10
    for program, *words in listed:
        check[program](words)


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.name)
def test_every_command_of_the_docs_exists(page: Path) -> None:
    check = {"workbench": check_workbench, "python": check_module}
    for program, *words in commands(page):
        if program == "workbench" or (program == "python" and words[1].startswith("trainer.")):
            check[program](words)


@pytest.mark.parametrize("page", [*READMES, *DOCS, *CARDS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_it_points_to_exists(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_tree_names_what_is_there(readme: Path) -> None:
    (tree,) = blocks(readme, "")
    names = [line.split()[0] for line in tree.split("\n") if line and not line.startswith(" ")]
    assert {"workbench/", "trainer/", "data/", "models/", "db/", "tests/"} <= set(names)
    assert [name for name in names if not (ROOT / name).is_dir()] == []


def test_both_languages_tell_the_same_commands() -> None:
    english, chinese = (blocks(readme, "sh") for readme in READMES)
    assert [re.sub(r" *#.*", "", block) for block in english] == [
        re.sub(r" *#.*", "", block) for block in chinese
    ]
