"""No text becomes HTML except through the app's own templates."""

import ast
import re
from html import unescape
from pathlib import Path

import pytest
import streamlit
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from workbench.web import elements
from workbench.web.elements.hidden import is_hidden, without_hidden
from workbench.web.elements.markup import each, html, style
from workbench.web.elements.tables import table
from workbench.web.elements.visible import post_html, post_text

HOSTILE = """<script>alert("1")</script> & '2' {0} %s"""
ESCAPED = "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; &amp; &#39;2&#39; {0} %s"
IN_CSS = """\\3c script\\3e alert(\\22 1\\22 )\\3c /script\\3e  &amp; &#39;2&#39; {0} %s"""
WEB = Path(elements.__file__).parents[1]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    bodies: list[str] = []
    monkeypatch.setattr(streamlit, "html", bodies.append)
    return bodies


def test_only_one_function_hands_html_to_streamlit() -> None:
    """It accepts only `Markup` (checked by mypy), and ruff's S704 allows only literals in `Markup`."""
    callers = [
        path.relative_to(WEB).as_posix()
        for path in WEB.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr == "html")
        or (isinstance(node, ast.keyword) and node.arg == "unsafe_allow_html")
    ]
    assert set(callers) == {"elements/markup.py"}


@given(st.text())
def test_a_post_is_sent_on_one_line(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        sent: list[str] = []
        patch.setattr(streamlit, "html", sent.append)
        html(Markup("<p>{}</p>").format(post_html(f"{text}\n  {text}")))
    assert "\n" not in sent[0]
    assert "&#10;" in sent[0]


def test_indentation_and_breaks_of_a_post_reach_the_page(sent: list[str]) -> None:
    html(Markup("<p>{}</p>").format(post_html("  一\n\t二")))
    assert unescape(sent[0]) == "<p>  一\n\t二</p>"


def test_each_value_is_escaped_in_its_template() -> None:
    assert each(Markup("<b>{}</b>"), [HOSTILE, Markup("<i>")]) == f"<b>{ESCAPED}</b><b><i></b>"


def test_a_table_escapes_its_cells_and_headings() -> None:
    assert table([[HOSTILE, Markup("<br>")]], [HOSTILE, ""]) == (
        f'<table class="rows" style="--column-1:&#34;{IN_CSS}&#34;"><thead><tr><th>{ESCAPED}</th><td></td></tr></thead>'
        f"<tbody><tr><td>{ESCAPED}</td><td><br></td></tr></tbody></table>"
    )


def test_a_table_of_numbers_has_titles_and_aligns_the_rest() -> None:
    assert table([["a", 1234, "–"]], ["", "n", "m"], has_titles=True, has_numbers=True) == (
        '<table class="rows" style="--column-2:&#34;n&#34;;--column-3:&#34;m&#34;"><thead><tr><td></td><th class="number">n</th><th class="number">m</th></tr></thead>'
        '<tbody><tr><th>a</th><td class="number">1,234</td><td class="number">–</td></tr></tbody></table>'
    )


def test_a_grid_stays_a_table_on_a_phone_without_names_of_columns() -> None:
    assert table([["a", 1]], ["x", "n"], is_grid=True).startswith('<table class="rows grid"><thead>')


def test_a_table_without_headings_has_rows_of_any_length() -> None:
    assert table([["a"], ["b", "c"]]) == (
        '<table class="rows"><tbody><tr><td>a</td></tr><tr><td>b</td><td>c</td></tr></tbody></table>'
    )


def test_a_grid_offers_no_csv_of_its_own_which_would_hold_formulas() -> None:
    assert re.search(r'\[data-testid="stElementToolbar"\][^{}]*\{ display: none; \}', style())


def test_hidden_characters_of_ids_and_file_names_are_written_out(sent: list[str]) -> None:
    """In texts and in attributes, without another mark around those that are marked already."""
    name = "a\x1b[31m\u202egnp.exe\u200b"
    html(Markup('<b title="{}">{}</b>{}').format(name, name, post_html("\u202e")))
    shown = "a␣U+001B[31m␣U+202Egnp.exe␣U+200B"
    (body,) = sent
    assert body.startswith(f'<b title="{shown}">{shown}</b><span class="mark"')
    assert body.count("U+202E") == 3


@given(st.text())
def test_what_html_shows_hides_nothing(text: str) -> None:
    plain = without_hidden(text)
    assert not any(is_hidden(plain, at) for at in range(len(plain)))
    assert plain == post_text(text)


def test_every_style_sheet_is_sent_after_the_tokens_that_it_is_made_of() -> None:
    sheets = [file.read_text(encoding="utf-8") for file in (WEB / "styles").glob("*.css")]
    assert all(sheet in style() for sheet in sheets)
    assert style().startswith((WEB / "styles" / "tokens.css").read_text(encoding="utf-8"))


def test_only_the_tokens_name_a_colour() -> None:
    """`#fff` and `rgb()` elsewhere would be unreadable in one of the themes; drawings in addresses count as one."""
    for file in (WEB / "styles").glob("*.css"):
        text = re.sub(r'url\("[^"]*"\)', "", file.read_text(encoding="utf-8"))
        assert file.stem == "tokens" or not re.search(r"#[0-9a-f]{3,8}\b|\brgba?\(|\bhsla?\(", text), (
            file.name
        )


def test_no_rule_names_a_class_that_streamlit_does_not_give() -> None:
    """Of a layout's wrapper it gives the test id alone: a rule for the class would style nothing, unseen."""
    assert ".stLayoutWrapper" not in style()
    for key in ('[class*="st-key-dock-"]', ".st-key-apply"):
        assert f'[data-testid="stLayoutWrapper"]:has(> {key}) {{ position: sticky' in style()
