"""Speed as ratios, taken in one run on one machine.

python -m tests.benchmarks
"""

import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import importing, scoring

Row = tuple[str, str, str, str]


def main() -> None:
    benchmarks: tuple[Callable[[Path], Row], ...] = (importing.measure, scoring.measure)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| what | ours | the usual way | ratio |\n|---|---|---|---|")
    for measure in benchmarks:
        with tempfile.TemporaryDirectory() as folder:
            print(f"| {' | '.join(measure(Path(folder)))} |", flush=True)


if __name__ == "__main__":
    main()
