"""A spelling counts as a disguise if it stands where the word stands, and not because it sounds like it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workbench.making import different_texts
from trainer.texts.contexts import LEAST_EVIDENCE, Contexts
from trainer.texts.variants import Variant

FILLERS = different_texts(160)
ADVERTS = [f"{text}加我微信看图{text[::-1]}" for text in FILLERS[:40]]
NEW = [f"{text}加我薇信看图" for text in FILLERS[40:50]]
ORDINARY = [f"{text}他在村里有威信吗{text[::-1]}" for text in FILLERS[50:70]]
SOUND, LOOK, LETTERS = (
    Variant("薇信", "微信", "sound"),
    Variant("微-信", "微信", "look"),
    Variant("vx", "微信", "letters"),
)
WORD_OF_ITS_OWN = Variant("威信", "微信", "sound")


@pytest.fixture
def contexts() -> Contexts:
    return Contexts([*ADVERTS, *NEW, *ORDINARY, *FILLERS[70:]], np.random.default_rng(1))


@pytest.mark.parametrize(
    ("variant", "text"),
    [(SOUND, "加我薇信看图"), (LOOK, "加 我微-信看图"), (LETTERS, "加我ＶＸ看图")],
)
def test_a_spelling_in_the_contexts_of_the_word_has_evidence(
    contexts: Contexts, variant: Variant, text: str
) -> None:
    assert contexts.evidence(variant, [text]) > LEAST_EVIDENCE


def test_a_spelling_in_other_contexts_has_none(contexts: Contexts) -> None:
    assert contexts.evidence(SOUND, [text.replace("威信", "薇信") for text in ORDINARY]) < 0


def test_a_word_of_the_dictionary_needs_more_than_a_spelling_without_a_meaning(contexts: Contexts) -> None:
    texts = [text.replace("薇信", "威信") for text in NEW]
    assert contexts.evidence(SOUND, NEW) - contexts.evidence(WORD_OF_ITS_OWN, texts) == pytest.approx(3)


def test_copies_of_a_context_count_once(contexts: Contexts) -> None:
    assert contexts.evidence(SOUND, NEW[:1] * 9) == contexts.evidence(SOUND, NEW[:1])


def test_letters_inside_other_letters_are_no_occurrence(contexts: Contexts) -> None:
    assert contexts.evidence(LETTERS, ["加我avxb看图"]) == 0


def test_the_spellings_with_evidence_come_in_its_order_and_the_others_are_left_out(
    contexts: Contexts,
) -> None:
    spellings = {WORD_OF_ITS_OWN: ORDINARY, LETTERS: ["加我vx领"], SOUND: ["加我薇信看图"]}
    evident = contexts.evident(spellings)
    assert list(evident) == [SOUND, LETTERS]
    assert list(evident.values()) == sorted(evident.values(), reverse=True)


def test_without_texts_nothing_has_evidence() -> None:
    assert Contexts([], np.random.default_rng(1)).evident({SOUND: ["加我薇信"]}) == {}


@given(st.lists(st.text(max_size=30), max_size=8), st.lists(st.text(max_size=30), max_size=4))
def test_any_texts_have_a_finite_evidence(sample: list[str], texts: list[str]) -> None:
    contexts = Contexts(sample, np.random.default_rng(1))
    for variant in (SOUND, LOOK, LETTERS):
        assert np.isfinite(contexts.evidence(variant, [*texts, f"加{variant.written}"]))
