"""The label of one text, of every text in a file, or of texts typed at a prompt.

    python -m trainer.predict --model DIR [--text TEXT | --batch FILE]

One JSON object per line: id or line number, label, confidence, probabilities by label name. At a terminal, without
--batch and --json, words and bars instead.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from trainer.chunks import in_chunks
from trainer.errors import DatasetError
from trainer.labels import LABELS
from trainer.reading.columns import Choice
from trainer.reading.marks import cap_marks
from trainer.running import command
from trainer.running.device import leave_a_core
from trainer.running.progress import reporting
from trainer.running.terminal import json_text
from trainer.scoring.scorer import Scorer
from trainer.texts.reading import choice_of, read_texts

TEXTS_AT_ONCE = 20_000
BAR, BAR_LENGTH = "#", 30


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command.parser("trainer.predict", "Label texts with an adapter; without text or file: a prompt.")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="adapter folder")
    parser.add_argument("--json", action="store_true", help="JSON lines at a terminal too")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--text", help="one text")
    source.add_argument(
        "--batch", type=Path, metavar="FILE", help="table or JSON with a text, or plain lines"
    )
    command.add_reading_arguments(parser)
    return command.run(_predict, parser.parse_args(arguments))


def _predict(options: argparse.Namespace) -> None:
    leave_a_core()
    posts = _posts(options)
    scorer = Scorer.load(options.model)
    if options.batch is not None:
        _predict_many(scorer, posts)
        return
    is_read = not options.json and sys.stdin.isatty() and sys.stdout.isatty()
    # Each typed line is answered before the next is read.
    for post in posts:
        for line in predictions(scorer, [post]):
            print(in_words(line) if is_read else _as_json(line), flush=True)


def _predict_many(scorer: Scorer, posts: Iterator[tuple[str, str]]) -> None:
    done = 0
    with closing(reporting(None, "predicting")) as progress:
        progress.step(done, 0)
        for part in in_chunks(posts, TEXTS_AT_ONCE):
            for line in predictions(scorer, part):
                print(_as_json(line))
            done += len(part)
            progress.step(done, 0)


def in_words(prediction: Mapping[str, Any]) -> str:
    """The label with its confidence, then a bar for each probability."""
    lines = [f"{prediction['label']}, {100 * prediction['confidence']:.1f}% sure"]
    width = max(map(len, LABELS))
    for label, share in prediction["probabilities"].items():
        bar = BAR * round(BAR_LENGTH * share)
        lines.append(f"  {label:<{width}}  {100 * share:5.1f}%  {bar}".rstrip())
    return "\n".join(lines)


def _as_json(prediction: Mapping[str, Any]) -> str:
    return json_text(prediction, sys.stdout.encoding)


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
        return iter([("1", cap_marks(options.text))])
    if options.batch is not None:
        return _read(options.batch, choice_of(options))
    return _typed()


def _read(path: Path, choice: Choice) -> Iterator[tuple[str, str]]:
    posts = read_texts(path, choice)
    first = next(posts, None)
    if first is None:
        raise DatasetError("{file} holds no posts.", file=path)
    yield first
    yield from posts


def _typed() -> Iterator[tuple[str, str]]:
    """At a terminal, an empty line ends the texts; elsewhere it is skipped."""
    number, is_terminal = 0, sys.stdin.isatty()
    if is_terminal:
        _ask("Type a text and press Enter. An empty line or Ctrl-D leaves.\n")
    while line := _read_line(is_terminal):
        if line.strip():
            number += 1
            yield str(number), cap_marks(line.rstrip("\n"))
        elif is_terminal:
            return
    if is_terminal:
        _ask("\n")  # Ctrl-D leaves the cursor behind the prompt


def _read_line(is_terminal: bool) -> str:
    if is_terminal:
        _ask("text> ")
    return sys.stdin.readline()


def _ask(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
