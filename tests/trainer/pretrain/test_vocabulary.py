"""The vocabulary, and how a text is split."""

import pytest
from tokenizers import Tokenizer

from tests.trainer.pretrain.conftest import make_lines
from trainer.pretrain.config import CLS, SEP, UNK, PretrainConfig
from trainer.pretrain.vocabulary import build_tokenizer, choose_tokens, count_words


def tokenizer_of(lines: list[str], **changes: int) -> Tokenizer:
    shares = count_words([(1.0, lines)])
    return build_tokenizer(choose_tokens(shares, PretrainConfig(**changes)), shares)


@pytest.fixture
def tokenizer() -> Tokenizer:
    return tokenizer_of(make_lines(200))


def test_a_file_counts_by_its_weight_however_long_it_is():
    shares = count_words([(3.0, ["天气"]), (1.0, ["论坛"] * 50)])
    assert shares == pytest.approx({"天气": 0.75, "论坛": 0.25})


def test_spaces_are_no_words():
    assert count_words([(1.0, ["a b  c"])]) == pytest.approx({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})


def test_vocabulary_covers_every_character_seen(tokenizer):
    for encoding in tokenizer.encode_batch(make_lines(200)):
        assert UNK not in encoding.ids


def test_a_character_never_seen_is_unknown(tokenizer):
    assert tokenizer.encode("龘").ids == [CLS, UNK, SEP]


def test_full_width_and_half_width_forms_give_the_same_ids(tokenizer):
    assert tokenizer.encode("ＶＰＮ２０２４，Ｈｅｌｌｏ").ids == tokenizer.encode("vpn2024,hello").ids


def test_words_come_whole_latin_in_pieces_and_all_else_alone(tokenizer):
    found = tokenizer.encode("今天，天气hello，😂😂").tokens
    assert found == ["[CLS]", "今天", ",", "天气", "hello", ",", "😂", "😂", "[SEP]"]


def test_a_word_that_is_not_in_the_vocabulary_comes_in_characters():
    tokenizer = tokenizer_of(["今天天气真好"] * 3, characters=6, pieces=36, vocabulary=5 + 36 + 6)
    assert tokenizer.encode("今天", add_special_tokens=False).tokens == ["今", "天"]


def test_keeps_the_commonest_characters_when_the_vocabulary_is_small():
    tokens = choose_tokens(
        count_words([(1.0, ["好好好", "好坏"])]), PretrainConfig(characters=1, vocabulary=700)
    )
    assert "好" in tokens
    assert "坏" not in tokens


def test_single_letters_and_digits_are_always_there():
    found = tokenizer_of(["今天"]).encode("x7", add_special_tokens=False)
    assert found.tokens == ["x", "7"]
