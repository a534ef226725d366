"""The vocabulary and its tokenizer.

A Unigram model (Kudo, 2018) over single characters, pieces of Latin letters and digits, and the most common
Chinese words of two to four characters as segmented by jieba: words make sequences a third shorter and small
models better (Su, 2020, "WoBERT"). Scores are log frequencies, counted and not estimated by EM, which takes
minutes and prefers set phrases such as 你怎么 to words.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import rjieba
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from trainer.pretrain.config import CLS, SEP, SPECIAL, UNK, PretrainConfig
from trainer.pretrain.corpus import fold

LATIN = "abcdefghijklmnopqrstuvwxyz0123456789"
RUN = re.compile("[a-z]+|[0-9]+")
WORD = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]{2,4}")
Shares = Mapping[str, float]


def count_words(files: Iterable[tuple[float, Iterable[str]]]) -> dict[str, float]:
    """Frequency of each word (a Chinese word, a run of Latin letters or digits, a symbol) in the mixture,
    without spaces.

    `files` are weights with lines; a file counts by its weight and not by its length.
    """
    shares: defaultdict[str, float] = defaultdict(float)
    for weight, lines in files:
        counts: Counter[str] = Counter()
        for line in lines:
            counts.update(rjieba.cut(fold(line)))
        total = max(counts.total(), 1)
        for word, count in counts.items():
            if not word.isspace():
                shares[word] += weight * count / total
    total_share = sum(shares.values()) or 1.0
    return {word: share / total_share for word, share in shares.items()}


def learn_pieces(shares: Shares, count: int) -> list[str]:
    learner = Tokenizer(models.BPE())
    # Capped: beyond one in ten thousand, frequency need not weigh more, and the corpus stays short.
    runs = [(word, min(round(share * 1e7), 1000)) for word, share in shares.items() if RUN.fullmatch(word)]
    learner.train_from_iterator(
        (word for word, times in runs for _ in range(times)),
        trainers.BpeTrainer(vocab_size=count, initial_alphabet=list(LATIN), show_progress=False),
    )
    learnt = learner.get_vocab()
    return sorted(learnt, key=learnt.__getitem__)


def choose_tokens(shares: Shares, config: PretrainConfig) -> list[str]:
    by_share = sorted(shares, key=lambda word: (-shares[word], word))
    characters: defaultdict[str, float] = defaultdict(float)
    for word in by_share:
        for character in word:
            characters[character] += shares[word]
    printable = [c for c in sorted(characters, key=lambda c: (-characters[c], c)) if c.isprintable()]
    pieces = learn_pieces(shares, config.pieces)
    singles = dict.fromkeys(
        [*SPECIAL, *pieces, *[c for c in printable if not c.isspace()][: config.characters]]
    )
    words = [word for word in by_share if WORD.fullmatch(word)]
    return [*singles, *words[: config.vocabulary - len(singles)]]


def build_tokenizer(tokens: Sequence[str], shares: Shares) -> Tokenizer:
    positive = [shares[token] for token in tokens if shares.get(token)]
    floor = min(positive, default=1.0) / 10
    scored = [(token, math.log(max(shares.get(token, 0.0), floor))) for token in tokens]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=UNK, byte_fallback=False))
    bert = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=True
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), bert])
    runs = pre_tokenizers.Split(Regex(r"\p{Han}+|[a-z]+|[0-9]+|[^\p{Han}a-z0-9]"), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), runs])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)],
    )
    return tokenizer
