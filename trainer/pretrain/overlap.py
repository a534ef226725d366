"""Check that no text of an evaluation set occurs in the text that an encoder was trained on.

python -m trainer.pretrain.overlap --checkpoint models/starter.checkpoint --against cold.tsv swsr.tsv

Reads the training tokens and decodes them, independently of `exclusion`, so that its mistakes show here. Exit
status 1 if any text occurs.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from trainer.errors import DatasetError, TrainerError
from trainer.fitting.checkpoint import load_tensors
from trainer.pretrain.config import UNK
from trainer.pretrain.corpus import Corpus
from trainer.pretrain.exclusion import WHOLE, read_excluded
from trainer.pretrain.run import read_text
from trainer.running import command
from trainer.running.terminal import printable
from trainer.texts.normalisation import normalise


def find_overlaps(lines: Iterable[str], texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    whole: set[str] = set()
    by_beginning: defaultdict[str, list[str]] = defaultdict(list)
    for text in texts:
        if len(text) < WHOLE:
            whole.add(text)
        else:
            by_beginning[text[:WHOLE]].append(text)
    for line in lines:
        if line in whole:
            yield line, line
            continue
        for at in range(len(line) - WHOLE + 1):
            beginnings = by_beginning.get(line[at : at + WHOLE])
            contained = next((text for text in beginnings or () if line.startswith(text, at)), None)
            if contained is not None:
                yield line, contained
                break


def read_lines(corpus: Corpus, tokenizer: Tokenizer) -> Iterator[str]:
    """The characters of every line, without spaces; an unknown character is U+FFFD.

    Long lines are stored as several segments. A segment of maximal length continues in the next one of its
    file.
    """
    tokens = [tokenizer.id_to_token(number) for number in range(corpus.size)]
    tokens[UNK] = "\ufffd"
    longest = corpus.lengths.max()
    goes_on = (corpus.lengths[:-1] == longest) & (corpus.files[:-1] == corpus.files[1:])
    first = np.flatnonzero(np.concatenate([[True], ~goes_on]))
    starts, ends = corpus.starts[first], np.append(corpus.starts[first[1:]], corpus.ends[-1])
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        yield normalise("".join(tokens[number] for number in corpus.ids[start:end].tolist()))


def check(arguments: argparse.Namespace) -> None:
    path = arguments.checkpoint / "corpus.safetensors"
    if not path.is_file():
        raise DatasetError("{path}: no such file; name the checkpoint folder of a pre-training", path=path)
    text = read_text(*load_tensors(path))
    tested = read_excluded(arguments.against)
    count = 0
    for line, contained in find_overlaps(read_lines(text.corpus, text.tokenizer), tested):
        count += 1
        print(printable(f"{contained} | in: {line}"))
    if count:
        raise TrainerError(
            "{count} lines hold one of {tested} texts whole", count=f"{count:,}", tested=f"{len(tested):,}"
        )
    print(f"none of {len(tested):,} texts stands in {len(text.corpus.starts):,} segments of training text")


def main(argv: Sequence[str] | None = None) -> int:
    parser = command.parser("trainer.pretrain.overlap", "Look for evaluation texts in a pre-training corpus.")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="DIR")
    parser.add_argument("--against", type=Path, nargs="+", required=True, metavar="TSV")
    return command.run(check, parser.parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
