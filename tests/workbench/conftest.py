"""A project whose posts a tiny encoder can separate."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.made_once import made_once
from tests.workbench.making import POSTS, write_tsv
from workbench import accounts
from workbench.accounts import Account
from workbench.imports.intake import import_rows
from workbench.imports.preparing import prepare
from workbench.imports.tsv import open_tsv
from workbench.labelling.files.mapping import parse_map
from workbench.labelling.label_files import import_labels
from workbench.project import Project, init_project
from workbench.settings import FILE_NAME

WORDS = {"normal": "今天天气好", "suspicious": "有人在吗呵呵", "violation": "加微信低价代开"}
OTHER_BASES = ["patient", "no/such-encoder"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="session")
def labelled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 of its posts are labelled; tests work on copies."""
    return made_once(tmp_path_factory, "labelled", _make_labelled) / "project"


def _make_labelled(folder: Path) -> None:
    from tests.encoders import make_tiny_encoder  # noqa: PLC0415 - loads torch, which most tests here do not need

    rng = random.Random(3)
    rows = []
    for number in range(POSTS):
        label = rng.choices(list(WORDS), [6, 2, 2])[0]
        noise = "".join(rng.choices(LETTERS, k=12))
        rows.append({"id": f"p{number}", "text": f"{noise[:6]}{WORDS[label]}{noise[6:]}", "label": label})
    encoder = make_tiny_encoder(folder / "encoder", [row["text"] for row in rows])
    project = init_project(folder / "project", base_model=str(encoder))
    with (project.home / FILE_NAME).open("a", encoding="utf-8") as settings:
        settings.write(f"allowed_bases = {json.dumps(OTHER_BASES)}\n")
    lead = accounts.command_line(project)
    posts = [{"id": row["id"], "text": row["text"]} for row in rows]
    with open_tsv(write_tsv(folder / "posts.tsv", posts)) as source:
        import_rows(project, lead, source)
    prepare(project)
    labels = [{"id": row["id"], "label": row["label"]} for row in rows[:150]]
    import_labels(project, lead, write_tsv(folder / "labels.tsv", labels), mapping=parse_map(None))
    project.database.dispose()


@pytest.fixture
def labelled(labelled_home: Path, tmp_path: Path, open_home: Callable[[Path], Project]) -> Project:
    return open_home(shutil.copytree(labelled_home, tmp_path / "labelled"))


@pytest.fixture
def boss(labelled: Project) -> Account:
    return accounts.command_line(labelled)
