"""A round on a CUDA GPU on the Rounds screen.

Run as: make test-gpu
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from tests.workbench.web.conftest import VisitAs
from tests.workbench.working import running, wait_for_state, wait_until, worker_of
from workbench.accounts import Account
from workbench.project import Project
from workbench.rounds import lifecycle

pytestmark = pytest.mark.gpu


@pytest.fixture
def project(labelled_home: Path, tmp_path: Path, open_home: Callable[[Path], Project]) -> Project:
    shutil.copytree(labelled_home, tmp_path / "project")
    return open_home(tmp_path / "project")


def screen() -> None:
    from workbench.web.views.rounds import page  # noqa: PLC0415 - AppTest runs this function's source alone

    page.show()


def test_the_rounds_page_shows_the_memory_of_the_gpu(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    number = lifecycle.start(project, lead)
    lines: list[str] = []

    def is_told() -> bool:
        app = AppTest.from_function(screen, default_timeout=30).run()
        assert not app.exception
        lines.extend(bar.proto.text for bar in app.get("progress") if "GPU memory" in bar.proto.text)
        return bool(lines)

    with running(worker_of(project)):
        wait_until(is_told, "the memory of the GPU on the page")
        ended = wait_for_state(project, number, *lifecycle.SETTLED)
    total = torch.cuda.get_device_properties("cuda").total_memory / 2**30
    assert f" of {total:.0f} GiB" in lines[0]
    assert ended.failure is None
