"""Posts with their invisible characters marked, cut into segments."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, pairwise
from typing import Literal

from markupsafe import Markup, escape

from trainer.texts.characters import Table, reads_as
from workbench.web.elements.hidden import is_hidden, written
from workbench.web.elements.markup import NOTHING

HIGHLIGHT = Markup("<mark>{}</mark>")
# Each alternative stops at the next opening bracket, so the time stays linear in the text.
_PICTURE = re.compile(
    r"\[img\b[^\[\]\n]*\][^\[\n]*\[/img\]"
    r"|[\[【](?:图片|配图|image|picture|pic)\s*\d*[\]】]"
    r"|<img\b[^<>]*>"
    r"|!\[[^\[\]\n]*\]\([^()\n]*\)",
    re.ASCII | re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff]+")
"""Runs of letters, other than those of Chinese, Japanese and Korean."""
_READ = Table(reads_as)


@dataclass(frozen=True)
class Segment:
    """A part of a post. The sources of all segments, joined, are the post.

    `title` is the Unicode name of a mark, or the plain letters and digits that a look-alike reads as.
    """

    kind: Literal["text", "mark", "picture", "lookalike"]
    source: str
    title: str = ""

    @property
    def text(self) -> str:
        return written(self.source) if self.kind == "mark" else self.source


def segments(text: str, *, has_lookalikes: bool = False) -> list[Segment]:
    """The post as text, a mark for each invisible character, and placeholders of pictures.

    Args:
        has_lookalikes: also cut out characters that read as other letters or digits.
    """
    # Marks come first: a placeholder with an invisible character in it is no picture.
    parts = _cut(_marks(text), _pictures)
    return list(_cut(parts, _lookalikes) if has_lookalikes else parts)


def post_html(text: str, highlighted: Sequence[tuple[int, int]] = ()) -> Markup:
    """Escaped text in which control, formatting and blank characters are marks with their code point.

    Bidirectional controls thereby lose their effect.

    Args:
        highlighted: parts to highlight as [start, end), in order and without overlap.
    """
    return NOTHING.join(
        HIGHLIGHT.format(_segment_html(part)) if is_highlighted else _segment_html(part)
        for part, is_highlighted in _parts(segments(text), highlighted)
    )


def post_text(text: str) -> str:
    """`post_html` for elements that show plain text."""
    return "".join(segment.text for segment in segments(text))


def _parts(
    parts: Iterable[Segment], highlighted: Sequence[tuple[int, int]]
) -> Iterator[tuple[Segment, bool]]:
    """The segments cut at the ends of the highlighted parts."""
    ends = sorted({end for span in highlighted for end in span})
    at = 0
    for part in parts:
        cuts = [at, *(end for end in ends if at < end < at + len(part.source)), at + len(part.source)]
        for start, end in pairwise(cuts):
            source = part.source[start - at : end - at]
            yield replace(part, source=source), any(first <= start < last for first, last in highlighted)
        at += len(part.source)


def _segment_html(segment: Segment) -> Markup:
    if segment.kind == "mark":
        return Markup('<span class="mark" title="{}">{}</span>').format(segment.title, segment.text)
    return escape(segment.text)


def _cut(parts: Iterable[Segment], cut: Callable[[str], Iterable[Segment]]) -> Iterator[Segment]:
    return chain.from_iterable(cut(part.source) if part.kind == "text" else (part,) for part in parts)


def _marks(text: str) -> Iterator[Segment]:
    start = 0
    for at, character in enumerate(text):
        if is_hidden(text, at):
            yield from _text(text[start:at])
            yield Segment("mark", character, unicodedata.name(character, ""))
            start = at + 1
    yield from _text(text[start:])


def _pictures(text: str) -> Iterator[Segment]:
    start = 0
    for picture in _PICTURE.finditer(text):
        yield from _text(text[start : picture.start()])
        yield Segment("picture", picture[0])
        start = picture.end()
    yield from _text(text[start:])


def _lookalikes(text: str) -> Iterator[Segment]:
    readings = [_READ[ord(character)] for character in text]
    for word in _WORD.finditer(text):
        if _is_of_another_script(word[0]):
            readings[word.start() : word.end()] = [""] * len(word[0])
    for is_read, run in groupby(zip(text, readings, strict=True), key=lambda pair: bool(pair[1])):
        source, title = ("".join(side) for side in zip(*run, strict=True))
        yield Segment("lookalike", source, title) if is_read else Segment("text", source)


def _is_of_another_script(word: str) -> bool:
    """As Russian and Greek words are: some letter has no Latin reading, and none is Latin."""
    return any(not _READ[ord(letter)] for letter in word) and not any(map(_is_latin, word))


def _is_latin(letter: str) -> bool:
    return "LATIN" in unicodedata.name(letter, "")


def _text(source: str) -> Iterator[Segment]:
    if source:
        yield Segment("text", source)
