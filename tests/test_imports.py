"""The arrows of the house: workbench -> {trainer, db}, and only the web folder knows Streamlit."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("workbench", "trainer", "db")
TORCH = {"torch", "transformers", "peft"}
TO_TORCH = {"worker.py", "steps.py", "scoring.py"}
"""The only modules of workbench that may import a part of trainer that brings torch."""
LIGHT = {
    "config", "characters", "errors", "duplicates", "query", "lanes", "strata", "files", "folders", "card", "forecast", "stopping", "metrics", "thresholds", "proportions", "agreement", "drift", "rising", "variants", "word_spans", "tokens", "budget", "proxy",
}  # fmt: skip


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tops(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


@pytest.mark.parametrize(
    ("package", "forbidden"), [("trainer", {"db", "workbench"}), ("db", {"trainer", "workbench"})]
)
def test_the_leaves_know_neither_each_other_nor_the_root(package: str, forbidden: set[str]) -> None:
    assert {path.name: tops(path) & forbidden for path in modules(package) if tops(path) & forbidden} == {}


def test_only_the_web_folder_imports_streamlit_and_nobody_imports_the_web_folder() -> None:
    for package in PACKAGES:
        for path in modules(package):
            if ROOT / "workbench" / "web" in path.parents:
                continue
            assert "streamlit" not in tops(path), path
            assert not any(name.startswith("workbench.web") for name in imported(path)), path


def test_torch_is_imported_by_the_trainer_alone() -> None:
    for package in ("workbench", "db"):
        assert {path: tops(path) & TORCH for path in modules(package) if tops(path) & TORCH} == {}


def test_pages_and_commands_never_open_the_doors_to_torch() -> None:
    for path in modules("workbench"):
        if path.name in TO_TORCH:
            continue
        for name in imported(path):
            assert name not in {"workbench.worker", "workbench.steps", "workbench.scoring"}, path
            package, _, module = name.partition(".")
            assert package != "trainer" or not module or module.partition(".")[0] in LIGHT, (path, name)


def test_no_module_of_workbench_shadows_a_top_level_package() -> None:
    names = {path.stem for path in modules("workbench")} | {
        path.name for path in (ROOT / "workbench").iterdir()
    }
    assert names & {"db", "trainer", "data", "models"} == set()


def test_init_files_stay_empty() -> None:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("__init__.py"):
            assert path.read_text(encoding="utf-8") == "", path
