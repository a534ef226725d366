"""A wheel built from the repository carries sample and starter: the demo runs from it in an empty folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ci

ROOT = Path(__file__).parent.parent
TIMEOUT_SECONDS = 600


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content in its own folder, without dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT], check=True, timeout=TIMEOUT_SECONDS
    )
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", site, wheel], check=True, timeout=TIMEOUT_SECONDS
    )
    return site


def run(installed: Path, where: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The wheel's folder precedes the checkout that the environment has on its path.
    return subprocess.run(
        [sys.executable, "-P", "-m", *arguments],
        cwd=where,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def test_the_demo_runs_from_the_wheel_and_has_a_scored_queue(installed: Path, tmp_path: Path) -> None:
    seeded = run(installed, tmp_path, "workbench.cli", "demo", "--seed-only")
    assert seeded.returncode == 0, seeded.stderr
    status = json.loads(
        run(installed, tmp_path, "workbench.cli", "status", "--home", "demo", "--json").stdout
    )
    assert status["champion"] == 3
    assert status["posts"] > 3_000
    assert status["queued"] > 200
    card = json.loads((tmp_path / "demo" / "models" / "round-0003" / "card.json").read_text(encoding="utf-8"))
    assert card["base"]["name"] == "starter"
    again = run(installed, tmp_path, "workbench.cli", "demo", "--seed-only")
    assert again.returncode == 0
    assert "Making" not in again.stderr


def test_the_wheel_holds_nothing_but_the_packages_and_what_ships(installed: Path) -> None:
    names = {
        path.name
        for path in installed.iterdir()
        if not path.name.endswith(".dist-info") and path.name != "bin"
    }
    assert names == {"workbench", "trainer", "db"}
    assert list((installed / "trainer" / "_starter").glob("*.safetensors"))
    assert (installed / "workbench" / "_sample" / "posts.tsv").is_file()
    assert len(list(installed.glob("workbench/_sample/history/round-*/*.safetensors"))) == 3
    assert list(installed.glob("workbench/web/wording/locale/*/LC_MESSAGES/*.po"))
