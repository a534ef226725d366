"""A worker that kills itself at a chosen moment, the first time it gets there.

python -m tests.workbench.crashing_worker HOME STEP before|after
"""

import os
import signal
import sys

from workbench.project import Project
from workbench.worker import __main__ as worker
from workbench.worker.attempts import begin
from workbench.worker.steps import GO, Step


def main() -> int:
    home, name, moment = sys.argv[1:]
    step: Step = getattr(worker, name)

    def dies(project: Project, number: int) -> str:
        result = step(project, number) if moment == "after" else GO
        if moment == "before":
            begin(project, number, STATES[name])
        os.kill(os.getpid(), signal.SIGKILL)
        return result

    dies.__name__ = name
    setattr(worker, name, dies)
    return worker.main(["--home", home, "--watch-stdin"])


STATES = {
    "export": "exporting",
    "train": "training",
    "evaluate": "evaluating",
    "judge": "gating",
    "score": "scoring",
    "promote": "scoring",
}

if __name__ == "__main__":
    sys.exit(main())
