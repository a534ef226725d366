"""Label names: what counts as one spelling, and which labels a value states."""

import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.messages import Message
from workbench.errors import InputError
from workbench.labelling.files.mapping import LEFT_OUT, label_key, label_name, ours, parse_map


@pytest.mark.parametrize(
    "name", ["Violation", " VIOLATION ", "ｖｉｏｌａｔｉｏｎ", "vio lation", "违规", "违 规"]
)
def test_case_width_and_spaces_do_not_matter(name: str) -> None:
    assert ours(name, parse_map(None)) == "violation"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (0, "0"),
        (1.0, "1.0"),
        (True, "true"),
        ("x ", "x"),
        (["x"], "x"),
        ([["x"]], "x"),
        (["x", "x"], "x"),
        ([], None),
        ([None], None),
        ("", None),
        (None, None),
        (math.nan, None),
    ],
)
def test_a_number_a_boolean_and_a_list_of_one_are_their_text(value: object, name: str | None) -> None:
    assert label_name(value) == name


@pytest.mark.parametrize("value", [0, 0.0, "0", "0.0", "０", [0]])
def test_one_name_in_the_map_serves_each_way_to_write_a_number(value: object) -> None:
    name = label_name(value)
    assert isinstance(name, str)
    assert ours(name, parse_map("0=normal,1=violation")) == "normal"


def test_a_map_may_be_typed_with_chinese_commas() -> None:
    assert parse_map("删除=violation，通过=正常") == parse_map("删除=violation, 通过 = normal")


def test_a_boolean_counts_only_if_the_map_names_it() -> None:
    assert ours("true", parse_map(None)) is None
    assert ours("true", parse_map("1=violation")) is None
    assert ours("true", parse_map("True=violation")) == "violation"


@pytest.mark.parametrize("value", [["a", "b"], {"a": 1}, [0, 5, "LOC", 1]])
def test_a_value_with_several_labels_or_of_another_kind_is_a_problem(value: object) -> None:
    assert isinstance(label_name(value), Message)


@given(st.text(string.printable), st.integers(0))
def test_spaces_may_stand_anywhere(name: str, at: int) -> None:
    place = at % (len(name) + 1)
    assert label_key(f"{name[:place]} \u3000{name[place:]}") == label_key(name)


def test_a_name_may_hold_an_equals_sign() -> None:
    assert ours("a=b", parse_map("a=b=violation,c=-")) == "violation"
    assert ours("c", parse_map("a=b=violation,c=-")) == LEFT_OUT


def test_two_targets_for_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="two labels"):
        parse_map("Spam=violation,spam=normal")
