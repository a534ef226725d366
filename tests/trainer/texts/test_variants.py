"""Known words are recognised by sound, by letters and by look; the words themselves and their neighbours are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.texts.variants import Variant, Variants, readings

KNOWN = ("微信", "红包", "qq")


@pytest.fixture(scope="module")
def finder() -> Variants:
    return Variants(KNOWN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("加我薇信领奖", {("薇信", "微信", "sound")}),
        ("加我薇信领红包", {("薇信", "微信", "sound")}),
        ("+威芯看", {("威芯", "微信", "sound")}),
        ("加VX：abc99", {("vx", "微信", "letters")}),
        ("wx联系", {("wx", "微信", "letters")}),
        ("weixin 联系", {("weixin", "微信", "letters")}),
        ("加微❤信", {("微❤信", "微信", "look")}),
        ("发红。包", {("红。包", "红包", "look")}),
        ("加ԛq群", {("ԛq", "qq", "look")}),
        ("加我微信领红包，QQ也行", set()),
        ("因为心情不好", set()),
        ("今天天气不错", set()),
        ("微不足道的小事，信不信由你", set()),
    ],
)
def test_a_disguise_is_found_with_the_word_it_stands_for(
    finder: Variants, text: str, expected: set[tuple[str, str, str]]
) -> None:
    assert finder.of(text) == {Variant(*one) for one in expected}


def test_a_known_word_is_no_disguise_of_another_that_sounds_the_same() -> None:
    assert Variants(("微信", "威信")).of("没有威信，加微信") == set()


@given(st.text(max_size=40))
def test_any_text_can_be_searched_and_no_find_is_the_word_itself(finder: Variants, text: str) -> None:
    for one in finder.of(text):
        assert one.written != one.word
        assert one.word in KNOWN


def test_every_character_is_read_somehow() -> None:
    assert readings("行")[0] == "xing"
    assert "hang" in readings("行")
    assert readings("x") == ("x",)
