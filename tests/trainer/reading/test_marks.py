"""Runs of combining marks are cut before any normalising, everywhere text is read."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.reading.making import texts
from trainer.reading.marks import MOST_MARKS, cap_marks, has_long_run
from trainer.texts import normalisation
from trainer.texts.normalisation import group_key, normalise
from trainer.texts.reading import read_texts

LONG = "a" + "\u0315" * 50_000 + "\u0316" * 49_990
SHORT = "a" + "\u0315" * MOST_MARKS


@pytest.fixture(autouse=True)
def no_long_run_is_normalised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Normalising takes time quadratic in the length of a run."""

    class Checking:
        @staticmethod
        def normalize(form: str, text: str) -> str:
            assert longest_run(text) <= 4 * MOST_MARKS  # a character may decompose into four
            return unicodedata.normalize(form, text)

    monkeypatch.setattr(normalisation, "unicodedata", Checking)


def longest_run(text: str) -> int:
    longest = run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        longest = max(longest, run)
    return longest


def test_a_long_run_is_cut() -> None:
    assert cap_marks(LONG) == SHORT
    assert cap_marks(SHORT + "b" + SHORT) == SHORT + "b" + SHORT


def test_every_character_that_normalises_to_a_mark_counts() -> None:
    for code in range(0x110000):
        character = chr(code)
        if unicodedata.combining(unicodedata.normalize("NFKD", character)[0]):
            assert has_long_run(character * (MOST_MARKS + 1)), hex(code)


@given(st.text(st.sampled_from("ab\u0315\u0316\uff9e"), max_size=200))
def test_short_runs_stay_as_they_are_and_no_long_one_does(text: str) -> None:
    capped = cap_marks(text)
    assert not has_long_run(capped)
    assert capped == text or has_long_run(text)
    assert cap_marks(capped) == capped


def test_keys_and_searches_cut_them() -> None:
    assert group_key(LONG) == group_key(SHORT)
    assert normalise(LONG) == normalise(SHORT)


@pytest.mark.parametrize("name", ["posts.tsv", "posts.csv", "posts.jsonl", "posts.txt"])
def test_each_reader_cuts_them(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    content = f'{{"text": "{LONG}"}}\n' if name.endswith("jsonl") else f"text\n{LONG}\n"
    file.write_text(content, encoding="utf-8")
    assert texts(file) == [SHORT]
    assert [text for _, text in read_texts(file)] == [SHORT]
