"""docs/architecture.md names existing files, and its picture shows the packages of the import contracts."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "images" / "packages.svg"


def files(line: str) -> Iterator[Path]:
    """Paths named in a row; a bare file name belongs to the folder of the path before it."""
    folder = None
    for name in re.findall(r"`([\w./]+\.\w+|[\w/]+/)`", line):
        if "/" in name:
            folder = (ROOT / name).parent
            yield ROOT / name
        elif folder is not None:
            yield folder / name


def on_each_screen(path: Path) -> Iterator[Path]:
    """PAGE stands for every folder of views."""
    views, is_of_page, name = str(path).partition("/PAGE/")
    if not is_of_page:
        yield path
        return
    for module in Path(views).glob("*/__init__.py"):
        yield module.parent / name


def test_every_file_it_names_exists() -> None:
    named = [
        place
        for line in PAGE.read_text(encoding="utf-8").split("\n")
        for path in files(line)
        for place in on_each_screen(path)
    ]
    assert len(named) > 60
    assert [place for place in named if not place.exists()] == []


def test_the_picture_shows_every_package_of_the_contracts() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    drawn = set(re.findall(r"\w+", " ".join(re.findall(r">([^<]+)</text>", PICTURE.read_text("utf-8")))))
    for contract in settings["tool"]["importlinter"]["contracts"]:
        if contract["type"] == "layers" and contract.get("containers") != ["workbench.web"]:
            names = {name for layer in contract["layers"] for name in re.findall(r"\w+", layer)}
            assert names <= drawn, contract["name"]
