"""Fifty annotators at once against the real server: time from sending an answer to the next post.

Run as: python -m tests.benchmarks.people [--people 50] [--minutes 3] [--browsers 0] [--worker] [--adapter DIR]
        [--posts 200000]

Uses generated posts and the web process as `workbench up` starts it. Each annotator signs in over HTTP, opens a
websocket and speaks Streamlit's protocol with messages recorded from a real browser, and answers every seven seconds
on average, independently of the server's speed. The time measured runs from sending an answer to the end of the
script run, which includes the acknowledgement and the next post. `--browsers` adds real Chromium pages that answer
beside them; `--worker` a worker that trains a quick round and scores every post with it; `--adapter` a scoring pass
of that adapter over other posts, at a worker's priority.

Afterwards the database is checked: every answer is stored once, and no post was given to two annotators.
`docs/benchmarks.md` has the last table.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright
from sqlalchemy import select
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from db.tables import Annotation, Person
from tests.benchmarks.desk import BOTH, WATCH, make_project, state_of_round
from tests.benchmarks.importing import write_posts
from tests.benchmarks.scale import given_twice
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
from tests.workbench.team import cookies_of, member
from trainer.labels import LABELS
from workbench import accounts
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.services import NICENESS, web_command, worker_command

SECONDS_EACH = 7.0
TARGET_MS = 100
SAMPLE_SECONDS = 10.0
PATIENCE = 60.0
SCORED = 500_000
"""Posts of the scoring pass: more than it can score meanwhile."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
EVENTS = "$$STREAMLIT_INTERNAL_KEY_$${}__events"
"""The widget of a component whose values are triggers: the key's name in Streamlit's front end."""


@dataclass
class Answer:
    """Times are milliseconds after sending."""

    person: str
    post: int
    label: str
    card: float
    finished: float


@dataclass
class Screen:
    component: str = ""
    fragment: str = ""
    page: str = ""
    turn: int = -1
    post: int | None = None
    cached: list[str] = field(default_factory=list)
    """Hashes of the large messages that the page caches, sent with every message as Streamlit's front end does."""


class Visitor:
    """An annotator on the Label page, without a browser."""

    def __init__(self, project: Project, name: str, address: str) -> None:
        self.project, self.name, self.address = project, name, address
        self.screen = Screen()
        self._socket: ClientConnection

    async def enter(self) -> None:
        cookies = await asyncio.to_thread(sign_in, self.project, self.name)
        self._socket = await connect(
            self.address.replace("http", "ws", 1) + "/_stcore/stream",
            origin=Origin(self.address),
            subprotocols=[Subprotocol("streamlit"), Subprotocol("PLACEHOLDER_AUTH_TOKEN")],
            additional_headers={"Cookie": cookies, "Accept-Language": "zh-CN"},
            max_size=None,
        )
        await self._send(BackMsg())
        await self._until_finished(0)

    async def answer(self, label: str) -> Answer:
        screen, began = self.screen, time.perf_counter()
        assert screen.post is not None, f"{self.name} has nothing to label"
        press = {"post": screen.post, "turn": screen.turn, "action": f"answer {label}", "note": ""}
        message = BackMsg()
        message.rerun_script.widget_states.widgets.add(
            id=EVENTS.format(screen.component.removeprefix("$$")),
            json_trigger_value=json.dumps([{"event": "pressed", "value": press}]),
        )
        message.rerun_script.fragment_id = screen.fragment
        message.rerun_script.page_script_hash = screen.page
        message.rerun_script.cached_message_hashes.extend(screen.cached)
        turn, post = screen.turn, screen.post
        await self._send(message)
        card, finished = await self._until_finished(began)
        assert screen.turn == turn + 1, f"{self.name}: the answer was not taken"
        assert screen.post != post, f"{self.name}: the same post again"
        return Answer(self.name, post, label, card, finished)

    async def leave(self) -> None:
        await self._socket.close()

    async def _send(self, message: BackMsg) -> None:
        message.rerun_script.context_info.timezone = "Asia/Shanghai"
        message.rerun_script.context_info.locale = "zh-CN"
        message.rerun_script.context_info.url = f"{self.address}/"
        message.rerun_script.context_info.color_scheme = "light"
        message.rerun_script.widget_states.SetInParent()
        await self._socket.send(message.SerializeToString())

    async def _until_finished(self, began: float) -> tuple[float, float]:
        """Milliseconds to the next post and to the end of the run."""
        card = 0.0
        async with asyncio.timeout(PATIENCE):
            while True:
                message = ForwardMsg.FromString(await self._socket.recv(decode=False))
                kind = message.WhichOneof("type")
                if kind == "delta" and self._is_desk(message):
                    card = (time.perf_counter() - began) * 1000
                elif kind == "new_session":
                    self.screen.page = message.new_session.page_script_hash or self.screen.page
                elif kind == "navigation":
                    self.screen.page = message.navigation.page_script_hash
                elif kind == "script_finished":
                    return card, (time.perf_counter() - began) * 1000

    def _is_desk(self, message: ForwardMsg) -> bool:
        """Updates the screen; returns whether the message is the desk."""
        element = message.delta.new_element
        if message.metadata.cacheable:
            self.screen.cached = [*self.screen.cached, message.hash][-2:]
        if message.delta.fragment_id:
            self.screen.fragment = message.delta.fragment_id
        if element.WhichOneof("type") != "bidi_component":
            return False
        desk = json.loads(element.bidi_component.json)
        self.screen.component = element.bidi_component.id
        self.screen.turn = desk["turn"]
        self.screen.post = (desk["current"] or {}).get("post")
        return True


@dataclass
class Sample:
    at: float
    cpu: float
    resident: float


class Watch:
    def __init__(self, process_id: int) -> None:
        self.samples = [_sample(process_id)]
        self._process_id, self._is_over = process_id, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> list[Sample]:
        self._is_over.set()
        self._thread.join()
        return [*self.samples, _sample(self._process_id)]

    def _look(self) -> None:
        while not self._is_over.wait(SAMPLE_SECONDS):
            self.samples.append(_sample(self._process_id))


def _sample(process_id: int) -> Sample:
    used = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    resident = int(Path(f"/proc/{process_id}/statm").read_text(encoding="ascii").split()[1])
    cpu = (int(used[11]) + int(used[12])) / TICKS
    return Sample(time.perf_counter(), cpu, resident * PAGE_BYTES / 2**20)


def sign_in(project: Project, name: str) -> str:
    """The Cookie header of a new session."""
    cookies = cookies_of(project, member(project, name, "annotator"))
    return "; ".join(f"{key}={value}" for key, value in cookies.items())


async def label_for(visitor: Visitor, seconds: float, seed: int) -> list[Answer]:
    rng, answers = random.Random(seed), []
    over = time.perf_counter() + seconds
    due = time.perf_counter() + rng.uniform(0, SECONDS_EACH)
    while due < over:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        answers.append(await visitor.answer(rng.choice(LABELS)))
        due += rng.uniform(0.5, 1.5) * SECONDS_EACH
    return answers


def browse(project: Project, address: str, name: str, seconds: float, times: dict[str, list[float]]) -> None:
    """Milliseconds in a real browser, from the key event to the painted post and to the acknowledgement."""
    rng = random.Random(name)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        context = chromium.new_context()
        context.add_cookies(browser_cookies(project, name, address))
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector(IDLE)
        page.evaluate(WATCH)
        over = time.perf_counter() + seconds
        while time.perf_counter() < over:
            page.wait_for_timeout(rng.uniform(0.5, 1.5) * SECONDS_EACH * 1000)
            page.wait_for_selector("html[data-keys=ready]", state="attached")
            page.keyboard.press(rng.choice("123"))
            for what, value in page.evaluate(BOTH).items():
                times[what].append(value)
        chromium.close()


@contextmanager
def browsers(project: Project, address: str, count: int, seconds: float) -> Iterator[dict[str, list[float]]]:
    times: dict[str, list[float]] = {"painted": [], "saved": []}
    names = [f"browser {number}" for number in range(count)]
    threads = [
        threading.Thread(target=browse, args=(project, address, name, seconds, times)) for name in names
    ]
    for thread in threads:
        thread.start()
    yield times
    for thread in threads:
        thread.join()


@contextmanager
def a_worker(project: Project) -> Iterator[None]:
    lead, states, is_over = accounts.command_line(project), Counter[str](), threading.Event()

    def keep_going() -> None:
        while not is_over.wait(1):
            states[state := state_of_round(project)] += 1
            if state == "awaiting":
                lifecycle.promote(project, lead, 2)

    with child(worker_command(project.home)) as worker:
        watcher = threading.Thread(target=keep_going)
        try:
            lifecycle.start(project, lead, is_quick=True)
            wait_until(lambda: state_of_round(project) == "training", 120)
            watcher.start()
            yield
        finally:
            is_over.set()
            watcher.join()
            stop(worker)
    print("the round meanwhile, seconds:", dict(states), file=sys.stderr)


@contextmanager
def a_scoring_pass(adapter: Path) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pool = write_posts(folder / "posts.tsv", SCORED)
        command = [
            "nice",
            "-n",
            str(NICENESS),
            sys.executable,
            "-m",
            "trainer.score",
            "--model",
            str(adapter),
        ]
        progress = folder / "progress.jsonl"
        command += ["--pool", str(pool), "--out", str(folder / "scores"), "--progress", str(progress)]
        with child(command) as scoring:
            try:
                wait_until(lambda: progress.exists() and "step" in progress.read_text(encoding="utf-8"), 300)
                yield
                assert scoring.poll() is None, "the pass was over before the people were"
            finally:
                stop(scoring)


async def label_together(visitors: Sequence[Visitor], seconds: float, seed: int) -> list[Answer]:
    everybody = (label_for(one, seconds, seed + at) for at, one in enumerate(visitors))
    return [answer for answers in await asyncio.gather(*everybody) for answer in answers]


@dataclass(frozen=True)
class Phase:
    name: str
    answers: Sequence[Answer]
    samples: Sequence[Sample]
    seen: Mapping[str, Sequence[float]]
    ours: float
    """Share of a core that the simulated annotators use."""


async def measure(
    project: Project, address: str, server: subprocess.Popen[bytes], options: argparse.Namespace
) -> list[Phase]:
    visitors = [Visitor(project, f"person {number}", address) for number in range(options.people)]
    print(f"web process before anybody: {_sample(server.pid).resident:.0f} MiB", file=sys.stderr, flush=True)
    began = time.perf_counter()
    await asyncio.gather(*(visitor.enter() for visitor in visitors))
    passed = time.perf_counter() - began
    print(f"{options.people} people came in at once, in {passed:.1f} s", file=sys.stderr, flush=True)
    measured: list[Phase] = []
    phases: list[tuple[str, AbstractContextManager[None]]] = [("idle", nullcontext())]
    phases += [("with a worker", a_worker(project))] if options.worker else []
    phases += [("while posts are scored", a_scoring_pass(options.adapter))] if options.adapter else []
    for at, (name, work) in enumerate(phases):
        seconds = options.minutes * 60
        beside = ExitStack()
        # In a thread: while this blocks, unanswered pings would close the websockets.
        try:
            await asyncio.to_thread(beside.enter_context, work)
            seen = beside.enter_context(browsers(project, address, options.browsers, seconds))
            watch, began = Watch(server.pid), time.process_time()
            answers = await label_together(visitors, seconds, seed=1_000 * at)
            samples, ours = watch.end(), time.process_time() - began
        finally:
            await asyncio.to_thread(beside.close)
        measured.append(Phase(name, answers, samples, seen, ours / seconds))
        report(measured[-1])
    await asyncio.gather(*(visitor.leave() for visitor in visitors))
    check(project, [answer for phase in measured for answer in phase.answers])
    return measured


def report(phase: Phase) -> None:
    tell = partial(print, file=sys.stderr, flush=True)
    answers, samples = phase.answers, phase.samples
    first, last = samples[0], samples[-1]
    share = (last.cpu - first.cpu) / (last.at - first.at)
    tell(f"\n{phase.name}: {len(answers)} answers, {len(answers) / (last.at - first.at):.1f}/s")
    tell("  next post is sent, ms      ", _percentiles([answer.card for answer in answers]))
    tell("  the run is over, ms        ", _percentiles([answer.finished for answer in answers]))
    for what, times in phase.seen.items():
        if times:
            tell(f"  in a browser, {what}, ms    ", _percentiles(times))
    late = sum(answer.finished > TARGET_MS for answer in answers) / len(answers)
    tell(f"  over {TARGET_MS} ms: {late:.1%}")
    each = (last.cpu - first.cpu) / len(answers) * 1000
    tell(f"  web process: {share:.0%} of a core, {each:.0f} ms of it an answer")
    settled = samples[len(samples) // 5 :]  # the memory of the first posts is no growth
    hours = [(sample.at - settled[0].at) / 3600 for sample in settled]
    slope = np.polyfit(hours, [sample.resident for sample in settled], 1)[0]
    shown = " ".join(f"{sample.resident:.0f}" for sample in samples[:: max(1, len(samples) // 12)])
    tell(f"  its memory, MiB: {shown}; {slope:+.0f} an hour by the last {hours[-1] * 60:.0f} minutes")
    tell(f"  the people themselves: {phase.ours:.0%} of a core")


def _percentiles(times: Sequence[float]) -> str:
    return " ".join(
        f"{name} {value:.0f}"
        for name, value in zip(("p50", "p95", "p99", "worst"), _cuts(times), strict=True)
    )


def _cuts(times: Sequence[float]) -> list[float]:
    return [float(value) for value in np.percentile(times, (50, 95, 99, 100))]


def check(project: Project, given: Sequence[Answer]) -> None:
    theirs = select(Person.name, Annotation.post_id, Annotation.label).join(
        Person, Person.id == Annotation.person_id
    )
    with project.database.read() as session:
        rows = session.execute(theirs.where(Person.name.like("person %")))
        saved = Counter((name, post, str(label)) for name, post, label in rows)
    twice = given_twice(project)
    sent = Counter((answer.person, answer.post, answer.label) for answer in given)
    lost, extra = sent - saved, saved - sent
    print(
        f"\nin the database: {sent.total()} answers sent, {saved.total()} saved, {lost.total()} lost, "
        f"{extra.total()} saved but not sent, {twice} posts given to two people",
        file=sys.stderr,
    )


def rows(folder: Path) -> list[tuple[str, str, str, str]]:
    options = argparse.Namespace(people=50, minutes=0.75, browsers=0, worker=True, adapter=None, posts=20_000)
    return [
        (
            f"fifty people, from answer to next post, ms p95, {phase.name}",
            f"{_cuts([answer.finished for answer in phase.answers])[1]:.0f}",
            f"{TARGET_MS} (target)",
            "",
        )
        for phase in run(folder, options)
    ]


def run(folder: Path, options: argparse.Namespace) -> list[Phase]:
    project = make_project(folder / "project", options.posts)
    print(f"{options.posts:,} posts queued", file=sys.stderr, flush=True)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with child(web_command(), WORKBENCH_HOME=str(project.home), WORKBENCH_PORT=str(port)) as server:
        try:
            wait_until(lambda: is_served(address), 60)
            return asyncio.run(measure(project, address, server, options))
        finally:
            stop(server)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.people")
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--browsers", type=int, default=0)
    parser.add_argument("--worker", action="store_true")
    parser.add_argument("--adapter", type=Path, metavar="DIR", help="one more phase, while this scores posts")
    parser.add_argument("--posts", type=int, default=200_000)
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), parser.parse_args())


if __name__ == "__main__":
    main()
