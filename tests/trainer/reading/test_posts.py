"""Nothing in a file is lost without a word: each row is read, or rejected with its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.reading.making import read
from trainer.reading.columns import Choice
from trainer.reading.posts import open_posts
from trainer.reading.rejects import Reject
from trainer.reading.rows import LONGEST_TEXT, Row

KINDS: dict[str, tuple[str, str | None]] = {
    "good": ("{n}\t第{n}条普通的帖子\tx", None),
    "odd separators": ("{n}\t前\u2028中\x85后\x0b\x0c\tx", None),
    "stray quote": ('{n}\t"不关上的引号\tx', None),
    "quotes inside": ('{n}\t他说"好"\tx', None),
    "trailing tabs": ("{n}\t好的\tx\t\t", None),
    "long run of marks": ("{n}\ta" + "\u0316" * 40 + "\tx", None),
    "too few": ("{n}\t少了一列", "columns"),
    "too many": ("{n}\t多\t了\t一列", "columns"),
    "header": ("id\ttext\tboard", "header"),
    "no text": ("{n}\t \tx", "no_text"),
    "null": ("{n}\tNULL\tx", "no_text"),
    "no id": ("\\N\t没有编号\tx", "no_id"),
    "long": ("{n}\t" + "长" * (LONGEST_TEXT + 1) + "\tx", "too_long"),
    "long beside it": ("{n}\t好\t" + "x" * (LONGEST_TEXT + 1), "long_cell"),
}
"""A line, and the code it is rejected with."""


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "utf-16-le"])
@given(
    kinds=st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=25),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    blanks=st.integers(0, 2),
)
def test_every_row_of_every_kind_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, encoding: str, kinds: list[str], end: str, blanks: int
) -> None:
    file = tmp_path_factory.mktemp("mixed") / "posts.tsv"
    rows = [KINDS[kind][0].replace("{n}", str(n)) for n, kind in enumerate(kinds, start=1)]
    lines = [
        *[""] * blanks,
        "id\ttext\tboard",
        "这里有足够多的普通汉字来判断编码\t第一条帖子的正文\tx",
        *rows,
        "",
    ]
    file.write_bytes(end.join(lines).encode(encoding))
    entries = read(file)[1:]
    assert [entry.line for entry in entries] == [blanks + 2 + n for n in range(1, len(kinds) + 1)]
    codes = [entry.code if isinstance(entry, Reject) else None for entry in entries]
    assert codes == [KINDS[kind][1] for kind in kinds]


@given(bad=st.sets(st.integers(0, 199), max_size=2))
def test_lines_with_bad_bytes_are_rejected_and_no_others(
    tmp_path_factory: pytest.TempPathFactory, bad: set[int]
) -> None:
    file = tmp_path_factory.mktemp("bytes") / "posts.tsv"
    rows = [f"{n}\t第{n}条普通的帖子".encode() + b"\xe8" * (n in bad) for n in range(200)]
    file.write_bytes(b"\n".join([b"id\ttext", *rows]))
    rejected = [entry for entry in read(file) if isinstance(entry, Reject)]
    assert [(entry.line, entry.code) for entry in rejected] == [(n + 2, "bytes") for n in sorted(bad)]
    assert [entry.values["place"] for entry in rejected] == [
        len(b"\n".join([b"id\ttext", *rows[: n + 1]])) - 1 for n in sorted(bad)
    ]


def test_facts_are_kept_under_the_names_that_a_person_chose(tmp_path: Path) -> None:
    file = tmp_path / "posts.tsv"
    file.write_text("text\tfid\tx\n一\t数码\t1\n", encoding="utf-8")
    with open_posts(file, Choice(renamed=(("fid", "board"),))) as source:
        assert [*source] == [Row(2, None, "一", {"board": "数码", "x": "1"})]
