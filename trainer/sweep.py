"""One pass over a pool: its distinct texts, the longest first, in parts that are kept as soon as they are scored.

    python -m trainer.sweep --model DIR --work DIR --share 1/4     one process of several, on a part of the parts

A killed pass goes on after the parts it has. On a GPU the network runs in bf16, one process on each; on a CPU in
8 bits where that pays and says the same.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from trainer import command
from trainer.config import LABELS
from trainer.device import has_bf16, leave_a_core
from trainer.eight_bit import eight_bit_network, quantise
from trainer.errors import TrainerError
from trainer.files import sha256_of
from trainer.folders import WEIGHTS
from trainer.scorer import Scorer, StoppedError
from trainer.tokens import Tokens, read_tokens

PART_TOKENS = {"cpu": 2**18, "cuda": 2**22}
"""What a killed pass does again at most: a minute or two of a CPU, seconds of a GPU."""
CORES_EACH = 4
"""Of a CPU's cores for one process: a batch of short texts keeps no more at work."""
EIGHT_BIT_FROM = 20_000
"""Texts: below, writing and checking the other network costs what it saves."""
CHECKED = 1_000
AGREEMENT = 0.995
"""Share of the checked texts whose label must be the same in 8 bits."""
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Progress:
    """How far a pass is. `share`, 0 to 1, is of its tokens, which is what takes the time: long texts come first."""

    posts: int
    total: int
    share: float


@dataclass(frozen=True)
class Precision:
    """What the network computed in, and on what share of the checked texts its label was that of fp32."""

    name: str
    agreement: float | None = None


@dataclass(frozen=True)
class Swept:
    """probabilities (n, 3), calibrated, in LABELS order; `distinct` of the n texts were scored."""

    probabilities: NDArray[np.float32]
    distinct: int
    precision: Precision


@dataclass(frozen=True)
class Work:
    """What there is to do, and where it is kept. `order` (u,): the distinct texts; part i is bounds[i] to bounds[i + 1]."""

    folder: Path
    tokens: Tokens
    order: NDArray[np.int64]
    bounds: NDArray[np.int64]

    @property
    def parts(self) -> int:
        return len(self.bounds) - 1

    def file(self, part: int) -> Path:
        return self.folder / f"part-{part:05d}.parquet"

    def has(self, part: int) -> bool:
        return self.file(part).exists()

    def texts(self, part: int) -> NDArray[np.int64]:
        return self.order[self.bounds[part] : self.bounds[part + 1]]

    def keep(self, part: int, probabilities: NDArray[np.float32]) -> None:
        """Whole or not at all."""
        made = self.file(part).with_suffix(f".{os.getpid()}")
        pq.write_table(pa.table(dict(zip(LABELS, probabilities.T, strict=True))), made)
        made.replace(self.file(part))

    def probabilities(self) -> NDArray[np.float32]:
        """(u, 3)."""
        tables = [pq.read_table(self.file(part)) for part in range(self.parts)]
        if not tables:
            return np.empty((0, len(LABELS)), np.float32)
        whole = pa.concat_tables(tables)
        return np.stack([whole[label].to_numpy() for label in LABELS], axis=1)


def sweep(
    model: Path,
    scorer: Scorer,
    files: Sequence[Path],
    positions: NDArray[np.int64],
    folder: Path,
    *,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    should_stop: Callable[[], bool] = lambda: False,
    processes: int | None = None,
) -> Swept:
    """Score the texts at these positions of the files of tokens, one after the other.

    `scorer` is the adapter in `model`. `folder` keeps what is done, for a later call that asks for the same; it is the
    caller's to remove. Raises StoppedError when `should_stop` says so.
    """
    tokens = Tokens.joined([read_tokens(file)[1] for file in files])
    order, which = tokens.distinct(positions)
    work = Work(folder, tokens, order, _bounds(tokens.lengths[order], PART_TOKENS[scorer.device.type]))
    precision = _begin(work, model, scorer)
    told = _Told(work, np.bincount(which, minlength=len(order)), on_progress)
    count = processes if processes is not None else processes_for(scorer.device)
    if count > 1 and work.parts > 1:
        _sweep_in_children(work, model, files, scorer.device, count, told, should_stop)
    else:
        _use(scorer, work, precision)
        _sweep_here(scorer, work, told, should_stop)
    return Swept(work.probabilities()[which], len(order), precision)


def processes_for(device: torch.device) -> int:
    """One for each GPU; on a CPU one for every four cores of those torch may use."""
    if device.type == "cuda":
        return torch.cuda.device_count()
    return max(1, torch.get_num_threads() // CORES_EACH)


@dataclass(frozen=True)
class _Told:
    """Turns places in the order into progress. `copies` (u,): how many posts have each text."""

    work: Work
    copies: NDArray[np.int64]
    on_progress: Callable[[Progress], None]

    def __call__(self, done: Sequence[tuple[int, int]]) -> None:
        """`done`: stretches of the order, from and to."""
        posts = sum(int(self.copies[begin:end].sum()) for begin, end in done)
        lengths = self.work.tokens.lengths
        tokens = sum(int(lengths[self.work.order[begin:end]].sum()) for begin, end in done)
        total = int(lengths[self.work.order].sum())
        self.on_progress(Progress(posts, int(self.copies.sum()), tokens / total if total else 1.0))


def _bounds(lengths: NDArray[np.int64], part_tokens: int) -> NDArray[np.int64]:
    """Where the parts begin and end, (parts + 1,): of about as many tokens each."""
    if not len(lengths):
        return np.zeros(1, np.int64)
    part = lengths.cumsum() // part_tokens
    return np.concatenate([[0], np.flatnonzero(np.diff(part)) + 1, [len(lengths)]])


def _begin(work: Work, model: Path, scorer: Scorer) -> Precision:
    """Take up what is there of the same work, else begin it anew: by its texts, their parts and the adapter."""
    facts = f"{sha256_of(model / WEIGHTS)} {scorer.device.type} {work.bounds.tolist()}".encode()
    mark = sha256(facts + work.tokens.digests[work.order].tobytes()).hexdigest()
    file = work.folder / "work.json"
    if file.exists():
        known = json.loads(file.read_text(encoding="utf-8"))
        if known["mark"] == mark:
            return Precision(**known["precision"])
    shutil.rmtree(work.folder, ignore_errors=True)
    work.folder.mkdir(parents=True)
    precision = _precision(scorer, work)
    made = file.with_suffix(".part")
    made.write_text(json.dumps({"mark": mark, "precision": asdict(precision)}), encoding="utf-8")
    made.replace(file)
    return precision


def _precision(scorer: Scorer, work: Work) -> Precision:
    """8 bits where there is much to do on a CPU, and a sample says the same in them, and sooner."""
    if scorer.device.type != "cpu":
        return Precision("bf16" if has_bf16(scorer.device) else "fp32")
    if len(work.order) < EIGHT_BIT_FROM:
        return Precision("fp32")
    rng = np.random.default_rng(len(work.order))
    sample = work.order[np.sort(rng.choice(len(work.order), CHECKED, replace=False))]
    exact, exact_seconds = _labels(scorer, work.tokens, sample)
    plain, scorer.network = scorer.network, eight_bit_network(quantise(scorer.encoder, work.folder))
    eight_bit, seconds = _labels(scorer, work.tokens, sample)
    scorer.network = plain
    agreement = float(np.mean(exact == eight_bit))
    pays = agreement >= AGREEMENT and seconds < exact_seconds
    return Precision("int8" if pays else "fp32", agreement)


def _labels(scorer: Scorer, tokens: Tokens, sample: NDArray[np.int64]) -> tuple[NDArray[np.intp], float]:
    scorer.logits(tokens, sample[-8:])  # the first call of a network costs more than the others
    begin = time.perf_counter()
    labels = scorer.calibrated(scorer.logits(tokens, sample)).argmax(axis=1)
    return labels, time.perf_counter() - begin


def _use(scorer: Scorer, work: Work, precision: Precision) -> None:
    if precision.name == "int8":
        scorer.network = eight_bit_network(work.folder / "eight-bit.onnx")


def _sweep_here(scorer: Scorer, work: Work, told: _Told, should_stop: Callable[[], bool]) -> None:
    done = [
        (int(work.bounds[part]), int(work.bounds[part + 1])) for part in range(work.parts) if work.has(part)
    ]
    for part in range(work.parts):
        if work.has(part):
            continue
        begin, end = int(work.bounds[part]), int(work.bounds[part + 1])
        scores = scorer.logits(
            work.tokens,
            work.texts(part),
            on_progress=lambda count, _all: told([*done, (begin, begin + count)]),  # noqa: B023 - called before the next turn
            should_stop=should_stop,
        )
        work.keep(part, scorer.calibrated(scores))
        done.append((begin, end))


def _sweep_in_children(
    work: Work,
    model: Path,
    files: Sequence[Path],
    device: torch.device,
    count: int,
    told: _Told,
    should_stop: Callable[[], bool],
) -> None:
    with pa.ipc.new_file(str(work.folder / "order.arrow"), pa.schema([("order", pa.int64())])) as sink:
        sink.write_table(pa.table({"order": work.order}))
    laid_out = {"files": [str(file) for file in files], "bounds": work.bounds.tolist()}
    (work.folder / "laid-out.json").write_text(json.dumps(laid_out), encoding="utf-8")
    children = [_child(work, model, device, share, count) for share in range(count)]
    try:
        while any(child.poll() is None for child in children):
            if should_stop():
                raise StoppedError("scoring stopped")
            if failed := next((child for child in children if child.poll()), None):
                raise TrainerError(f"scoring failed: a process ended with status {failed.returncode}")
            done = [part for part in range(work.parts) if work.has(part)]
            told([(int(work.bounds[part]), int(work.bounds[part + 1])) for part in done])
            time.sleep(LOOK_SECONDS)
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
            child.communicate()
    if failed := next((child for child in children if child.returncode), None):
        raise TrainerError(f"scoring failed: a process ended with status {failed.returncode}")


def _child(
    work: Work, model: Path, device: torch.device, share: int, count: int
) -> "subprocess.Popen[bytes]":
    """-P keeps the working directory, with its data/ and models/, off the child's import path."""
    where = f"cuda:{share}" if device.type == "cuda" else "cpu"
    arguments = ["--model", model, "--work", work.folder, "--share", f"{share}/{count}", "--device", where]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "trainer.sweep", *map(str, arguments), "--watch-stdin"],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command.parser("trainer.sweep", "Score some parts of a pass that another process has laid out.")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="adapter folder")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="what is to be done")
    parser.add_argument("--share", required=True, metavar="K/N", help="every N-th part, from the K-th on")
    parser.add_argument("--device", default="cpu")
    command.add_child_arguments(parser)
    return command.run(_sweep_share, parser.parse_args(arguments))


def _sweep_share(options: argparse.Namespace) -> None:
    share, count = map(int, options.share.split("/"))
    leave_a_core()
    torch.set_num_threads(max(1, torch.get_num_threads() // (count if options.device == "cpu" else 1)))
    laid_out = json.loads((options.work / "laid-out.json").read_text(encoding="utf-8"))
    known = json.loads((options.work / "work.json").read_text(encoding="utf-8"))
    tokens = Tokens.joined([read_tokens(Path(file))[1] for file in laid_out["files"]])
    with pa.memory_map(str(options.work / "order.arrow")) as source:
        order = pa.ipc.open_file(source).read_all()["order"].to_numpy()
    scorer = Scorer.load(options.model, device=options.device)
    work = Work(options.work, tokens, order, np.array(laid_out["bounds"]))
    _use(scorer, work, Precision(**known["precision"]))
    for part in range(share, work.parts, count):
        if not work.has(part):
            work.keep(part, scorer.calibrated(scorer.logits(tokens, work.texts(part))))


if __name__ == "__main__":
    sys.exit(main())
