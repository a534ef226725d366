"""The label of one text, of every text in a file, or of texts typed at a prompt.

    python -m trainer.predict --model DIR [--text TEXT | --batch FILE]

One JSON object per line: id or line number, label, confidence, probabilities by label name.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from trainer.chunks import in_chunks
from trainer.labels import LABELS
from trainer.running import command
from trainer.running.device import leave_a_core
from trainer.running.terminal import json_text
from trainer.scoring.scorer import Scorer
from trainer.texts.reading import read_texts

TEXTS_AT_ONCE = 20_000


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command.parser("trainer.predict", "Label texts with an adapter; without text or file: a prompt.")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="adapter folder")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--text", help="one text")
    source.add_argument("--batch", type=Path, metavar="FILE", help="TSV or JSONL with `text`, or plain lines")
    return command.run(_predict, parser.parse_args(arguments))


def _predict(options: argparse.Namespace) -> None:
    leave_a_core()
    posts = _posts(options)
    scorer = Scorer.load(options.model)
    # At a prompt each line is answered before the next is read.
    at_once = TEXTS_AT_ONCE if options.batch else 1
    for part in in_chunks(posts, at_once):
        for line in predictions(scorer, part):
            print(json_text(line, sys.stdout.encoding), flush=at_once == 1)


def predictions(scorer: Scorer, posts: Iterable[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    names, texts = zip(*posts, strict=True)
    for name, row in zip(names, scorer.probabilities(texts), strict=True):
        best = int(row.argmax())
        yield {
            "id": name,
            "label": LABELS[best],
            "confidence": round(float(row[best]), 6),
            "probabilities": {label: round(float(row[at]), 6) for at, label in enumerate(LABELS)},
        }


def _posts(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    if options.text is not None:
        return iter([("1", options.text)])
    if options.batch is not None:
        return read_texts(options.batch)
    return _typed()


def _typed() -> Iterator[tuple[str, str]]:
    number = 0
    while True:
        if sys.stdin.isatty():
            print("text> ", end="", file=sys.stderr, flush=True)
        if not (line := sys.stdin.readline()):
            return
        if line.strip():
            number += 1
            yield str(number), line.rstrip("\n")


if __name__ == "__main__":
    sys.exit(main())
