"""Texts are normalised identically on every machine and in every version."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.texts.normalisation import group_key, normalise

POST = "这个显卡我用了两年多一直没出过问题"
INVISIBLE = [
    " ",
    "\n",
    "\u3000",
    "\u00ad",
    "\u200b",
    "\u200d",
    "\u2060",
    "\ufeff",
    "\ufe0f",
    "\u202e",
    "\u2800",
]
MARKS = ["\u0301", "\u0336", "\u0489", "\u20dd"]
HAN_AND_KANA = [
    *range(0x3041, 0x3097),
    *range(0x30A1, 0x30FB),
    *range(0x3105, 0x3130),
    *range(0x4E00, 0xA000),
]


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("", ""),
        ("ＡＢＣ １２", "abc12"),
        ("加\u200b微\u3000信\ufeff", "加微信"),
        ("аррӏе", "apple"),
        ("ΑРΡLЕ", "apple"),
        ("ТЕЛЕГРАМ", normalise("телеграм")),
        ("ıİ", "ii"),
        ("ᴠɪᴘ", "vip"),
        ("🅰🅑ⓒ", "abc"),
        ("❶⓶③④", "1234"),
        ("v\u0336i\u0332p\u0489", "vip"),
        ("naïve", "naive"),
        ("❤\ufe0f", "❤"),
    ],
)
def test_what_looks_alike_becomes_the_same(text: str, normal: str) -> None:
    assert normalise(text) == normal


@pytest.mark.parametrize(
    ("one", "other"),
    [("0", "O"), ("1", "l"), ("l", "I"), ("=", "≠"), ("か", "が"), ("好！", "好？"), ("กา", "กี")],
)
def test_what_differs_stays_different(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


def test_chinese_and_japanese_characters_are_left_as_they_are() -> None:
    assert [chr(code) for code in HAN_AND_KANA if normalise(chr(code)) != chr(code)] == []


def test_the_list_of_look_alikes_is_the_one_that_was_measured() -> None:
    """Group keys are permanent: another list would give old posts new keys."""
    european = "".join(normalise(chr(code)) for code in [*range(0x80, 0x250), *range(0x400, 0x530)])
    digest = hashlib.sha256(european.encode()).hexdigest()
    assert digest == "52d1786707450e50357cb8f52d21fad7b3db749cc75ae05eb1d0cec52eb127d8"


def test_every_character_is_normalised_for_good() -> None:
    normal = {code: normalise(chr(code)) for code in [*range(0x20000), *range(0xE0000, 0xE0200)]}
    assert [hex(code) for code, text in normal.items() if normalise(text) != text] == []


@given(st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(text=st.text(), put=st.lists(st.tuples(st.integers(0, 50), st.sampled_from(INVISIBLE + MARKS))))
def test_what_cannot_be_seen_changes_nothing_wherever_it_stands(
    text: str, put: list[tuple[int, str]]
) -> None:
    hidden = text
    for at, character in put:
        hidden = hidden[:at] + character + hidden[at:]
    assert normalise(hidden) == normalise(text)
    assert group_key(hidden) == group_key(text)


@given(st.text())
def test_case_changes_nothing(text: str) -> None:
    assert normalise(text.casefold()) == normalise(text)


def test_the_key_of_a_group_is_the_same_for_ever() -> None:
    assert group_key(POST).hex() == "02016f07bc6bc1533076d21dfe474a82"
    assert group_key("\ud800").hex() == hashlib.sha256(b"\xed\xa0\x80").hexdigest()[:32]
