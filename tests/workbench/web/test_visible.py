"""A post as HTML: exactly what was written, and what hides in it."""

from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.web.visible import post_html


@pytest.mark.parametrize("text", ["你好 <b>&amp;", "  a\n\tb", "![x](http://e)", "👨‍👩‍👧 ❤️", "e\u0301"])
def test_ordinary_text_is_only_escaped(text: str) -> None:
    assert unescape(post_html(text)) == text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("a\u202eb", "202E"),
        ("a\u200bb", "200B"),
        ("a\ufeffb", "FEFF"),
        ("a\x07b", "0007"),
        ("a\u2028b", "2028"),
        ("a\u200db", "200D"),
        ("a\u3164b", "3164"),
        ("a\U000e0041b", "E0041"),
    ],
)
def test_what_cannot_be_seen_carries_its_number(text: str, number: str) -> None:
    html = post_html(text)
    assert html.startswith('a<span class="mark" title="')
    assert html.endswith(f'">␣U+{number}</span>b')


@given(st.text())
def test_no_text_opens_an_element_or_breaks_the_line(text: str) -> None:
    rest = post_html(text).replace('<span class="mark"', "").replace("</span>", "")
    assert "<" not in rest
    assert "\n" not in rest
