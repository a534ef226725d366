"""The written cases are many, different from each other, and no post of the sample."""

import csv
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from trainer.behaviour.cases import CASES, KINDS, case_keys, read_cases, read_kinds
from trainer.labels import LABELS
from trainer.reading.columns import Choice
from trainer.texts.duplicates import shingles, similarity
from trainer.texts.normalisation import group_key
from trainer.texts.reading import read_texts

SAMPLE = Path(__file__).parents[3] / "data" / "sample" / "posts.tsv"
VARIANT = 0.5
"""Similarity from which two texts would be one sentence with other words filled in."""


def test_every_kind_has_twelve_cases_with_one_expectation() -> None:
    cases = read_cases()
    names = [kind.name for kind in read_kinds()]
    assert len(names) >= 25
    assert Counter(case.kind for case in cases) == dict.fromkeys(names, 12)
    assert len({(case.kind, case.expected) for case in cases}) == len(names)
    assert {case.id for case in cases} == {f"{name}-{at:02}" for name in names for at in range(1, 13)}


def test_every_label_is_expected_of_some_kind_and_none_is_unknown() -> None:
    assert {label for case in read_cases() for label in case.expected} == set(LABELS)


def test_every_kind_says_in_both_languages_what_it_tests() -> None:
    for kind in read_kinds():
        for words in (kind.titles, kind.tests):
            assert words["en"].isascii(), kind.name
            assert not words["zh"].isascii(), kind.name


def test_no_two_cases_are_one_sentence_with_other_words_filled_in() -> None:
    sets = [(case.id, shingles(case.text)) for case in read_cases()]
    alike = [(one, other) for (one, a), (other, b) in combinations(sets, 2) if similarity(a, b) >= VARIANT]
    assert alike == []
    assert len(case_keys()) == len(sets)


def test_no_case_is_a_post_of_the_sample() -> None:
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        posts = [row["text"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    assert len(posts) > 3_000
    assert [text for text in posts if group_key(text) in case_keys()] == []


@pytest.mark.parametrize("file", [CASES, KINDS])
def test_the_tables_are_plain(file: Path) -> None:
    """No carriage return, no quote that a reader could take for syntax, the same columns in each line."""
    text = file.read_bytes().decode("utf-8")
    assert text.endswith("\n")
    assert not {"\r", '"', "\ufeff"} & set(text)
    assert len({line.count("\t") for line in text.splitlines()}) == 1


def test_other_commands_can_read_the_cases() -> None:
    texts = [text for _, text in read_texts(CASES, Choice(is_id_needed=False))]
    assert texts == [case.text for case in read_cases()]
