"""Key latency in a real browser: from the key event to the painted text of the next post, and to its save.

Run as: python -m tests.benchmarks.desk [--posts 200000] [--answers 500] [--no-round]

Uses generated posts, the real server and Debian's Chromium. One annotator answers as soon as keys count, first alone
and then while a worker trains a round. Prints milliseconds; `docs/benchmarks.md` has the last table.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import insert, select, update

from db.queries.rounds import rounds_by_number
from db.tables import Import, Post, PostGroup
from tests.e2e.conftest import (
    ARGUMENTS,
    CHROMIUM,
    IDLE,
    browser_cookies,
    child,
    free_port,
    is_served,
    stop,
    wait_until,
)
from tests.workbench.making import make_champion, write_tsv
from trainer.labels import LABELS
from trainer.texts.duplicates import split_of
from workbench import accounts
from workbench.imports.intake import import_rows
from workbench.imports.storing import store_waiting
from workbench.imports.tsv import open_tsv
from workbench.labelling.files.mapping import parse_map
from workbench.labelling.label_files import import_labels
from workbench.project import Project, init_project
from workbench.rounds import lifecycle
from workbench.services import web_command, worker_command

LABELLED = 1_500
LETTERS = "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多然于心学"
# Measured from the key event: the first frame with another post's text, and the server's acknowledgement.
WATCH = """() => {
    window.times = {};
    const text = () => document.querySelector('.post')?.textContent;
    document.addEventListener('keydown', (event) => {
        if (event.repeat || document.documentElement.dataset.keys !== 'ready') return;
        const began = event.timeStamp, before = text();
        window.times = {};
        const painted = () => {
            if (text() !== before) requestAnimationFrame(() => { window.times.painted = performance.now() - began; });
            else requestAnimationFrame(painted);
        };
        requestAnimationFrame(painted);
        const saved = new MutationObserver(() => {
            if (document.documentElement.dataset.keys === 'sent') return;
            window.times.saved = performance.now() - began;
            saved.disconnect();
        });
        setTimeout(() => saved.observe(document.documentElement, {attributeFilter: ['data-keys']}), 0);
    }, true);
}"""
BOTH = """() => new Promise((resolve) => {
    const look = () => (window.times.painted && window.times.saved ? resolve(window.times) : requestAnimationFrame(look));
    look();
})"""


def make_project(home: Path, posts: int) -> Project:
    rng = np.random.default_rng(0)
    project = init_project(home)
    lead = accounts.command_line(project)
    letters = np.array(list(LETTERS))
    rows = [
        {
            "id": f"p{at}",
            "text": "".join(rng.choice(letters, int(rng.integers(8, 60)))),
            "board": "闲聊",
            "thread": f"主题{at // 5}",
        }
        for at in range(posts)
    ]
    with open_tsv(write_tsv(home / "posts.tsv", rows)) as source:
        import_rows(project, lead, source)
    store_waiting(project)
    _give_groups(project)
    labels = [{"id": row["id"], "label": LABELS[at % 3]} for at, row in enumerate(rows[:LABELLED])]
    import_labels(project, lead, write_tsv(home / "labels.tsv", labels), mapping=parse_map(None))
    make_champion(project, lead, rng.dirichlet([1, 1, 1], posts))
    return project


def _give_groups(project: Project) -> None:
    with project.database.write() as session:
        ids = session.scalars(select(Post.id).order_by(Post.id)).all()
        keys = [number.to_bytes(16) for number in ids]
        groups = [
            {"id": number, "key": key, "split": split_of(key)} for number, key in zip(ids, keys, strict=True)
        ]
        session.connection().execute(insert(PostGroup), groups)
        session.execute(update(Post).values(group_id=Post.id))
        session.execute(update(Import).values(state="prepared"))


def answer(page: Page, count: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"painted": [], "saved": []}
    for at in range(count):
        page.wait_for_selector("html[data-keys=ready]", state="attached")
        page.keyboard.press("123"[at % 3])
        for name, value in page.evaluate(BOTH).items():
            times[name].append(value)
    return times


@contextmanager
def a_round(project: Project) -> Iterator[None]:
    with child(worker_command(project.home)) as worker:
        try:
            lifecycle.start(project, accounts.command_line(project))
            wait_until(lambda: state_of_round(project) == "training", 120)
            yield
            print("the round at the end:", state_of_round(project))
        finally:
            stop(worker)


def state_of_round(project: Project) -> str:
    with project.database.read() as session:
        return session.scalars(rounds_by_number()).first().state


def summary(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    return {
        name: {f"p{share}": round(float(np.percentile(values, share)), 1) for share in (50, 95, 99)}
        for name, values in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.desk")
    parser.add_argument("--posts", type=int, default=200_000)
    parser.add_argument("--answers", type=int, default=500)
    parser.add_argument("--no-round", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        began = time.perf_counter()
        project = make_project(Path(folder) / "project", options.posts)
        print(f"{options.posts:,} posts queued in {time.perf_counter() - began:.0f} s", flush=True)
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        with child(web_command(), WORKBENCH_HOME=str(project.home), WORKBENCH_PORT=str(port)) as server:
            try:
                wait_until(lambda: is_served(address), 60)
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
                context = browser.new_context()
                context.add_cookies(browser_cookies(project, "Ann", address))
                page = context.new_page()
                page.goto(address)
                page.wait_for_selector(IDLE)
                page.evaluate(WATCH)
                answer(page, 20)
                for name, busy in (("idle", nullcontext()), ("during a round", a_round(project))):
                    if name == "idle" or not options.no_round:
                        with busy:
                            print(name, json.dumps(summary(answer(page, options.answers))), flush=True)
                browser.close()
            finally:
                stop(server)


if __name__ == "__main__":
    main()
