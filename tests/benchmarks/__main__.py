"""Speed ratios, measured in one run on one machine: every benchmark at a size that fits two cores in ten minutes.

Run as: python -m tests.benchmarks [import score train scale people footprint]
Each is also a command of its own, at any size: `python -m tests.benchmarks.scale --help`.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

Row = tuple[str, str, str, str]


def an_import(folder: Path) -> Sequence[Row]:
    from tests.benchmarks import importing  # noqa: PLC0415 - each loads what it needs alone

    return [importing.measure(folder)]


def scores(folder: Path) -> Sequence[Row]:
    from tests.benchmarks import scoring  # noqa: PLC0415

    return scoring.measure(folder)


def training(_folder: Path) -> Sequence[Row]:
    from tests.benchmarks import training as benchmark  # noqa: PLC0415

    return benchmark.rows()


def scale(folder: Path) -> Sequence[Row]:
    from tests.benchmarks import scale as benchmark  # noqa: PLC0415

    return benchmark.rows(folder)


def people(folder: Path) -> Sequence[Row]:
    from tests.benchmarks import people as benchmark  # noqa: PLC0415

    return benchmark.rows(folder)


def footprint(folder: Path) -> Sequence[Row]:
    from tests.benchmarks import footprint as benchmark  # noqa: PLC0415

    return benchmark.rows(folder)


BENCHMARKS: dict[str, Callable[[Path], Sequence[Row]]] = {
    "import": an_import,
    "score": scores,
    "train": training,
    "scale": scale,
    "people": people,
    "footprint": footprint,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all where none is named"
    )
    parser.add_argument("--alone", choices=BENCHMARKS, help="rows of one, in this process")
    options = parser.parse_args()
    if options.alone:
        with tempfile.TemporaryDirectory() as folder:
            for row in BENCHMARKS[options.alone](Path(folder)):
                print(f"| {' | '.join(row)} |", flush=True)
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| what | ours | the usual way | ratio |\n|---|---|---|---|", flush=True)
    for name in options.names or BENCHMARKS:
        # A process each, so that modules loaded by one benchmark do not slow down the next.
        subprocess.run([sys.executable, "-m", "tests.benchmarks", "--alone", name], check=True)


if __name__ == "__main__":
    main()
