"""Names that look alike are the same name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.accounts import COMMAND_LINE
from workbench.errors import InputError
from workbench.names import LONGEST_NAME, clean_name, name_key
from workbench.web.wording.i18n import LANGUAGES, catalogue
from workbench.web.wording.words import NAME_WORDS

ALIKE = [
    ("Ann", "\u0410nn"),  # Cyrillic
    ("Victim3", "victim3"),
    ("Ann", "A n\u200bn"),
    ("Ann", "Ａｎｎ"),
    ("Ann", "Ann\u0301"),
    ("Bill", "BiII"),
    ("Bob10", "B0b1O"),
    ("力口", "カロ"),
    ("工一", "エー"),
    ("玉", "\u2f5f"),  # a radical
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_names_that_look_alike_have_one_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Ann", "Anna"), ("林静", "林静怡"), ("陈晓雯", "陈小雯"), ("Li", "Lu")]
)
def test_names_that_differ_have_two(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


@given(st.text(max_size=LONGEST_NAME - 2))
def test_spaces_around_it_do_not_make_another_name(name: str) -> None:
    assert name_key(f" {name} ") == name_key(name)


@pytest.mark.parametrize("name", ["", "   ", "x" * 41, "a\x00b", "\u200b", "\u3164", "a\u202eb"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="Give a name"):
        clean_name(name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_name_of_commands_cannot_be_taken_in_any_language(language: str) -> None:
    shown = catalogue(language).gettext(NAME_WORDS[COMMAND_LINE])
    for name in (shown, shown.upper(), COMMAND_LINE, "C0mmand  Line"):
        with pytest.raises(InputError, match="taken"):
            clean_name(name)
