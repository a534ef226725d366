"""A round trained on a machine without the project, and its return."""

import ast
import importlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

import trainer
from db.tables import Person
from tests.encoders import make_tiny_encoder
from tests.made_once import made_once
from tests.workbench.making import POSTS, add_adaptation
from tests.workbench.team import member
from tests.workbench.working import TIMEOUT_SECONDS, decided, round_of, running, worker_of
from trainer.adapters.card import read_card
from trainer.adapters.folders import base_fingerprint
from trainer.errors import AdapterError, EncoderError
from trainer.files import sha256_of
from workbench import accounts
from workbench.accounts import Account
from workbench.audit import number_of
from workbench.errors import InputError, NotAllowedError, RoundError
from workbench.project import Project, open_project
from workbench.rounds import adoption, bundles, lifecycle
from workbench.scores.round_scores import RoundScores
from workbench.settings import FILE_NAME
from workbench.worker import scoring_steps, steps
from workbench.worker.attempts import GO, Attempt

ROW_FIELDS = {"text", "label", "group", "weight", "labels", "inclusion_probability"}


def unpack(archive: Path, into: Path) -> Path:
    with tarfile.open(archive) as file:
        file.extractall(into, filter="data")
    (folder,) = into.iterdir()
    return folder


RUN_MODULES = """
import json, runpy, sys
for module, *arguments in json.loads(sys.argv[1]):
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            raise
"""


def run_there(folder: Path, *commands: Sequence[str]) -> None:
    """Runs commands of the bundle's README with only the bundle's own trainer on the path.

    One process runs them all, because loading torch takes longer than they do.
    """
    done = subprocess.run(
        [sys.executable, "-c", RUN_MODULES, json.dumps(commands)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def commands_of(folder: Path) -> list[list[str]]:
    lines = (folder / "README.md").read_text(encoding="utf-8").split("\n")
    return [line.split()[2:] for line in lines if line.startswith("python -m trainer")]


@pytest.fixture(scope="session")
def returned_home(labelled_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project beside `away`, the unpacked bundle of its posts, trained and scored by the commands of its README."""

    def make(folder: Path) -> None:
        project = open_project(shutil.copytree(labelled_home, folder / "project"))
        archive = folder / "bundle.tar.gz"
        packed = bundles.bundle(project, accounts.command_line(project), archive, has_pool=True)
        assert packed.pool == POSTS
        project.database.dispose()
        away = unpack(archive, folder / "away")
        training, scoring = commands_of(away)
        run_there(away, [*training, "--quick"], scoring)

    return made_once(tmp_path_factory, "returned", make)


@pytest.fixture
def returned(returned_home: Path, tmp_path: Path) -> Path:
    return shutil.copytree(returned_home, tmp_path / "returned")


@pytest.fixture
def project(returned: Path, open_home: Callable[[Path], Project]) -> Project:
    return open_home(returned / "project")


@pytest.fixture
def boss(project: Project) -> Account:
    return accounts.command_line(project)


@pytest.fixture
def away(returned: Path) -> Path:
    (folder,) = (returned / "away").iterdir()
    return folder


def run_here(attempt: Attempt, step: str, command: Sequence[object]) -> None:
    """Runs a trainer command in this process, which has torch loaded already."""
    module, *arguments = map(str, command)
    progress = lifecycle.progress_file(attempt.project, attempt.number, step)
    assert importlib.import_module(module).main([*arguments, "--progress", str(progress)]) == 0


@pytest.fixture
def children_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "run_child", run_here)


def step_by_step(project: Project, boss: Account, number: int) -> None:
    """In this process: the job of an adoption, then that of a lead's promotion."""
    assert scoring_steps.admit(project, number) == GO
    assert steps.evaluate(project, number) == GO
    assert steps.judge(project, number) == "awaiting"  # its test posts are too few for the gate
    lifecycle.promote(project, boss, number)
    assert scoring_steps.score(project, number) == GO
    assert scoring_steps.promote(project, number) == GO


def by_a_worker(project: Project, _boss: Account, number: int) -> None:
    with running(worker_of(project)):
        decided(project, number)


@pytest.mark.long
@pytest.mark.usefixtures("children_here")
@pytest.mark.parametrize("finish", [step_by_step, pytest.param(by_a_worker, marks=pytest.mark.ci)])
def test_an_adapter_trained_elsewhere_is_judged_here_and_its_scores_are_taken(
    project: Project, boss: Account, away: Path, finish: Callable[[Project, Account, int], None]
) -> None:
    (away / "adapter" / "notes.txt").write_text("not vouched for", encoding="utf-8")
    number = adoption.adopt(project, boss, away)
    assert not (project.round_folder(number) / "notes.txt").exists()
    brought = RoundScores.of(project, number).read()
    finish(project, boss, number)
    row = round_of(project, number)
    assert (row.state, row.failure) == ("promoted", None)
    assert row.report is not None
    assert row.report["metrics"]["n"] > 0
    # No post was scored again: the returned scores are used.
    assert row.scored == {"n": POSTS, "seconds": 0.0, "posts_per_second": None}
    scores = RoundScores.of(project, number).read()
    np.testing.assert_array_equal(scores.probabilities, brought.probabilities)
    sent = sha256_of(project.annotations / f"round-{number:04d}" / "train.jsonl")
    assert read_card(project.round_folder(number)).data["train"].sha256 == sent
    # Rows of an older bundle are not the newest export.
    assert not (project.annotations / "train.jsonl").exists()
    assert read_card(project.round_folder(number)).base.name == project.settings.base_model


@pytest.mark.usefixtures("children_here")
def test_scores_that_are_not_the_adapters_own_are_made_again(
    project: Project, boss: Account, away: Path
) -> None:
    file = away / "scores" / "scores.parquet"
    table = pq.read_table(file)
    turned = table.set_column(1, "normal", table["violation"]).set_column(3, "violation", table["normal"])
    pq.write_table(turned, file)
    number = adoption.adopt(project, boss, away)
    step_by_step(project, boss, number)
    row = round_of(project, number)
    assert row.state == "promoted"
    assert row.scored is not None
    assert row.scored["seconds"] > 0
    assert "differ by" in lifecycle.read_log(project, number)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(
            RoundScores.of(project, number).read().probabilities[:, 0],
            turned["normal"],
            atol=0.05,
        )


def test_nobody_and_nothing_to_judge_by_leaves_the_house(
    project: Project, boss: Account, away: Path, tmp_path: Path
) -> None:
    names = {path.name for path in away.iterdir()} - {"adapter", "scores"}
    assert names == {
        "README.md", "README.zh-CN.md", "base", "config.json", "pool.jsonl", "receipt.json", "requirements.txt",
        "train.jsonl", "trainer", "validation.jsonl",
    }  # fmt: skip
    for name in ("train.jsonl", "validation.jsonl", "pool.jsonl"):
        for line in (away / name).read_text(encoding="utf-8").split("\n")[:-1]:
            assert json.loads(line).keys() <= ({"id", "text"} if name == "pool.jsonl" else ROW_FIELDS)
    sent = json.loads((away / "receipt.json").read_text(encoding="utf-8"))
    assert sent["files"].keys() == {"train.jsonl", "validation.jsonl"}
    assert number_of(sent["audit_head"])
    with project.database.read() as session:
        people = session.scalars(select(Person.name)).all()
    text = "".join(
        path.read_text(encoding="utf-8") for path in away.rglob("*.json*") if "adapter" not in path.parts
    )
    assert [name for name in people if f'"{name}"' in text] == []
    bundles.bundle(project, boss, tmp_path / "b.tar.gz")
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        assert {(entry.uname, entry.gname, entry.uid) for entry in archive} == {("", "", 0)}
        assert "bundle-now/pool.jsonl" not in archive.getnames()
    readme = unpack(tmp_path / "b.tar.gz", tmp_path / "b") / "README.md"
    assert "pool" not in readme.read_text(encoding="utf-8")


def test_the_requirements_are_what_runs_here() -> None:
    lines = bundles.pinned(["torch", "scikit_learn"])
    assert lines == sorted(lines)
    names = {line.split("==")[0] for line in lines}
    assert {"torch", "scikit-learn", "numpy", "scipy"} <= names
    assert not [line for line in lines if "+" in line or line.startswith("nvidia")]


def test_the_requirements_hold_all_that_the_trainer_imports() -> None:
    folder = Path(trainer.__file__).parent
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    others = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"trainer"}
    installed = packages_distributions()
    packages = {package for name in others for package in installed[name]}
    lines = bundles.pinned(bundles.PACKAGES)
    pinned = {line.partition("==")[0] for line in lines}
    assert len(packages) > 10
    assert {package.lower().replace("_", "-") for package in packages} - pinned == set()


def test_the_rows_of_a_round_are_packed_by_its_number(
    project: Project, boss: Account, tmp_path: Path
) -> None:
    with pytest.raises(RoundError, match="Round 1 has exported nothing"):
        bundles.bundle(project, boss, tmp_path / "b.tar.gz", number=1)
    (sent,) = bundles.sent_rows(project)
    shutil.copytree(sent, project.annotations / "round-0001")
    packed = bundles.bundle(project, boss, tmp_path / "b.tar.gz", number=1)
    folder = unpack(packed.file, tmp_path / "b")
    assert sha256_of(folder / "train.jsonl") == sha256_of(sent / "train.jsonl")
    with pytest.raises(InputError, match="already exists"):
        bundles.bundle(project, boss, tmp_path / "b.tar.gz", number=1)
    with pytest.raises(InputError, match="There is no folder"):
        bundles.bundle(project, boss, tmp_path / "gone" / "b.tar.gz", number=1)


def test_an_adapted_base_is_packed_and_known_by_the_name_that_moves_with_the_project(
    labelled: Project, tmp_path: Path
) -> None:
    boss = accounts.command_line(labelled)
    add_adaptation(labelled, boss)
    shutil.copytree(labelled.settings.base_model, labelled.base_folder(1), dirs_exist_ok=True)
    packed = bundles.bundle(labelled, boss, tmp_path / "bundle.tar.gz")
    folder = unpack(tmp_path / "bundle.tar.gz", tmp_path / "there")
    assert packed.base == "base-0001"
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["base"] == "base"
    assert base_fingerprint(folder / "base") == base_fingerprint(labelled.base_folder(1))
    assert not list(folder.rglob("posts.parquet"))
    assert not (folder / "trainer" / "adapt.py").exists()
    receipt = next(bundles.sent_rows(labelled)) / "receipt.json"
    assert json.loads(receipt.read_text(encoding="utf-8"))["base"] == "base-0001"


def test_what_a_killed_packing_left_is_swept_away_and_a_failed_one_leaves_nothing(
    project: Project, boss: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list(bundles.sent_rows(project))
    left = project.data / "bundles" / f"{bundles.PACKING}old"
    left.mkdir()
    os.utime(left, (0, 0))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundles, "_pack", fail)
    with pytest.raises(OSError, match="No space left"):
        bundles.bundle(project, boss, tmp_path / "b.tar.gz")
    assert list(bundles.sent_rows(project)) == before
    assert [path.name for path in (project.data / "bundles").iterdir()] == [path.name for path in before]


def test_too_few_labels_are_refused_before_a_gpu_is_rented(
    blank_home: Path, tmp_path: Path, open_home: Callable[[Path], Project]
) -> None:
    blank = open_home(shutil.copytree(blank_home, tmp_path / "blank"))
    with pytest.raises(RoundError, match="at least 20 labelled posts"):
        bundles.bundle(blank, accounts.command_line(blank), tmp_path / "b.tar.gz")


def other_rows(away: Path, project: Project) -> None:
    card = json.loads((away / "adapter" / "card.json").read_text(encoding="utf-8"))
    card["data"]["train"]["sha256"] = "0" * 64
    (away / "adapter" / "card.json").write_text(json.dumps(card), encoding="utf-8")


def other_weights(away: Path, project: Project) -> None:
    with (away / "adapter" / "adapter_model.safetensors").open("ab") as file:
        file.write(b"x")


def other_labels(away: Path, project: Project) -> None:
    card = json.loads((away / "adapter" / "card.json").read_text(encoding="utf-8"))
    card["labels"] = ["spam", "ham", "eggs"]
    (away / "adapter" / "card.json").write_text(json.dumps(card), encoding="utf-8")


def other_base(away: Path, project: Project) -> None:
    receipt = next(bundles.sent_rows(project)) / "receipt.json"
    facts = json.loads(receipt.read_text(encoding="utf-8"))
    facts["base"] = str(make_tiny_encoder(project.home / "other", seed=1))
    receipt.write_text(json.dumps(facts), encoding="utf-8")


def change_card(away: Path, **facts: object) -> None:
    file = away / "adapter" / "card.json"
    card = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(card | facts), encoding="utf-8")


def no_rows(away: Path, project: Project) -> None:
    change_card(away, data={})


def vouching_for_more(away: Path, project: Project) -> None:
    (away / "adapter" / "run.sh").write_text("true", encoding="utf-8")
    files = json.loads((away / "adapter" / "card.json").read_text(encoding="utf-8"))["files"]
    change_card(away, files=files | {"run.sh": sha256_of(away / "adapter" / "run.sh")})


def another_shape(away: Path, project: Project) -> None:
    file = away / "adapter" / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"r": 10**8}), encoding="utf-8")
    files = json.loads((away / "adapter" / "card.json").read_text(encoding="utf-8"))["files"]
    change_card(away, files=files | {"adapter_config.json": sha256_of(file)})


def a_pickle(away: Path, project: Project) -> None:
    (away / "adapter" / "optimizer.pt").write_bytes(b"x")


def no_temperature(away: Path, project: Project) -> None:
    bias = {"normal": 0.0, "suspicious": 0.0, "violation": 0.0}
    change_card(away, calibration={"temperature": float("nan"), "bias": bias})


def impossible_scores(away: Path, project: Project) -> None:
    file = away / "scores" / "scores.parquet"
    table = pq.read_table(file)
    rows = table.num_rows
    for at, (name, value) in enumerate(
        {"normal": 2.0, "suspicious": -1.0, "violation": 0.0}.items(), start=1
    ):
        table = table.set_column(at, name, pa.array([value] * rows, pa.float32()))
    pq.write_table(table, file)


def nameless_scores(away: Path, project: Project) -> None:
    file = away / "scores" / "scores.parquet"
    table = pq.read_table(file)
    ids: list[str | None] = table["id"].to_pylist()
    pq.write_table(table.set_column(0, "id", pa.array([None, *ids[1:]])), file)


def an_id_that_fills_the_memory(away: Path, project: Project) -> None:
    """Stated once in a few hundred bytes, and meant for every row."""
    file = away / "scores" / "scores.parquet"
    table = pq.read_table(file)
    places = pa.array([0] * table.num_rows, pa.int32())
    ids = pa.DictionaryArray.from_arrays(places, pa.array(["9" * 10**6]))
    pq.write_table(table.set_column(0, "id", ids), file, store_schema=False, compression="zstd")


def scores_as_texts(away: Path, project: Project) -> None:
    file = away / "scores" / "scores.parquet"
    table = pq.read_table(file)
    pq.write_table(table.set_column(1, "normal", pa.array(["1.0"] * table.num_rows)), file)


def scores_without_end(away: Path, project: Project) -> None:
    file = away / "scores" / "scores.parquet"
    table = pq.read_table(file)
    pq.write_table(pa.concat_tables([table] * 50), file)


def fewer_scores(away: Path, project: Project) -> None:
    file = away / "scores" / "scores.parquet"
    pq.write_table(pq.read_table(file).slice(1), file)


def no_scores_at_all(away: Path, project: Project) -> None:
    pq.write_table(pa.table({"id": ["1"]}), away / "scores" / "scores.parquet")


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (other_rows, InputError, "trained on other rows"),
        (other_weights, AdapterError, "truncated or changed"),
        (other_labels, AdapterError, "its labels are spam, ham, eggs"),
        (other_base, AdapterError, "trained on another"),  # the base has changed since the bundle was made
        (fewer_scores, InputError, "one score for each post"),
        (no_scores_at_all, InputError, "not a file of scores"),
        (no_rows, InputError, "trained on other rows"),
        (vouching_for_more, AdapterError, "run.sh is no file of an adapter"),
        (another_shape, AdapterError, "r is not as our trainer writes it for this card"),
        (a_pickle, AdapterError, "a format that can run code"),
        (no_temperature, AdapterError, "not a readable card"),
        (impossible_scores, InputError, "no probabilities"),
        (nameless_scores, InputError, "no probabilities"),
        (an_id_that_fills_the_memory, InputError, "not a file of scores.{,400}$"),
        (scores_as_texts, InputError, "normal is of the type string"),
        (scores_without_end, InputError, "more than there are posts"),
    ],
)
def test_what_is_not_ours_is_refused_and_leaves_nothing(
    project: Project,
    boss: Account,
    away: Path,
    spoil: Callable[[Path, Project], None],
    error: type[Exception],
    message: str,
) -> None:
    spoil(away, project)
    with pytest.raises(error, match=message):
        adoption.adopt(project, boss, away)
    assert list(project.models.iterdir()) == []
    assert [path.name for path in project.annotations.glob("*")] == []
    with project.database.read() as session:
        assert lifecycle.history(session) == []


def test_only_leads_send_rows_away_and_take_adapters_home(
    project: Project, boss: Account, away: Path, tmp_path: Path
) -> None:
    ann = member(project, "Ann", "annotator")
    with pytest.raises(NotAllowedError):
        bundles.bundle(project, ann, tmp_path / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()
    with pytest.raises(NotAllowedError):
        adoption.adopt(project, ann, away)
    number = adoption.adopt(project, boss, away)
    with pytest.raises(RoundError, match=f"Round {number} is already under way"):
        adoption.adopt(project, boss, away)


def test_an_adopted_round_has_the_labels_of_when_its_rows_were_taken(
    project: Project, boss: Account, away: Path
) -> None:
    number = adoption.adopt(project, boss, away)
    (rows,) = bundles.sent_rows(project)
    receipt = json.loads((rows / "receipt.json").read_text(encoding="utf-8"))
    row = round_of(project, number)
    assert row.labels_until == datetime.fromisoformat(receipt["created"]) < row.created_at
    with project.database.read() as session:
        of_a_round = adoption._labels_until(session, {"round": number, "created": "2050-01-01"})
        assert of_a_round == row.labels_until


def test_a_base_that_is_not_here_is_told_before_anything_is_packed(
    project: Project, returned: Path, tmp_path: Path, open_home: Callable[[Path], Project]
) -> None:
    (project.home / FILE_NAME).write_text('base_model = "/nowhere"\n', encoding="utf-8")
    again = open_home(returned / "project")
    with pytest.raises(EncoderError, match="/nowhere: no such folder"):
        bundles.bundle(again, accounts.command_line(again), tmp_path / "b.tar.gz")
    assert not list(tmp_path.glob("*.gz"))
