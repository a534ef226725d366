"""HTML tables."""

import re
from collections.abc import Iterable, Sequence
from itertools import repeat

from markupsafe import Markup

from workbench.web.elements.markup import NOTHING

Cell = str | int
"""Text is escaped, `Markup` is HTML, a number gets thousands separators."""

_UNQUOTED = re.compile(r'["\\\x00-\x1f<>]')
"""What ends a string of CSS, or is more than text in it."""
HEADING, HEADING_OF_NUMBERS = Markup("<th>{}</th>"), Markup('<th class="number">{}</th>')
NO_HEADING = Markup("<td></td>")
"""An empty heading would be read out as one."""
TEXT, NUMBER = Markup("<td>{}</td>"), Markup('<td class="number">{}</td>')


def table(
    rows: Iterable[Iterable[Cell]],
    headings: Sequence[Cell] = (),
    *,
    has_titles: bool = False,
    has_numbers: bool = False,
    has_text_last: bool = False,
    is_grid: bool = False,
) -> Markup:
    """An HTML table, with a header row if there are headings.

    Args:
        has_titles: the first cell of each row is its heading.
        has_numbers: all columns but the first are right-aligned.
        has_text_last: the last column is not.
        is_grid: a few narrow numbers, read across and down: on a phone too, where rows else become cards.
    """
    others, heading = (NUMBER, HEADING_OF_NUMBERS) if has_numbers else (TEXT, HEADING)
    head = _row(headings, HEADING, heading, HEADING if has_text_last else heading, empty=NO_HEADING)
    first, last = HEADING if has_titles else TEXT, TEXT if has_text_last else others
    return Markup('<table class="{}"{}>{}<tbody>{}</tbody></table>').format(
        "rows grid" if is_grid else "rows",
        NOTHING if is_grid else _columns(headings),
        Markup("<thead>{}</thead>").format(head) if headings else NOTHING,
        NOTHING.join(_row(row, first, others, last) for row in rows),
    )


def spread(rows: Markup) -> Markup:
    """A table as wide as its column."""
    return Markup('<div class="spread">{}</div>').format(rows)


def _columns(headings: Sequence[Cell]) -> Markup:
    """For the style sheet: on a phone a row is a card, on which the name of the column stands before each text."""
    if not headings:
        return NOTHING
    names = (name.striptags() if isinstance(name, Markup) else _text(name) for name in headings)
    quoted = (_UNQUOTED.sub(lambda one: f"\\{ord(one[0]):x} ", name) for name in names)
    return Markup(' style="{}"').format(
        ";".join(f'--column-{at}:"{name}"' for at, name in enumerate(quoted, 1) if name)
    )


def _row(
    cells: Iterable[Cell], first: Markup, others: Markup, last: Markup, *, empty: Markup | None = None
) -> Markup:
    cells = list(cells)
    templates = [first, *repeat(others, len(cells) - 2), last][: len(cells)]
    return Markup("<tr>{}</tr>").format(
        NOTHING.join(
            empty if empty and not cell else template.format(_text(cell))
            for template, cell in zip(templates, cells, strict=True)
        )
    )


def _text(cell: Cell) -> str:
    return f"{cell:,}" if isinstance(cell, int) else cell
