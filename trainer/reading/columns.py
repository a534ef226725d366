"""The columns of a file: their names, and which of them hold the id, the text and the label."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import DatasetError
from trainer.reading.formats import Format, format_of

TEXT_NAMES = (
    *("text", "content", "body", "post", "message", "comment", "posttext", "postcontent", "postbody"),
    *("正文", "内容", "文本", "帖子内容", "帖子正文", "帖文", "发帖内容", "评论", "评论内容", "消息"),
)
ID_NAMES = (
    *(
        "id",
        "postid",
        "帖子id",
        "pid",
        "msgid",
        "messageid",
        "commentid",
        "contentid",
        "textid",
        "guid",
        "uuid",
    ),
    *("编号", "帖子编号", "帖子号", "帖号", "评论id", "内容id", "消息id"),
)
"""In order of precedence."""
_SPELLED = (
    *ID_NAMES,
    *(name.removesuffix("id") + mark + "id" for name in ID_NAMES for mark in "_ " if name > "id"),
)
OTHER_IDS = frozenset(
    spell(name) for name in _SPELLED for spell in (str, str.upper, str.title, str.capitalize)
)
"""Cells that name the column of the id in a second header."""
LABEL_NAMES = ("label", "labels", "标签", "类别", "标注", "标记", "分类", "category", "class")
"""All names in lower case, without spaces, hyphens and underscores."""
THREAD = "tid"
"""Number of a thread: it identifies a post only in a file without other columns than text and label."""
MOST_COLUMNS = 200
LONGEST_NAME = 40
"""A longer cell of the first line is a text, not the name of a column."""
_SPACING = re.compile(r"[\s_\-‐-―.]+|[\u200b-\u200f\ufeff]")
_SENTENCE = re.compile(r"[，。！？；…!?]|\w\s+\w+\s+\w+\s+\w|://")
_DATA = frozenset(
    [
        "normal",
        "suspicious",
        "violation",
        "spam",
        "ham",
        "safe",
        "offensive",
        "正常",
        "疑似",
        "违规",
        "true",
        "false",
    ]
)


@dataclass(frozen=True)
class Columns:
    """Columns of a file. `text` is empty if there is no text column; all columns but text and id are facts."""

    names: tuple[str, ...]
    text: str
    id: str | None
    label: str | None = None


@dataclass(frozen=True)
class Choice:
    """How to read a file; None leaves it to the file."""

    text_column: str | None = None
    id_column: str | None = None
    """Empty: the file has no id, its texts stand for it."""
    label_column: str | None = None
    encoding: str | None = None
    is_quoted: bool | None = None
    is_text_needed: bool = True
    """False if the id alone may identify a row; its text is then empty."""
    is_id_needed: bool = True
    """False if an empty id is none, where there is a text."""
    is_label_needed: bool = False
    sheet: str | None = None
    """Of a workbook with several that hold something."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Columns beside the text, and the names under which their cells are kept."""

    @property
    def columns(self) -> set[str | None]:
        return {self.text_column, self.id_column, self.label_column}


def columns_of(path: Path, names: Sequence[str], choice: Choice) -> Columns:
    """`names` are not empty and occur once. Raises DatasetError if a column is missing or may be one of several."""
    label = _chosen(names, choice.label_column) or guess_label(names)
    if (choice.label_column and label is None) or (choice.is_label_needed and label is None):
        raise _no_column(path, names, choice.label_column or "label", "--label-column")
    identity = _identity(path, names, choice)
    text = _text(path, names, choice, has_id=bool(identity))
    if identity == text:
        raise DatasetError("{file}: {name} cannot be both the text and the id.", file=path, name=text)
    return Columns(tuple(names), text, identity, label)


def guess_text(names: Sequence[str]) -> str | None:
    """The column called `text`, else the only one with another usual name; None if there are several or none."""
    exact = [name for name in names if plain(name) == TEXT_NAMES[0]]
    usual = exact or [name for name in names if plain(name) in TEXT_NAMES]
    return usual[0] if len(usual) == 1 else None


def guess_id(names: Sequence[str]) -> str | None:
    if "id" in names:
        return "id"
    usual = {plain(name): name for name in reversed(names)}
    ranked = (usual[name] for name in ID_NAMES if name in usual)
    return next(ranked, usual.get(THREAD) if set(usual) <= {THREAD, *TEXT_NAMES, *LABEL_NAMES} else None)


def guess_label(names: Sequence[str]) -> str | None:
    if "label" in names:
        return "label"
    usual = [name for name in names if plain(name) in LABEL_NAMES]
    return usual[0] if len(usual) == 1 else None


def plain(name: str) -> str:
    """A name without case, width, spaces, hyphens and underscores."""
    return _SPACING.sub("", unicodedata.normalize("NFKC", name[: LONGEST_NAME * 2])).casefold()


def checked_header(path: Path, cells: Sequence[str], choice: Choice) -> tuple[str, ...]:
    """The names of the columns, in their places; those without a name are empty.

    Raises DatasetError if there are too many, if two have one name, or if the line is a row and no header.
    """
    if len(cells) > MOST_COLUMNS:
        raise DatasetError(
            "{file} has {found} columns; at most {most} are read.",
            file=path,
            found=len(cells),
            most=MOST_COLUMNS,
        )
    names = tuple(" ".join(cell.strip("\ufeff").split()) for cell in cells)
    if _is_row(names) and not choice.columns & set(names):
        raise DatasetError(
            "{file}: its first line is a row ({start}), not the names of the columns. "
            "Put a line such as id, text above it.",
            file=path,
            start=_listed(names)[:LONGEST_NAME],
        )
    counts = Counter(filter(None, names))
    doubled = [name for name, count in counts.items() if count > 1]
    if doubled:
        raise DatasetError(
            "{file} has two columns called {name}. Rename one.", file=path, name=_listed([min(doubled)])
        )
    return names


def unnamed(path: Path, places: Sequence[int], line: int) -> DatasetError:
    """Of columns without a name that hold something in a line."""
    if len(places) == 1:
        return DatasetError(
            "{file}: column {columns} has no name, but it is not empty in line {line}. Name it in the first line, or remove it.",
            file=path,
            columns=places[0] + 1,
            line=line,
        )
    return DatasetError(
        "{file}: columns {columns} have no name, but they are not empty in line {line}. Name them in the first line, or remove them.",
        file=path,
        columns=", ".join(str(place + 1) for place in places),
        line=line,
    )


def late_header(path: Path, line: int, names: Sequence[str]) -> DatasetError:
    """Of a file whose columns are not named by its first line."""
    return DatasetError(
        "{file}: its columns are named in line {line} ({found}), not in its first line. Remove the lines above it.",
        file=path,
        line=line,
        found=_listed(names)[:200],
    )


def is_header(cells: Sequence[str]) -> bool:
    """Whether the cells are at least two usual names, of which one is that of a text."""
    known = [plain(cell) for cell in cells if is_known(cell)]
    return len(known) > 1 and any(name in TEXT_NAMES for name in known)


def is_known(name: str) -> bool:
    return plain(name) in _KNOWN


_KNOWN = frozenset((*TEXT_NAMES, *ID_NAMES, *LABEL_NAMES, THREAD))


def _identity(path: Path, names: Sequence[str], choice: Choice) -> str | None:
    if choice.id_column is None:
        return guess_id(names)
    if not choice.id_column:
        return None
    chosen = _chosen(names, choice.id_column)
    if chosen is None:
        raise _no_column(path, names, choice.id_column, "--id-column")
    return chosen


def _text(path: Path, names: Sequence[str], choice: Choice, *, has_id: bool) -> str:
    text = _chosen(names, choice.text_column) if choice.text_column else guess_text(names)
    if text is not None:
        return text
    several = [name for name in names if plain(name) in TEXT_NAMES]
    if not choice.text_column and several:
        raise DatasetError(
            "{file}: its text may be in any of the columns {found}. Name one with --text-column.",
            file=path,
            found=_listed(several),
        )
    if has_id and not choice.is_text_needed and not choice.text_column:
        return ""
    raise _no_column(path, names, choice.text_column or "text", "--text-column")


def _chosen(names: Collection[str], name: str | None) -> str | None:
    """The column of a given name, else the only one that differs in case, width or spacing."""
    if not name or name in names:
        return name or None
    alike = [other for other in names if plain(other) == plain(name)]
    return alike[0] if len(alike) == 1 else None


def _no_column(path: Path, names: Sequence[str], name: str, option: str) -> DatasetError:
    values = {"file": path, "name": name, "found": _listed(names)[:200], "option": option}
    if len(names) == 1 and format_of(path) in {Format.TSV, Format.TEXT}:
        return DatasetError(
            "{file} has no column {name}; its columns are: {found}. It has no tab: is it tab-separated, and does its "
            "first line name the columns? Name yours with {option}.",
            **values,
        )
    return DatasetError(
        "{file} has no column {name}; its columns are: {found}. Name yours with {option}.", **values
    )


def _listed(names: Sequence[str]) -> str:
    """For a terminal, which would obey control characters."""
    return "".join(character if character.isprintable() else " " for character in ", ".join(names)[:1000])


def _is_row(names: Sequence[str]) -> bool:
    """No usual name, and a cell that is no name: a number, a label or a sentence."""
    if any(map(is_known, names)):
        return False
    return any(
        len(name) > LONGEST_NAME
        or name.isdecimal()
        or name.casefold() in _DATA
        or _SENTENCE.search(name) is not None
        for name in names
    )
