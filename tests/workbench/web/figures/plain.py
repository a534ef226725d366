"""What a page shows, without what only its looks need."""

import re
from html import unescape

from streamlit.testing.v1 import AppTest

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
