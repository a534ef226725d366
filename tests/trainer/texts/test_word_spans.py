import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.texts.word_spans import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天，天气好！", ["今天", "天气", "好"]),
        ("加微信 abc123", ["加微信", "abc123"]),
        ("привет мир", ["привет", "мир"]),
        ("ＡＢＣ e\u0301t\u00e9", ["ＡＢＣ", "e\u0301t\u00e9"]),
        ("好❤️🇨🇳👍🏽。👨\u200d👩\u200d👧", ["好", "❤️🇨🇳👍🏽", "👨\u200d👩\u200d👧"]),
        ("微\u200b信", ["微\u200b", "信"]),
        ("𠀀𠀁好看", ["𠀀𠀁", "好看"]),
        ("……！ \u200b\n～", []),
        ("\u0301\u200d", []),
        ("", []),
    ],
)
def test_words_are_what_a_reader_would_mark(text, expected):
    assert [text[start:end] for start, end in words(text)] == expected


@given(st.text(max_size=60))
def test_every_letter_digit_and_emoji_is_in_exactly_one_word(text):
    spans = words(text)
    places = [place for start, end in spans for place in range(start, end)]
    assert places == sorted(set(places))
    for place, character in enumerate(text):
        if unicodedata.category(character)[0] in "LN" or unicodedata.category(character) == "So":
            assert place in places
