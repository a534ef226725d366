"""A worker that kills itself the first time it reaches a given point.

Run as: python -m tests.workbench.worker.crashing_worker HOME STEP before|after [fake]
"""

import os
import signal
import sys
from dataclasses import replace

from tests.workbench.worker import fake_worker
from workbench.project import Project
from workbench.worker import __main__ as worker
from workbench.worker.attempts import GO, Step, begin
from workbench.worker.steps import Steps
from workbench.worker.torch_child import TorchChild


def main() -> int:
    home, name, moment, *is_fake = sys.argv[1:]
    if is_fake:
        fake_worker.replace_children()

    def steps_of(child: TorchChild) -> Steps:
        steps = Steps.of(child)
        step: Step = getattr(steps, name)

        def dies(project: Project, number: int) -> str:
            result = step(project, number) if moment == "after" else GO
            if moment == "before":
                begin(project, number, STATES[name], serves_promotion=True)
            os.kill(os.getpid(), signal.SIGKILL)
            return result

        return replace(steps, **{name: dies})

    return worker.main(["--home", home, "--watch-stdin"], steps_of=steps_of)


STATES = {
    "export": "exporting",
    "train": "training",
    "evaluate": "evaluating",
    "judge": "gating",
    "score": "scoring",
    "weigh": "scoring",
    "promote": "scoring",
}

if __name__ == "__main__":
    sys.exit(main())
