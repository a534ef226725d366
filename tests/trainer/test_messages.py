"""A message keeps template and values apart, through JSON and pickles too."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import AdapterError, TrainerError
from trainer.messages import Message, message_of

plain = st.text() | st.integers() | st.floats(allow_nan=False) | st.none()
names = st.sampled_from(["a", "b", "template", "self", "values"])


def message(parts):
    filled = st.dictionaries(names, parts | st.lists(st.builds(Message, st.text())).map(tuple))
    return st.builds(lambda template, values: Message(template, **values), st.text(), filled)


messages = st.recursive(plain, message, max_leaves=5).filter(lambda value: isinstance(value, Message))


@given(messages)
def test_json_keeps_a_message_as_it_is(message):
    assert Message.from_dict(json.loads(json.dumps(message.to_dict()))) == message


def test_the_sentence_is_the_filled_template():
    reason = Message("{path}: not readable", path="a")
    assert (
        str(Message("{step} failed: {reason}", step="Training", reason=reason))
        == "Training failed: a: not readable"
    )


def test_several_messages_are_one_sentence():
    assert str(Message.joined([Message("a {n}", n=1), Message("{b}")])) == "a 1; {b}"


@pytest.mark.parametrize("text", ["{", "CUDA out of memory {x}", "{0.__class__}", ""])
def test_braces_are_plain_characters_of_a_message_without_values_and_of_a_value(text):
    assert str(Message(text)) == str(Message.verbatim(text)) == text


def test_values_of_other_kinds_become_what_they_print(tmp_path):
    values = Message("", path=tmp_path, count=np.int64(3), error=OSError(28, "full"), nothing=None).values
    assert values == {"path": str(tmp_path), "count": 3, "error": "[Errno 28] full", "nothing": None}
    assert type(values["count"]) is int


def test_an_error_as_a_value_is_its_message():
    refusal = AdapterError("{folder}: no such adapter folder", folder="x")
    assert Message("scoring failed: {reason}", reason=refusal).values == {"reason": refusal.message}


def test_an_error_says_its_message_after_a_pickle_too():
    error = pickle.loads(pickle.dumps(TrainerError("{name} must be {kind}", name="rank", kind="int")))  # noqa: S301 - made here
    assert str(error) == "rank must be int"
    assert error.message.values == {"name": "rank", "kind": "int"}


def test_what_a_foreign_error_says_is_no_template():
    assert message_of(OSError("disk {full}")) == Message.verbatim("disk {full}")


def test_line_breaks_of_values_go():
    message = Message("a\n{b} {c}", b="x\n  y", c=(Message("{d}", d="\tz\n"),))
    assert str(message.on_one_line()) == "a x y z"
