"""A post on screen: the text exactly as written, with hidden characters marked."""

from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.web.elements.visible import Segment, post_html, segments


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
def test_no_text_opens_an_element(text: str) -> None:
    rest = str(post_html(text)).replace('<span class="mark"', "").replace("</span>", "")
    assert "<" not in rest


def test_markup_in_a_post_is_text() -> None:
    assert post_html("<script>\"&'") == "&lt;script&gt;&#34;&amp;&#39;"


PIECES = [
    "[img]",
    "[/img]",
    "<img ",
    ">",
    "![",
    "](",
    ")",
    "[图片]",
    "中文",
    "，",
    "ａ",
    "а",
    "a",
    "\u202e",
    "\n",
]


def kinds(pieces: list[Segment]) -> list[tuple[str, str]]:
    return [(segment.kind, segment.source) for segment in pieces]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)), st.booleans())
def test_the_pieces_of_a_post_make_it_up_again(text: str, has_lookalikes: bool) -> None:
    pieces = segments(text, has_lookalikes=has_lookalikes)
    assert "".join(segment.source for segment in pieces) == text
    assert all(segment.source for segment in pieces)


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)), st.booleans())
def test_only_marks_are_shown_otherwise_than_they_were_written(text: str, has_lookalikes: bool) -> None:
    plain = segments(text)
    pieces = segments(text, has_lookalikes=has_lookalikes)
    assert all(segment.text == segment.source for segment in pieces if segment.kind != "mark")
    assert [each for each in pieces if each.kind in {"mark", "picture"}] == [
        each for each in plain if each.kind != "text"
    ]


def test_a_mark_keeps_what_it_stands_for() -> None:
    mark = segments("a\u202eb")[1]
    assert (mark.kind, mark.source, mark.text) == ("mark", "\u202e", "␣U+202E")
    assert mark.title == "RIGHT-TO-LEFT OVERRIDE"


@pytest.mark.parametrize(
    "picture",
    [
        "[图片]",
        "【图片】",
        "[图片 2]",
        "[Image]",
        "[img]https://e.cn/a.jpg[/img]",
        "[IMG=30,40]a.jpg[/IMG]",
        '<img src="a.jpg"\nalt="图">',
        "![图](https://e.cn/a.jpg)",
        "![](a.jpg)",
    ],
)
def test_the_place_of_a_picture_is_found_and_keeps_its_text(picture: str) -> None:
    assert kinds(segments(f"看{picture}吧")) == [("text", "看"), ("picture", picture), ("text", "吧")]


@pytest.mark.parametrize(
    "text", ["[img]", "图片", "<imgs>", "[图片大全]", "!(a)[b]", "[a](b)", "<b>", "[img]a\n[/img]"]
)
def test_what_only_looks_like_one_is_text(text: str) -> None:
    assert kinds(segments(text)) == [("text", text)]


def test_a_hidden_character_in_a_picture_is_marked() -> None:
    assert [kind for kind, _source in kinds(segments("![a\u202eb](c)"))] == ["text", "mark", "text"]


@pytest.mark.parametrize(
    ("text", "source", "reading"),
    [
        ("加ｗｅchat", "ｗｅ", "we"),
        ("pаypal", "а", "a"),
        ("асе", "асе", "ace"),
        ("ＱＱ群", "ＱＱ", "QQ"),
        ("加①③⑧", "①③⑧", "138"),
        ("𝐕𝐗", "𝐕𝐗", "VX"),
        ("🅰片", "🅰", "A"),
        ("Νｏ", "Νｏ", "No"),
        ("電話１３８", "１３８", "138"),
    ],
)
def test_what_reads_as_something_else_is_found_on_demand(text: str, source: str, reading: str) -> None:
    assert Segment("lookalike", source, reading) in segments(text, has_lookalikes=True)
    assert kinds(segments(text)) == [("text", text)]


@pytest.mark.parametrize(
    "text",
    [
        "今天天气好，一起去吗？「好」——（哈哈）……：；！～",
        "Plain ASCII, 100% of it. O0 l1",
        "一丨口〇々ㄅいアｱ한국",
        "café nǐ hǎo Ünï",
        "привет, сегодня. Ελληνικά",
        "面积 10㎡，25℃，½",
        "😀❤️👨‍👩‍👧",
    ],
)
def test_ordinary_writing_has_no_lookalikes(text: str) -> None:
    assert kinds(segments(text, has_lookalikes=True)) == [("text", text)]


@given(st.text(st.characters(max_codepoint=127) | st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)))
def test_chinese_and_ascii_never_read_as_anything_else(text: str) -> None:
    assert "lookalike" not in {segment.kind for segment in segments(text, has_lookalikes=True)}


@pytest.mark.parametrize("piece", ["[img]", "[img", "<img ", "![", "![](", "[图片", "[img]a", "[图片]x"])
def test_the_longest_text_of_broken_markup_is_cut_whole(piece: str) -> None:
    """A backtracking search would take hours."""
    text = piece * (100_000 // len(piece))
    assert "".join(part.source for part in segments(text, has_lookalikes=True)) == text


@pytest.mark.parametrize("character", "\u034f\ufe0f\U000e0100\u180b\u17b4\u2065\U000e0080")
def test_what_no_font_draws_is_shown_between_letters(character: str) -> None:
    assert f"U+{ord(character):04X}" in post_html(f"加{character}微")


def test_emoji_and_keycaps_keep_their_selector() -> None:
    assert "U+FE0F" not in post_html("❤\ufe0f 1\ufe0f\u20e3")
