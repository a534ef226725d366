"""One pass over a pool: its distinct texts, longest first, in parts that are saved as soon as they are scored.

    python -m trainer.scoring.sweep --model DIR --work DIR --share 1/4     one of several processes: every 4th part

A killed pass resumes after its saved parts. On a GPU the network runs in bf16, one process per GPU; on a CPU
in 8 bits where that is faster and agrees with fp32.
"""

import argparse
import json
import logging
import math
import shutil
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

from trainer.adapters.folders import WEIGHTS
from trainer.errors import TrainerError
from trainer.files import new_file, sha256_of, write_text
from trainer.labels import LABELS
from trainer.running import command
from trainer.running.children import Child, kill, module_command, start
from trainer.running.device import has_bf16, leave_a_core
from trainer.running.progress import reason_of
from trainer.scoring.eight_bit import eight_bit_network, quantise
from trainer.scoring.scorer import Scorer, StoppedError
from trainer.texts.tokens import Tokens, read_tokens

PART_TOKENS = {"cpu": 2**18, "cuda": 2**22}
"""Most work that a killed pass repeats: one or two minutes on a CPU, seconds on a GPU."""
CORES_EACH = 4
"""CPU cores per process; a batch of short texts cannot keep more busy."""
TRIED_FROM = 20_000
"""Texts below which measuring speed and precision costs more than it saves."""
TRIED = 1_000
AGREEMENT = 0.995
"""Share of the tried texts whose label must not change in 8 bits."""
LOOK_SECONDS = 0.5
SECONDS = b"seconds"


@dataclass(frozen=True)
class Progress:
    """Progress of a pass. `share`, 0 to 1, counts tokens, which are proportional to time: long texts come first."""

    posts: int
    total: int
    share: float


@dataclass(frozen=True)
class Precision:
    """Precision of the network, the share of tried texts with the label of fp32, and the speed.

    `posts_per_second` counts all processes together; None if nothing was tried.
    """

    name: str
    agreement: float | None = None
    posts_per_second: float | None = None


@dataclass(frozen=True)
class Swept:
    """probabilities (n, 3), calibrated, in LABELS order.

    `distinct` of the n texts were scored; `seconds` includes killed attempts.
    """

    probabilities: NDArray[np.float32]
    distinct: int
    seconds: float


@dataclass(frozen=True)
class Work:
    """The parts of a pass and their folder. `order` (u,) holds the distinct texts; part i is bounds[i] to
    bounds[i + 1].
    """

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

    def stretch(self, part: int) -> tuple[int, int]:
        return int(self.bounds[part]), int(self.bounds[part + 1])

    def score(self, part: int, scorer: Scorer, **options: Callable[..., object]) -> None:
        begin = time.monotonic()
        texts = self.order[slice(*self.stretch(part))]
        probabilities = scorer.calibrated(scorer.logits(self.tokens, texts, **options))  # type: ignore[arg-type]
        table = pa.table(dict(zip(LABELS, probabilities.T, strict=True)))
        seconds = f"{time.monotonic() - begin:.3f}"
        with new_file(self.file(part)) as partial:
            pq.write_table(table.replace_schema_metadata({SECONDS: seconds.encode()}), partial)

    def read(self) -> tuple[NDArray[np.float32], float]:
        """Probabilities (u, 3), and the total seconds of all parts."""
        tables = [pq.read_table(self.file(part)) for part in range(self.parts)]
        if not tables:
            return np.empty((0, len(LABELS)), np.float32), 0.0
        seconds = sum(float(table.schema.metadata[SECONDS]) for table in tables)
        whole = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
        return np.stack([whole[label].to_numpy() for label in LABELS], axis=1), seconds


def try_out(
    scorer: Scorer,
    files: Sequence[Path],
    positions: NDArray[np.int64],
    folder: Path,
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> Precision:
    """Measure speed and choose the precision of a pass over these texts.

    8 bits are tried only on a CPU and for many texts, and chosen if they are faster and agree on a sample.
    The 8-bit network stays in `folder`.
    """
    plain = Precision("bf16" if has_bf16(scorer.device) else "fp32")
    if len(positions) < TRIED_FROM:
        return plain
    tokens = Tokens.joined([read_tokens(file)[1] for file in files])
    drawn = np.random.default_rng(len(positions)).choice(positions, TRIED, replace=False)
    sample, _which = tokens.distinct(drawn)
    processes = processes_for(scorer.device)
    exact, seconds = _labels(scorer, tokens, sample, should_stop)
    measured = Precision(plain.name, None, processes * TRIED / seconds)
    if scorer.device.type != "cpu":
        return measured
    network = scorer.network
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scorer.network = eight_bit_network(quantise(scorer.encoder, folder))
        eight_bit, sooner = _labels(scorer, tokens, sample, should_stop)
    except StoppedError:
        raise
    except Exception:  # 8 bits only save time, so no failure of the exporter matters
        logging.warning("no scoring in 8 bits", exc_info=True)
        return measured
    finally:
        scorer.network = network
    agreement = float(np.mean(exact == eight_bit))
    if agreement >= AGREEMENT and sooner < seconds:
        return Precision("int8", agreement, processes * TRIED / sooner)
    return Precision(plain.name, agreement, measured.posts_per_second)


def save_precision(folder: Path, model: Path, precision: Precision) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    values = {"weights": sha256_of(model / WEIGHTS), "precision": asdict(precision)}
    write_text(folder / "precision.json", json.dumps(values))


def load_precision(folder: Path, model: Path) -> Precision | None:
    file = folder / "precision.json"
    if not file.exists():
        return None
    values = json.loads(file.read_text(encoding="utf-8"))
    return Precision(**values["precision"]) if values["weights"] == sha256_of(model / WEIGHTS) else None


def sweep(
    model: Path,
    scorer: Scorer,
    files: Sequence[Path],
    positions: NDArray[np.int64],
    folder: Path,
    *,
    precision: Precision,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    should_stop: Callable[[], bool] = lambda: False,
    processes: int | None = None,
) -> Swept:
    """Score the texts at `positions` of the concatenated token files.

    `scorer` is the adapter in `model`. `precision` is the result of `try_out` on the parent of `folder`.
    `folder` keeps finished parts for a later call with equal arguments; the caller removes it. Raises
    StoppedError if `should_stop` returns true.
    """
    tokens = Tokens.joined([read_tokens(file)[1] for file in files])
    order, which = tokens.distinct(positions)
    work = Work(folder, tokens, order, _bounds(tokens.lengths[order], PART_TOKENS[scorer.device.type]))
    _begin(work, model, scorer.device, precision)
    tracker = _Tracker.of(work, np.bincount(which, minlength=len(order)), on_progress)
    count = min(work.parts, processes if processes is not None else processes_for(scorer.device))
    if count > 1:
        _sweep_in_children(work, model, files, scorer.device, count, tracker, should_stop, precision)
    else:
        _use(scorer, folder.parent, precision)
        _sweep_here(scorer, work, tracker, should_stop)
    probabilities, seconds = work.read()
    return Swept(probabilities[which], len(order), seconds / max(1, count))


def processes_for(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.device_count()
    return max(1, torch.get_num_threads() // CORES_EACH)


@dataclass
class _Tracker:
    """Converts positions in the order to progress. `posts` and `tokens` (u + 1,) are cumulative counts over
    the order.
    """

    posts: NDArray[np.int64]
    tokens: NDArray[np.int64]
    on_progress: Callable[[Progress], None]

    @classmethod
    def of(cls, work: Work, copies: NDArray[np.int64], on_progress: Callable[[Progress], None]) -> "_Tracker":
        lengths = work.tokens.lengths[work.order]
        posts, tokens = (np.concatenate([[0], counts.cumsum()]) for counts in (copies, lengths))
        return cls(posts, tokens, on_progress)

    def __call__(self, done: Sequence[tuple[int, int]]) -> None:
        """`done`: (begin, end) stretches of the order."""
        posts, tokens = (
            sum(int(upto[end] - upto[begin]) for begin, end in done) for upto in (self.posts, self.tokens)
        )
        total = int(self.tokens[-1])
        self.on_progress(Progress(posts, int(self.posts[-1]), tokens / total if total else 1.0))


def _bounds(lengths: NDArray[np.int64], part_tokens: int) -> NDArray[np.int64]:
    """(parts + 1,) bounds of parts of about `part_tokens` tokens."""
    if not len(lengths):
        return np.zeros(1, np.int64)
    part = lengths.cumsum() // part_tokens
    return np.concatenate([[0], np.flatnonzero(np.diff(part)) + 1, [len(lengths)]])


def _begin(work: Work, model: Path, device: torch.device, precision: Precision) -> None:
    """Keep saved parts if texts, bounds, adapter and precision are unchanged, else start over."""
    facts = f"{sha256_of(model / WEIGHTS)} {device.type} {precision.name} {work.bounds.tolist()}".encode()
    mark = sha256(facts + work.tokens.digests[work.order].tobytes()).hexdigest()
    file = work.folder / "mark"
    if file.exists() and file.read_text(encoding="ascii") == mark:
        return
    shutil.rmtree(work.folder, ignore_errors=True)
    work.folder.mkdir(parents=True)
    write_text(file, mark)


def _labels(
    scorer: Scorer, tokens: Tokens, sample: NDArray[np.int64], should_stop: Callable[[], bool]
) -> tuple[NDArray[np.intp], float]:
    scorer.logits(tokens, sample[-8:])  # the first call of a network is slower
    begin = time.perf_counter()
    labels = scorer.calibrated(scorer.logits(tokens, sample, should_stop=should_stop)).argmax(axis=1)
    return labels, time.perf_counter() - begin


def _use(scorer: Scorer, folder: Path, precision: Precision) -> None:
    if precision.name == "int8":
        scorer.network = eight_bit_network(folder / "eight-bit.onnx")


def _sweep_here(scorer: Scorer, work: Work, tracker: _Tracker, should_stop: Callable[[], bool]) -> None:
    done = [work.stretch(part) for part in range(work.parts) if work.has(part)]
    for part in range(work.parts):
        if work.has(part):
            continue
        begin, end = work.stretch(part)
        tick = _merged([*done, (begin, begin)])

        def tell(count: int, _all: int, upto: Sequence[tuple[int, int]] = tick, at: int = begin) -> None:
            tracker([*upto, (at, at + count)])

        work.score(part, scorer, on_progress=tell, should_stop=should_stop)
        done = _merged([*done, (begin, end)])
    tracker(done)


def _merged(stretches: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Adjacent stretches joined."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(stretches):
        if begin == end:
            continue
        if joined and joined[-1][1] == begin:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined


def _sweep_in_children(
    work: Work,
    model: Path,
    files: Sequence[Path],
    device: torch.device,
    count: int,
    tracker: _Tracker,
    should_stop: Callable[[], bool],
    precision: Precision,
) -> None:
    with pa.ipc.new_file(str(work.folder / "order.arrow"), pa.schema([("order", pa.int64())])) as sink:
        sink.write_table(pa.table({"order": work.order}))
    laid_out = {
        "files": [str(file) for file in files],
        "bounds": work.bounds.tolist(),
        "precision": asdict(precision),
    }
    (work.folder / "laid-out.json").write_text(json.dumps(laid_out), encoding="utf-8")
    children = [_child(work, model, device, share, count) for share in range(count)]
    try:
        while any(child.poll() is None for child in children):
            if should_stop():
                raise StoppedError("scoring stopped")
            _refuse_failed(work, children)
            tracker(_merged([work.stretch(part) for part in range(work.parts) if work.has(part)]))
            time.sleep(LOOK_SECONDS)
        _refuse_failed(work, children)
        tracker([(0, len(work.order))])
    finally:
        for child in children:
            kill(child)


def _child(work: Work, model: Path, device: torch.device, share: int, count: int) -> Child:
    where = f"cuda:{share % torch.cuda.device_count()}" if device.type == "cuda" else "cpu"
    arguments = ["--model", model, "--work", work.folder, "--share", f"{share}/{count}", "--device", where]
    progress = _progress_of(work, share)
    progress.unlink(missing_ok=True)
    with _log_of(work, share).open("wb") as log:
        command_line = module_command("trainer.scoring.sweep", *arguments, "--progress", progress)
        return start(command_line, stderr=log, has_own_group=True)


def _log_of(work: Work, share: int) -> Path:
    return work.folder / f"share-{share}.log"


def _progress_of(work: Work, share: int) -> Path:
    return work.folder / f"share-{share}.jsonl"


def _refuse_failed(work: Work, children: Sequence[Child]) -> None:
    """Raises TrainerError with the reason of a child that failed."""
    for share, child in enumerate(children):
        if status := child.poll():
            output = _log_of(work, share).read_text("utf-8", "replace")
            reason = reason_of(_progress_of(work, share), output, status)
            raise TrainerError("scoring failed: {reason}", reason=reason)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command.parser(
        "trainer.scoring.sweep", "Score some parts of a pass that another process has laid out."
    )
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="adapter folder")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="what is to be done")
    parser.add_argument("--share", required=True, metavar="K/N", help="every N-th part, from the K-th on")
    parser.add_argument("--device", default="cpu")
    command.add_child_arguments(parser)
    return command.run(_sweep_share, parser.parse_args(arguments))


def _sweep_share(options: argparse.Namespace) -> None:
    share, count = map(int, options.share.split("/"))
    leave_a_core()
    if options.device == "cpu":
        torch.set_num_threads(math.ceil(torch.get_num_threads() / count))
    laid_out = json.loads((options.work / "laid-out.json").read_text(encoding="utf-8"))
    tokens = Tokens.joined([read_tokens(Path(file))[1] for file in laid_out["files"]])
    with pa.memory_map(str(options.work / "order.arrow")) as source:
        order = pa.ipc.open_file(source).read_all()["order"].to_numpy()
    scorer = Scorer.load(options.model, device=options.device)
    work = Work(options.work, tokens, order, np.array(laid_out["bounds"]))
    _use(scorer, options.work.parent, Precision(**laid_out["precision"]))
    for part in range(share, work.parts, count):
        if not work.has(part):
            work.score(part, scorer)


if __name__ == "__main__":
    sys.exit(main())
