"""Pre-train the starter encoder: a small BERT over characters, from plain text.

Run as: python -m trainer.pretrain --corpus a.txt.xz=2 b.txt.gz --out models/starter --minutes 45

The corpus is one utterance or paragraph a line. There is one objective, masked characters, asked twice:
once of each masked position and once, lightly, of the pooled [CLS] vector, which has to guess the same
characters from the gist alone. Without the second question nothing would train [CLS] and the pooler, and a
classifier that starts from them would start from noise.

The file is long because the recipe is one: text -> tokenizer -> ids -> counts -> batches -> model -> run, in
that order below, and nothing else in the house needs any step of it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import re
import time
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from trainer import command
from trainer.duplicates import normalise
from trainer.errors import DatasetError, TrainerError
from trainer.texts import read_texts

Ids = NDArray[np.uint16]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Report = Callable[[str], None]

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(5)
LATIN = "abcdefghijklmnopqrstuvwxyz0123456789"
WORD = "[a-z]+|[0-9]+"
HELD_OUT_ONE_IN = 300
HELD_OUT_AT_MOST = 1500
WINDOW = 5
DROPOUT_OF_THE_SAVED_MODEL = 0.1


@dataclass(frozen=True)
class PretrainConfig:
    """How to train. Lengths count tokens, `[CLS]` and `[SEP]` included; rates and shares run from 0 to 1.

    `corpus` maps a file to its weight in the mixture. The budget is `steps` where given, else `minutes`.
    `vocabulary` is characters and `pieces` the WordPiece pieces of Latin letters and digits beside them.
    """

    corpus: dict[str, float] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    steps: int | None = None
    minutes: float = 45.0
    seed: int = 0
    cap: float = 1 / 3
    vocabulary: int = 7400
    pieces: int = 600
    layers: int = 4
    width: int = 256
    heads: int = 4
    length: int = 128
    positions: int = 256
    batch_tokens: int = 2560
    learning_rate: float = 1.5e-3
    warm_up: float = 0.05
    mask_rate: float = 0.2
    summary_weight: float = 0.2
    whole_words: bool = True
    bfloat16: bool = False
    pool: int = 16384

    def __post_init__(self) -> None:
        if self.minutes <= 0 or (self.steps is not None and self.steps <= 0):
            raise TrainerError("nothing to do: --minutes and --steps must be above zero")
        if not 3 <= self.length <= self.positions:
            raise TrainerError(f"--length is {self.length}; it must lie between 3 and {self.positions}")
        if self.width % self.heads:
            raise TrainerError(f"--width ({self.width}) must be a multiple of --heads ({self.heads})")
        if not 0 < self.vocabulary + self.pieces <= 60_000:
            raise TrainerError(f"--vocabulary is {self.vocabulary}; it must lie between 1 and 59,000")


# --- text ---------------------------------------------------------------------------------------------


def read_corpus(path: Path) -> Iterator[str]:
    """The lines of a plain, .gz or .xz UTF-8 file, without blank ones, never all in memory."""
    openers: dict[str, Callable[..., Any]] = {".xz": lzma.open, ".gz": gzip.open}
    try:
        with openers.get(path.suffix, open)(path, "rt", encoding="utf-8") as lines:
            yield from (line.strip() for line in lines if line.strip())
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise DatasetError(f"{path}: cannot be read ({error})") from error


def kept_lines(path: Path, excluded: frozenset[str]) -> Iterator[str]:
    """The lines of one corpus file that, normalised, are not among the excluded texts."""
    if not excluded:
        return read_corpus(path)
    return (line for line in read_corpus(path) if normalise(line) not in excluded)


def read_excluded(paths: Iterable[Path]) -> frozenset[str]:
    """The normalised texts of labelled files: what a model is tested on, it must not have read before."""
    return frozenset(normalise(text) for path in paths for _, text in read_texts(path))


def fold(text: str) -> str:
    """What the tokenizer makes of a text before cutting it: full width to half, lower case."""
    return unicodedata.normalize("NFKC", text).lower()


# --- tokenizer ----------------------------------------------------------------------------------------


def learn_pieces(words: Counter[str], count: int) -> list[str]:
    """About `count` WordPiece pieces for Latin letters and digits; every single one is among them."""
    learner = Tokenizer(models.WordPiece(unk_token=SPECIAL[UNK]))
    # A word seen a million times needs no more say than one seen a thousand times.
    learner.train_from_iterator(
        (word for word, times in words.items() for _ in range(min(times, 1000))),
        trainers.WordPieceTrainer(vocab_size=count, initial_alphabet=list(LATIN), show_progress=False),
    )
    learnt = learner.get_vocab()
    singles = [*LATIN, *(f"##{letter}" for letter in LATIN)]
    return list(dict.fromkeys([*singles, *sorted(learnt, key=learnt.__getitem__)]))


def count_text(lines: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """How often each character and each run of Latin letters or digits occurs, once folded."""
    characters: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for line in map(fold, lines):
        characters.update(line)
        words.update(re.findall(WORD, line))
    return characters, words


def choose_tokens(lines: Iterable[str], config: PretrainConfig) -> list[str]:
    """The vocabulary in order: special tokens, Latin pieces, then characters from the commonest down."""
    characters, words = count_text(lines)
    common = [c for c, _ in characters.most_common() if c.isprintable() and not c.isspace()]
    pieces = learn_pieces(words, config.pieces)
    return list(dict.fromkeys([*SPECIAL, *pieces, *common[: config.vocabulary]]))


def build_tokenizer(tokens: Sequence[str]) -> Tokenizer:
    """Every character its own token, except runs of Latin letters or digits, cut in WordPiece pieces."""
    tokenizer = Tokenizer(models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token=SPECIAL[UNK]))
    bert = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=True
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), bert])
    single = pre_tokenizers.Split(Regex(f"{WORD}|[^a-z0-9]"), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), single])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)],
    )
    return tokenizer


# --- corpus as ids ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Corpus:
    """Every segment of every file: `ids[starts[i]:ends[i]]`, `files[i]` its file, `held_out[i]` or trained.

    All lie in memory: two bytes a token, so a billion characters are two gigabytes.
    """

    ids: Ids
    starts: Numbers
    ends: Numbers
    files: Numbers
    held_out: Flags

    @property
    def lengths(self) -> Numbers:
        return self.ends - self.starts


def is_held_out(line: str) -> bool:
    """By the text alone: a copy of a held-out line is held out too, in any file and any run."""
    return zlib.crc32(line.encode()) % HELD_OUT_ONE_IN == 0


def encode_lines(tokenizer: Tokenizer, lines: Iterable[str]) -> Iterator[tuple[str, Ids]]:
    """Each line with its ids, without special tokens."""
    rest = iter(lines)
    while some := list(islice(rest, 4096)):
        encodings = tokenizer.encode_batch_fast(some, add_special_tokens=False)
        yield from ((line, np.array(e.ids, dtype=np.uint16)) for line, e in zip(some, encodings, strict=True))


def encode_corpus(tokenizer: Tokenizer, files: Sequence[Iterable[str]], room: int) -> Corpus:
    """The lines of all files as ids, cut in segments of at most `room` tokens."""
    ids: list[Ids] = []
    rows: list[tuple[int, int, int, bool]] = []
    at = 0
    for number, lines in enumerate(files):
        for line, found in encode_lines(tokenizer, lines):
            held, end = is_held_out(line), at + len(found)
            rows.extend((cut, min(cut + room, end), number, held) for cut in range(at, end, room))
            ids.append(found)
            at = end
    if not rows:
        raise DatasetError("the corpus is empty: none of its files holds any text that is not excluded")
    starts, ends, owners, held_out = map(np.array, zip(*rows, strict=True))
    return Corpus(np.concatenate(ids), starts, ends, owners, held_out)


# --- what counting alone teaches ----------------------------------------------------------------------


def count_pairs(corpus: Corpus, size: int, distance: int) -> NDArray[np.float32]:
    """How often token j stands `distance` after token i in one segment: (size, size)."""
    counts = np.zeros(size * size, dtype=np.float32)
    segment = np.repeat(np.arange(len(corpus.starts), dtype=np.int32), corpus.lengths)
    ends = len(corpus.ids) - distance
    for first in range(0, ends, 20_000_000):
        last = min(first + 20_000_000, ends)
        left = corpus.ids[first:last].astype(np.int64)
        right = corpus.ids[first + distance : last + distance]
        same = segment[first:last] == segment[first + distance : last + distance]
        counts += np.bincount((left * size + right)[same], minlength=size * size).astype(np.float32)
    return counts.reshape(size, size)


def pointwise_information(counts: NDArray[np.float32], smoothing: float) -> NDArray[np.float32]:
    """log p(i, j) / p(i) p(j), 0 where never seen; contexts smoothed (Levy, Goldberg and Dagan, 2015)."""
    row = counts.sum(axis=1, keepdims=True)
    column = counts.sum(axis=0, keepdims=True) ** smoothing
    information = np.zeros_like(counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        np.log(counts * (column.sum() / row) / column, out=information, where=counts > 0)
    return information


def find_words(neighbours: NDArray[np.float32]) -> Flags:
    """Which pairs of neighbours are parts of one word, (size, size): seen often, and far beyond chance."""
    return (neighbours >= 20) & (pointwise_information(neighbours, 1.0) > 4.0)


def count_vectors(counts: NDArray[np.float32], width: int, seed: int) -> Tensor:
    """Token vectors, (size, width) with rows of deviation 0.04: positive pointwise information, factored."""
    torch.manual_seed(seed)
    size = len(counts)
    rank = min(width, size - 1)
    information = torch.from_numpy(np.maximum(pointwise_information(counts, 0.75), 0.0))
    left, values, _ = torch.svd_lowrank(information, q=min(rank + 32, size), niter=3)
    found = (left * values.sqrt())[:, :rank]
    seen = information.sum(1) > 0
    vectors = torch.randn(size, width)
    vectors[seen, :rank] = functional.layer_norm((found - found[seen].mean(0))[seen], (rank,))
    return vectors * 0.04


# --- batches ------------------------------------------------------------------------------------------


def mix_files(corpus: Corpus, weights: Sequence[float], cap: float) -> NDArray[np.float64]:
    """Each file's share of the tokens seen: by weight, none above `cap` while others can take the rest."""
    is_trained = np.bincount(corpus.files[~corpus.held_out], minlength=len(weights)) > 0
    shares = np.where(is_trained, weights, 0.0)
    if shares.sum() <= 0:
        raise DatasetError("the corpus is too small: no file with a weight above zero has text to train on")
    shares /= shares.sum()
    cap = max(cap, 1 / np.count_nonzero(shares))
    while shares.max() > cap + 1e-9:
        free = shares < cap
        spare = 1 - cap * np.count_nonzero(~free)
        shares = np.where(free, spare * shares / shares[free].sum(), cap)
    return shares


def draw_pool(corpus: Corpus, shares: NDArray[np.float64], size: int, number: int, seed: int) -> Numbers:
    """About `size` segments for pool `number`: each file is walked in a shuffled order, round and round.

    Nothing but the seed and the number decides, so that a resumed run goes on where it was killed.
    """
    members = [np.flatnonzero((corpus.files == f) & ~corpus.held_out) for f in range(len(shares))]
    usual = np.array([corpus.lengths[m].mean() if len(m) else 1.0 for m in members])
    counts = shares / usual
    drawn = []
    for file, take in enumerate(np.ceil(size * counts / counts.sum()).astype(int)):
        turns, places = np.divmod(np.arange(number * take, (number + 1) * take), max(len(members[file]), 1))
        for turn in np.unique(turns):
            order = np.random.default_rng([seed, file, int(turn)]).permutation(members[file])
            drawn.append(order[places[turns == turn]])
    return np.concatenate(drawn)


def group_by_length(lengths: Numbers, batch_tokens: int) -> list[Numbers]:
    """Positions in batches of similar length; a padded batch has `batch_tokens` at most, or is one row."""
    order = np.argsort(-lengths, kind="stable")
    batches = []
    first = 0
    while first < len(order):
        rows = max(1, batch_tokens // (int(lengths[order[first]]) + 2))
        batches.append(order[first : first + rows])
        first += rows
    return batches


@dataclass(frozen=True)
class Batch:
    """`ids` (rows, length) with masks in, `places` the flat positions masked, `answers` what stood there."""

    ids: Tensor
    places: Tensor
    answers: Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(self.ids.to(device), self.places.to(device), self.answers.to(device))


def choose_masked(ids: Numbers, words: Flags, rate: float, random: np.random.Generator) -> Flags:
    """Which positions to mask, whole words together, at least one a batch: (rows, length)."""
    continues = np.zeros(ids.shape, dtype=bool)
    continues[:, 1:] = words[ids[:, :-1], ids[:, 1:]]
    word = np.cumsum(~continues.ravel()) - 1
    masked: Flags = (random.random(word[-1] + 1) < rate)[word].reshape(ids.shape) & (ids > MASK)
    if not masked.any():
        masked[0, 1] = True
    return masked


def make_batch(
    corpus: Corpus, numbers: Numbers, words: Flags, rate: float, random: np.random.Generator
) -> Batch:
    """Segments padded, a share of them masked: 80% `[MASK]`, 10% another token, 10% left as they are."""
    ids = np.full((len(numbers), int(corpus.lengths[numbers].max()) + 2), PAD, dtype=np.int64)
    for row, number in enumerate(numbers):
        segment = corpus.ids[corpus.starts[number] : corpus.ends[number]]
        ids[row, : len(segment) + 2] = [CLS, *segment, SEP]
    masked = choose_masked(ids, words, rate, random)
    answers, places = ids[masked], np.flatnonzero(masked)
    luck = random.random(len(places))
    other = random.integers(MASK + 1, len(words), len(places))
    ids.flat[places] = np.where(luck < 0.8, MASK, np.where(luck < 0.9, other, answers))
    return Batch(torch.from_numpy(ids), torch.from_numpy(places), torch.from_numpy(answers))


def walk_batches(corpus: Corpus, words: Flags, config: PretrainConfig, step: int) -> Iterator[Batch]:
    """Batches for ever, from number `step` on. Pools differ in their number of batches, so all are walked."""
    shares = mix_files(corpus, list(config.corpus.values()), config.cap)
    passed = number = 0
    while True:
        pool = draw_pool(corpus, shares, config.pool, number, config.seed)
        batches = group_by_length(corpus.lengths[pool], config.batch_tokens)
        for turn in np.random.default_rng([config.seed, 1 << 20, number]).permutation(len(batches)):
            if passed >= step:
                random = np.random.default_rng([config.seed, 1 << 21, passed])
                yield make_batch(corpus, pool[batches[turn]], words, config.mask_rate, random)
            passed += 1
        number += 1


def held_out_batches(corpus: Corpus, words: Flags, config: PretrainConfig) -> list[Batch]:
    """The same batches, masked the same way, at every measurement."""
    held_out = np.flatnonzero(corpus.held_out)
    chosen = held_out[:: len(held_out) // HELD_OUT_AT_MOST + 1]
    random = np.random.default_rng([config.seed, 1 << 22])
    groups = group_by_length(corpus.lengths[chosen], config.batch_tokens)
    return [make_batch(corpus, chosen[group], words, config.mask_rate, random) for group in groups]


# --- model --------------------------------------------------------------------------------------------


class MaskedEncoder(nn.Module):
    """A BERT encoder with the prediction head of masked training; the embedding is the output layer too."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        width = bert.config.hidden_size
        self.bert = bert
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(bert.config.vocab_size))
        self.summary_norm = nn.LayerNorm(width)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits of the masked positions, (masked, vocabulary), and of every row's gist, (rows, vocabulary).

        The masked positions are gathered first: scoring the vocabulary at every position would cost more
        than the encoder itself.
        """
        found = self.bert(input_ids=batch.ids, attention_mask=(batch.ids != PAD).long())
        masked = found.last_hidden_state.flatten(0, 1)[batch.places]
        masked = self.norm(functional.gelu(self.dense(masked)))
        gist = self.summary_norm(found.pooler_output)
        table = self.bert.embeddings.word_embeddings.weight
        return functional.linear(masked, table, self.bias), functional.linear(gist, table, self.bias)


def turn_rates(pairs: int) -> Tensor:
    """Angles a position, (pairs,), from 0 to pi: spread by the golden ratio, so that no two codes agree."""
    return torch.pi * ((torch.arange(pairs) + 1) * 0.6180339887 % 1)


def position_code(count: int, size: int) -> Tensor:
    """Each position as points on size / 2 circles, (count, size), as large as the count vectors."""
    angles = torch.arange(count)[:, None] * turn_rates(size // 2)
    return torch.stack([angles.cos(), angles.sin()], dim=2).flatten(1) * 0.04 * 2**0.5


def step_matrix(step: int, size: int) -> Tensor:
    """The rotation, (size, size), that takes the code of a position to the code `step` positions on."""
    angles = step * turn_rates(size // 2)
    turns = torch.stack(
        [torch.stack([angles.cos(), -angles.sin()]), torch.stack([angles.sin(), angles.cos()])]
    )
    rotation: Tensor = torch.block_diag(*turns.permute(2, 0, 1))  # type: ignore[no-untyped-call]
    return rotation


def look_at_neighbours(bert: BertModel) -> None:
    """Let heads of the first two layers start out looking one or two characters back or ahead.

    Left alone, the starter still guessed from the bag of characters after three million tokens; so started, it
    was past that after one million. The last `size` dimensions begin with the position alone.
    """
    config = bert.config
    size = config.hidden_size // config.num_attention_heads
    vectors = bert.get_parameter("embeddings.word_embeddings.weight")
    vectors[:, -size:] = 0
    positions = bert.get_parameter("embeddings.position_embeddings.weight")
    positions.zero_()
    positions[:, -size:] = position_code(len(positions), size)
    for layer, steps in enumerate([(-1, 1, -2, 2), (-1, 1)][: config.num_hidden_layers]):
        for head, step in enumerate(steps[: config.num_attention_heads]):
            rows = slice(head * size, (head + 1) * size)
            for name, turned in (("query", step_matrix(step, size)), ("key", torch.eye(size))):
                weight = bert.get_parameter(f"encoder.layer.{layer}.attention.self.{name}.weight")
                weight[rows] = 0
                weight[rows, -size:] = turned * 0.9


def shape_encoder(config: PretrainConfig, size: int) -> BertConfig:
    """The encoder's architecture, without dropout: so short a training never over-fits."""
    return BertConfig(
        vocab_size=size,
        hidden_size=config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=4 * config.width,
        max_position_embeddings=config.positions,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=PAD,
    )


def build_encoder(config: PretrainConfig, vectors: Tensor) -> MaskedEncoder:
    """An encoder that starts from the count vectors, (size, width), with the pooler at identity."""
    torch.manual_seed(config.seed)
    bert = BertModel(shape_encoder(config, len(vectors)))
    with torch.no_grad():
        bert.embeddings.word_embeddings.weight.copy_(vectors)
        look_at_neighbours(bert)
        bert.get_parameter("pooler.dense.weight").copy_(torch.eye(config.width))
        bert.get_parameter("pooler.dense.bias").zero_()
    return MaskedEncoder(bert)


def save_whole(tensors: Mapping[str, Tensor], path: Path, facts: dict[str, str]) -> None:
    """Written beside, then renamed: a kill leaves the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".partial")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, beside, metadata=facts)
    beside.chmod(0o644)
    beside.replace(path)


def save_encoder(bert: BertModel, tokenizer: Tokenizer, folder: Path) -> None:
    """A plain `BertModel` with its tokenizer, for `AutoModel` and `AutoTokenizer`.

    Half precision on disk alone: the config asks for float32, or a processor would train in float16.
    """
    halves = {name: tensor.half() for name, tensor in bert.state_dict().items()}
    save_whole(halves, folder / "model.safetensors", {"format": "pt"})
    config = BertConfig.from_dict(bert.config.to_dict())
    config.architectures, config.dtype = ["BertModel"], "float32"
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = DROPOUT_OF_THE_SAVED_MODEL
    config.save_pretrained(folder)
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        model_max_length=config.max_position_embeddings,
        **{f"{name.strip('[]').lower()}_token": name for name in SPECIAL},
    ).save_pretrained(folder)


# --- a run and its checkpoint -------------------------------------------------------------------------


@dataclass
class Tally:
    """How far a run is. Seconds are of training alone, over all its restarts."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def spent(self, config: PretrainConfig) -> float:
        """The share of the budget, 0 to 1."""
        if config.steps is not None:
            return self.step / config.steps
        return self.seconds / (60 * config.minutes)

    def describe(self, config: PretrainConfig, loss: float) -> str:
        spent = max(self.spent(config), 1e-9)
        left = self.seconds * (1 - spent) / spent / 60
        speed = self.tokens / max(self.seconds, 1e-9)
        return f"step {self.step:,}: loss {loss:.3f}, {speed:,.0f} tokens a second, {left:.0f} minutes left"


@dataclass(frozen=True)
class Run:
    """Everything that a checkpoint keeps."""

    config: PretrainConfig
    tokenizer: Tokenizer
    corpus: Corpus
    words: Flags
    model: MaskedEncoder
    optimizer: torch.optim.AdamW
    tally: Tally


def make_optimizer(model: MaskedEncoder, config: PretrainConfig) -> torch.optim.AdamW:
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), eps=1e-6)


def start(config: PretrainConfig, device: torch.device, report: Report) -> Run:
    """Read the corpus, learn the vocabulary, count the pairs, build the encoder."""
    excluded = read_excluded(map(Path, config.exclude))
    paths = [Path(name) for name in config.corpus]
    tokenizer = build_tokenizer(
        choose_tokens((line for path in paths for line in kept_lines(path, excluded)), config)
    )
    corpus = encode_corpus(tokenizer, [kept_lines(path, excluded) for path in paths], config.length - 2)
    size = tokenizer.get_vocab_size()
    report(f"{len(corpus.ids):,} tokens in {len(corpus.starts):,} segments; vocabulary {size:,}")
    counts = count_pairs(corpus, size, 1)
    words = find_words(counts) & config.whole_words
    for distance in range(2, WINDOW + 1):
        counts += count_pairs(corpus, size, distance)
    model = build_encoder(config, count_vectors(counts + counts.T, config.width, config.seed)).to(device)
    report(f"count vectors made; {int(words.sum()):,} pairs of neighbours count as parts of a word")
    return Run(config, tokenizer, corpus, words, model, make_optimizer(model, config), Tally())


def save_corpus(run: Run, folder: Path) -> None:
    """What `start` took minutes to make, once."""
    arrays = vars(run.corpus) | {"ids": run.corpus.ids.view(np.int16), "words": np.argwhere(run.words)}
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    save_whole(tensors, folder / "corpus.safetensors", {"tokenizer": run.tokenizer.to_str()})


def save_state(run: Run, folder: Path) -> None:
    """Weights, the optimizer's moments and the tally, in one file: they must never disagree."""
    tensors = {f"model.{name}": tensor for name, tensor in run.model.state_dict().items()}
    for number, state in run.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in state.items()}
    facts = {"tally": json.dumps(asdict(run.tally)), "config": json.dumps(asdict(run.config))}
    save_whole(tensors, folder / "state.safetensors", facts)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a safetensors file, and the facts written beside them."""
    with safe_open(path, "pt") as file:
        names = list(file.keys())
        return {name: file.get_tensor(name) for name in names}, dict(file.metadata())


def check_same(config: PretrainConfig, saved: str, folder: Path) -> None:
    """Only the budget of a run may change when it goes on."""
    then, now = json.loads(saved), json.loads(json.dumps(asdict(config)))
    changed = [name for name in now if then.get(name) != now[name] and name not in ("steps", "minutes")]
    if changed:
        raise TrainerError(
            f"the checkpoint in {folder} was made with another {', '.join(changed)}: "
            "give the same to go on, or another --checkpoint folder to start again"
        )


def load_state(model: MaskedEncoder, optimizer: torch.optim.AdamW, saved: Mapping[str, Tensor]) -> None:
    """Put back what `save_state` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in saved.items():
        if name.startswith("optimizer."):
            _, number, what = name.split(".")
            state.setdefault(int(number), {})[what] = tensor
    model.load_state_dict({n.removeprefix("model."): t for n, t in saved.items() if n.startswith("model.")})
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})


def resume(config: PretrainConfig, device: torch.device, folder: Path) -> Run:
    """The run that was saved in `folder`."""
    saved, facts = load_tensors(folder / "state.safetensors")
    check_same(config, facts["config"], folder)
    tensors, kept = load_tensors(folder / "corpus.safetensors")
    tokenizer = Tokenizer.from_str(kept["tokenizer"])
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    words = np.zeros((tokenizer.get_vocab_size(),) * 2, dtype=bool)
    words[tuple(arrays.pop("words").T)] = True
    corpus = Corpus(**arrays | {"ids": arrays["ids"].view(np.uint16)})
    model = build_encoder(config, saved["model.bert.embeddings.word_embeddings.weight"]).to(device)
    optimizer = make_optimizer(model, config)
    load_state(model, optimizer, saved)
    return Run(config, tokenizer, corpus, words, model, optimizer, Tally(**json.loads(facts["tally"])))


# --- training -----------------------------------------------------------------------------------------


def scale_rate(spent: float, warm_up: float) -> float:
    """The factor of the peak learning rate: linear up, then linear down to nothing."""
    return max(0.0, min(spent / max(warm_up, 1e-9), (1 - spent) / (1 - warm_up)))


def find_losses(run: Run, batch: Batch) -> tuple[Tensor, Tensor]:
    """Mean losses in nats: of the masked positions, and of the same characters guessed from the gist."""
    with torch.autocast(batch.ids.device.type, torch.bfloat16, enabled=run.config.bfloat16):
        logits, gist = run.model(batch)
    rows = batch.places // batch.ids.shape[1]
    from_gist = -functional.log_softmax(gist.float(), dim=1)[rows, batch.answers].mean()
    return functional.cross_entropy(logits.float(), batch.answers), from_gist


def take_step(run: Run, batch: Batch) -> float:
    """One step of AdamW; the loss of the masked positions before it."""
    config, tally = run.config, run.tally
    for group in run.optimizer.param_groups:
        group["lr"] = config.learning_rate * scale_rate(tally.spent(config), config.warm_up)
    loss, from_gist = find_losses(run, batch)
    run.optimizer.zero_grad()
    (loss + config.summary_weight * from_gist).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    run.optimizer.step()
    tally.step += 1
    tally.tokens += int((batch.ids != PAD).sum())
    return loss.item()


def measure(model: MaskedEncoder, batches: Sequence[Batch], device: torch.device) -> str:
    """Loss (nats) and accuracy over the masked positions of held-out batches, in words."""
    if not batches:
        return "no held-out text"
    loss = right = 0.0
    with torch.inference_mode():
        for batch in (b.to(device) for b in batches):
            logits, _ = model(batch)
            loss += functional.cross_entropy(logits, batch.answers, reduction="sum").item()
            right += (logits.argmax(1) == batch.answers).sum().item()
    count = sum(len(batch.answers) for batch in batches)
    return f"held-out loss {loss / count:.3f}, accuracy {right / count:.1%}"


def train(run: Run, out: Path, checkpoint: Path, save_every: float, report: Report) -> None:
    """Spend the rest of the budget; every `save_every` seconds leave a checkpoint and a usable model."""
    device = next(run.model.parameters()).device
    held_out = held_out_batches(run.corpus, run.words, run.config)

    def save() -> None:
        save_state(run, checkpoint)
        save_encoder(run.model.bert, run.tokenizer, out)
        tally = run.tally
        report(
            f"saved at step {tally.step:,}, {tally.tokens:,} tokens, "
            f"{tally.seconds / 60:.1f} minutes: {measure(run.model, held_out, device)}"
        )

    last = told = saved = time.monotonic()
    for batch in walk_batches(run.corpus, run.words, run.config, run.tally.step):
        if run.tally.spent(run.config) >= 1:
            break
        loss = take_step(run, batch.to(device))
        now = time.monotonic()
        run.tally.seconds += now - last
        if now - told >= 15:
            told = now
            report(run.tally.describe(run.config, loss))
        if now - saved >= save_every:
            save()
            saved = time.monotonic()
        last = max(now, saved)
    save()


# --- command line -------------------------------------------------------------------------------------


def parse_corpus(entries: Iterable[str]) -> dict[str, float]:
    """`FILE` or `FILE=WEIGHT` to weights by file name."""
    weights: dict[str, float] = {}
    for entry in entries:
        name, _, weight = entry.rpartition("=")
        if Path(entry).is_file() or not name:
            name, weight = entry, "1"
        if not re.fullmatch(r"\d+\.?\d*|\.\d+", weight):
            raise TrainerError(f"{entry}: what follows the = must be a number, the weight of the file")
        if not Path(name).is_file():
            raise DatasetError(f"{name}: no such corpus file")
        weights[name] = float(weight)
    return weights


def make_parser() -> argparse.ArgumentParser:
    parser = command.parser(
        "trainer.pretrain", "Pre-train a small encoder on plain text; the same command goes on after a kill."
    )
    add = parser.add_argument
    add("--corpus", nargs="+", required=True, metavar="FILE[=WEIGHT]", help="a text a line; .xz and .gz too")
    add("--exclude", nargs="*", default=[], metavar="TSV", help="leave out lines equal to a text of these")
    add("--out", type=Path, required=True, help="folder of the model")
    add("--checkpoint", type=Path, help="folder to resume from (default: OUT.checkpoint)")
    add("--save-every", type=float, default=5, metavar="MINUTES", help="default: 5")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--threads", type=int, default=0, help="of the processor (default: torch decides)")
    add("--single-characters", action="store_true", help="mask characters one by one, not whole words")
    add("--bfloat16", action="store_true", help="multiply in bfloat16: faster where the processor knows how")
    budget = parser.add_mutually_exclusive_group()
    default = PretrainConfig()
    budget.add_argument("--minutes", type=float, default=default.minutes, help="default: 45")
    budget.add_argument("--steps", type=int)
    for name in ("seed", "vocabulary", "layers", "width", "heads", "length", "batch_tokens"):
        add(f"--{name.replace('_', '-')}", type=int, default=getattr(default, name))
    for name in ("cap", "learning_rate", "mask_rate", "summary_weight"):
        add(f"--{name.replace('_', '-')}", type=float, default=getattr(default, name))
    return parser


def read_config(arguments: argparse.Namespace) -> PretrainConfig:
    """The configuration of what was typed."""
    given = vars(arguments)
    typed = {name: given[name] for name in asdict(PretrainConfig()) if name in given}
    typed |= {"corpus": parse_corpus(given["corpus"]), "exclude": tuple(given["exclude"])}
    return PretrainConfig(**typed, whole_words=not given["single_characters"])


def pretrain(arguments: argparse.Namespace, report: Report) -> None:
    """From what was typed to a finished folder."""
    config, out, device = read_config(arguments), arguments.out, torch.device(arguments.device)
    checkpoint = arguments.checkpoint or out.with_name(out.name + ".checkpoint")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if (checkpoint / "state.safetensors").exists():
        run = resume(config, device, checkpoint)
        report(f"resumed at step {run.tally.step:,}")
    else:
        run = start(config, device, report)
        save_corpus(run, checkpoint)
    train(run, out, checkpoint, 60 * arguments.save_every, report)


def main(argv: Sequence[str] | None = None) -> int:
    """Pre-train as the command line says; the exit status."""
    return command.run(partial(pretrain, report=partial(print, flush=True)), make_parser().parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
