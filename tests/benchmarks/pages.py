"""First paint of every page in a real browser, against an older source tree, visit by visit.

Run as: python -m tests.benchmarks.pages --against FOLDER [--visits 10]

FOLDER is a checkout (`git worktree add FOLDER COMMIT`) that this environment can run. Each tree serves a demo that it made
itself; a lead opens each page in both by turns, so that what else the machine does hits both. Milliseconds from the
navigation until the script has ended and its last element is painted: median of the visits, and the ratio.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, sync_playwright

from tests.e2e.conftest import ARGUMENTS, CHROMIUM, IDLE, ROOT, child, free_port, is_served, stop, wait_until
from workbench.demo.story import LEAD
from workbench.services import web_command

PAGES = ("label", "my-work", "overview", "rounds", "posts", "thresholds", "review", "radar", "team", "people")
SECONDS_TO_START = 90
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pages")
    parser.add_argument("--against", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--visits", type=int, default=10)
    options = parser.parse_args()
    trees = {"now": ROOT, "before": options.against.resolve()}
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright, ExitStack() as stack:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        opened = {
            name: stack.enter_context(_entered(chromium.new_context().new_page(), tree, Path(folder) / name))
            for name, tree in trees.items()
        }
        for visit in range(options.visits + 1):
            for page_name in PAGES:
                for name, (page, address) in opened.items():
                    page.goto(f"{address}/{page_name}")
                    page.wait_for_selector(IDLE)
                    if visit:  # the first one warms caches
                        times[page_name, name].append(page.evaluate(PAINTED))
    print("| page | before, ms | now, ms | ratio |\n|---|---|---|---|")
    for page_name in PAGES:
        before, now = (median(times[page_name, name]) for name in ("before", "now"))
        print(f"| {page_name} | {before:.0f} | {now:.0f} | {now / before:.2f} |")


@contextmanager
def _entered(page: Page, tree: Path, home: Path) -> Iterator[tuple[Page, str]]:
    path = {"PYTHONPATH": str(tree)}
    make = [sys.executable, "-P", "-m", "workbench.cli", "demo", "--home", str(home), "--seed-only"]
    subprocess.run(make, env=os.environ | path, check=True, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{(port := free_port())}"
    with child(web_command(), WORKBENCH_HOME=str(home), WORKBENCH_PORT=str(port), **path) as process:
        try:
            wait_until(lambda: is_served(address), SECONDS_TO_START)
            page.goto(f"{address}/sign-in")
            page.get_by_role("button", name=LEAD).click()
            page.wait_for_selector(IDLE)
            yield page, address
        finally:
            stop(process)


if __name__ == "__main__":
    main()
