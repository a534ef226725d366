"""A real encoder, small enough to train in a test: two BERT layers over single characters."""

import string
from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizer

CHINESE = "你好吗是不了的一在有我他这天气真大家加微信低价代开发票去死滚蛋"
DEFAULT_TEXTS = (string.ascii_lowercase, string.digits, CHINESE)

INITIAL_SPREAD = 0.1
"""Five times BERT's, so that random features of this size can be distinguished without pre-training."""


def make_tiny_encoder(folder: Path, texts: Iterable[str] = DEFAULT_TEXTS, *, seed: int = 0) -> Path:
    letters = sorted({letter for text in texts for letter in text.lower() if not letter.isspace()})
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {word: position for position, word in enumerate(words)}
    tokenizer = BertTokenizer(vocab=vocabulary, model_max_length=128)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=INITIAL_SPREAD,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(config, add_pooling_layer=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
