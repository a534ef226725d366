"""What the import contracts of pyproject.toml cannot say."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("workbench", "trainer", "db")
MOST_MODULES = 15
MIGRATIONS = ROOT / "db" / "migrations" / "versions"
"""A list by its nature."""


def test_no_module_of_workbench_shadows_a_top_level_package() -> None:
    """Streamlit puts its script's folder first on `sys.path`."""
    names = {path.stem for path in (ROOT / "workbench").rglob("*.py")}
    names |= {path.name for path in (ROOT / "workbench").iterdir()}
    assert names & {"db", "trainer", "data", "models"} == set()


def test_init_files_stay_empty() -> None:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("__init__.py"):
            assert path.read_text(encoding="utf-8") == "", path


def test_no_folder_is_a_long_list_of_modules() -> None:
    for top in (*PACKAGES, "tests"):
        for folder in {path.parent for path in (ROOT / top).rglob("*.py")} - {MIGRATIONS}:
            modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
            assert len(modules) <= MOST_MODULES, folder
