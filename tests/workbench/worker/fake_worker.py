"""The worker without a model: loop, jobs, fences, attempts and children are real; all that needs torch is replaced.

Run as: python -m tests.workbench.worker.fake_worker --home DIR

`fake_trainer` replaces the trainer in a step's children, `fake_tasks` the torch process.
"""

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from workbench.worker import __main__ as worker
from workbench.worker import adapting, steps
from workbench.worker.attempts import Attempt
from workbench.worker.child import run_child
from workbench.worker.torch_child import TorchChild

ROOT = Path(__file__).parents[3]


def replace_children() -> None:
    worker.TorchChild = partial(TorchChild, module="tests.workbench.worker.fake_tasks")
    steps.run_child = adapting.run_child = _run_fake
    # Child processes do not have the working directory on their path.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))


def _run_fake(attempt: Attempt, step: str, command: Sequence[object]) -> None:
    run_child(attempt, step, ["tests.workbench.worker.fake_trainer", *command])


if __name__ == "__main__":
    assert "torch" not in sys.modules
    replace_children()
    sys.exit(worker.main())
