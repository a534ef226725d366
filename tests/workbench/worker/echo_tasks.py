"""Replaces the torch process: answers at once, without torch, and ends on request.

Run as: python -m tests.workbench.worker.echo_tasks --home DIR
"""

import json
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    home = Path(sys.argv[sys.argv.index("--home") + 1])
    for line in sys.stdin:
        request = json.loads(line)
        with (home / "asked").open("a", encoding="utf-8") as asked:
            asked.write(line)
        if request.get("step") == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if (
            request.get("step") == "die once"
            and (home / "asked").read_text(encoding="utf-8").count("\n") == 1
        ):
            sys.exit(3)
        if request.get("step") == "fail":
            answer: dict[str, object] = {"error": "OSError: no space left"}
        elif "texts" in request:
            answer = {"result": [[[0, len(text), 0.5]] for text in request["texts"]]}
        else:
            answer = {"result": "go"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
