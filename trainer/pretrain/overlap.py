"""Does a text of an evaluation set stand in what an encoder was trained on?

python -m trainer.pretrain.overlap --checkpoint models/starter.checkpoint --against cold.tsv swsr.tsv

It reads the very tokens that training read and puts them back together: another way than the one by which
`corpus` leaves texts out, so that a mistake there shows here. Exit status 1 if it finds any.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from trainer import command
from trainer.duplicates import normalise
from trainer.errors import DatasetError, TrainerError
from trainer.pretrain.config import UNK
from trainer.pretrain.corpus import Corpus, read_excluded
from trainer.pretrain.run import load_tensors, read_text

SHORTEST = 10
"""Characters: shorter texts are set phrases, and only a whole segment counts as one of them."""


def find_overlaps(segments: Iterable[str], texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each segment with the first text that stands in it whole; both come normalised."""
    whole: set[str] = set()
    by_beginning: defaultdict[str, list[str]] = defaultdict(list)
    for text in texts:
        if len(text) < SHORTEST:
            whole.add(text)
        else:
            by_beginning[text[:SHORTEST]].append(text)
    for segment in segments:
        if segment in whole:
            yield segment, segment
            continue
        for at in range(len(segment) - SHORTEST + 1):
            beginnings = by_beginning.get(segment[at : at + SHORTEST])
            found = next((text for text in beginnings or () if segment.startswith(text, at)), None)
            if found is not None:
                yield segment, found
                break


def read_segments(corpus: Corpus, tokenizer: Tokenizer) -> Iterator[str]:
    """The characters of every segment, without spaces; an unknown character comes as U+FFFD."""
    tokens = [tokenizer.id_to_token(number) for number in range(corpus.size)]
    tokens[UNK] = "\ufffd"
    for start, end in zip(corpus.starts.tolist(), corpus.ends.tolist(), strict=True):
        yield normalise("".join(tokens[number] for number in corpus.ids[start:end].tolist()))


def check(arguments: argparse.Namespace) -> None:
    """Print each overlap and their number; TrainerError if there is any."""
    path = arguments.checkpoint / "corpus.safetensors"
    if not path.is_file():
        raise DatasetError(f"{path}: no such file; name the checkpoint folder of a pre-training")
    text = read_text(*load_tensors(path))
    tested = frozenset(map(normalise, read_excluded(arguments.against))) - {""}
    count = 0
    for segment, found in find_overlaps(read_segments(text.corpus, text.tokenizer), tested):
        count += 1
        print(f"{found} | in: {segment}")
    if count:
        raise TrainerError(f"{count:,} segments hold one of {len(tested):,} texts whole")
    print(f"none of {len(tested):,} texts stands in {len(text.corpus.starts):,} segments")


def main(argv: Sequence[str] | None = None) -> int:
    parser = command.parser("trainer.pretrain.overlap", "Look for evaluation texts in a pre-training corpus.")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="DIR")
    parser.add_argument("--against", type=Path, nargs="+", required=True, metavar="TSV")
    return command.run(check, parser.parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
