"""The ASCII reading of other characters."""

import pytest

from trainer.texts.characters import reads_as


@pytest.mark.parametrize(
    ("character", "reading"),
    list(zip("ａＡаВΝν①⑴٣𝐚ᴀ🅰ı", "aAaBNv113aaAi", strict=True)),
)
def test_a_lookalike_has_the_plain_letter_in_its_case(character: str, reading: str) -> None:
    assert reads_as(character) == reading


def test_one_character_may_read_as_several_letters() -> None:
    assert reads_as("Ⅷ") == "VIII"


@pytest.mark.parametrize("character", [*"aZ0!中一，。！éüß½℃㎡い", "\u0301", "\ud800", "\n", "😀", "İ", "."])
def test_everything_else_has_none(character: str) -> None:
    assert reads_as(character) == ""
