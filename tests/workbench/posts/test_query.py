"""A query is words and phrases; the places of the words are parts of the text that read as them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.texts.normalisation import normalise
from workbench.posts.query import contains, excerpt, places, words_of


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", []),
        (" \u3000 ", []),
        ("微信", ["微信"]),
        ("微信 红包", ["微信", "红包"]),
        ("ＶＸ vx", ["vx"]),
        ('"加 微信" 领', ["加微信", "领"]),
        ("“加 微信”", ["加微信"]),
        ("「加 微信」", ["加微信"]),
        ('"加 微信', ['"加', "微信"]),
        ('""', []),
        ("a" * 300, ["a" * 200]),
    ],
)
def test_blanks_separate_words_and_quotes_hold_a_phrase_together(query: str, words: list[str]) -> None:
    assert words_of(query) == [normalise(word) for word in words]


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("加我微信，领红包", "微信 红包", ["微信", "红包"]),
        ("加微\u200b信", "微信", ["微\u200b信"]),
        ("加ＶＸ号", "vx", ["ＶＸ"]),
        ("微信信", "微信 信信", ["微信信"]),
        ("微微微", "微", ["微微微"]),
        ("没有", "微信", []),
        ("微信", "", []),
    ],
)
def test_the_places_are_the_parts_of_the_text_that_read_as_the_words(
    text: str, query: str, expected: list[str]
) -> None:
    assert [text[start:end] for start, end in places(text, words_of(query))] == expected


def test_an_excerpt_is_cut_around_the_first_word() -> None:
    text = f"{'前' * 300}微信{'后' * 300}"
    assert excerpt(text, ["微信"], 80) == f"…{'前' * 20}微信{'后' * 58}…"
    assert excerpt(text, [], 80) == f"{'前' * 80}…"
    assert excerpt("一\n 二", ["微信"], 80) == "一 二"
    assert excerpt(f"{'前' * 60}微信", ["微信"], 80, ahead=40) == f"…{'前' * 10}微信"


@given(st.text(max_size=40), st.text(max_size=20))
def test_places_lie_in_the_text_in_order_without_overlap(text: str, query: str) -> None:
    spans = places(text, words_of(query))
    ends = [end for span in spans for end in span]
    assert ends == sorted(ends)
    assert all(0 <= start < end <= len(text) for start, end in spans)


@given(st.lists(st.text("微信红包加我", min_size=1, max_size=3), min_size=1, max_size=4), st.randoms())
def test_a_text_of_the_words_in_any_order_matches(words: list[str], rng: object) -> None:
    shuffled = words[:]
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    text = "，".join(shuffled)
    assert contains(text, words_of(" ".join(words)))
    assert places(text, words_of(" ".join(words)))
