"""What a page shows, without what only its looks need."""

import re
from collections.abc import Sequence
from html import unescape
from math import sqrt

from streamlit.testing.v1 import AppTest

Z = 1.959964
ATTRIBUTES = re.compile(r"<(t[dhr]|small)\s[^>]*>")


def plain(app: AppTest) -> str:
    """All HTML of the page; cells of tables without attributes."""
    assert not app.exception
    return ATTRIBUTES.sub(r"<\1>", unescape(" ".join(element.proto.body for element in app.get("html"))))


def rows(html: str) -> list[list[str]]:
    """The cells of all rows of tables, as text."""
    found = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[dh]>(.*?)</t[dh]>", row, re.DOTALL)]
        for row in found
    ]


def share_cell(is_so: Sequence[bool]) -> str:
    """A share with Wilson's interval and the number of posts."""
    n, share = len(is_so), sum(is_so) / len(is_so)
    middle, spread = share + Z**2 / (2 * n), Z * sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    low, high = (max(0, (middle - spread) / (1 + Z**2 / n)), min(1, (middle + spread) / (1 + Z**2 / n)))
    return f"{share:.0%} {low:.0%}–{high:.0%} · {n}"
