"""Labels of other people's files by name: their spelling, and the map onto ours."""

import re
import unicodedata
from collections.abc import Mapping

from trainer.labels import LABELS
from trainer.messages import Message
from workbench.errors import InputError

CHINESE = dict(zip(("正常", "疑似", "违规"), LABELS, strict=True))
LEFT_OUT = "-"
"""Target in a label map for lines to leave out."""
_WHOLE = re.compile(r"([+-]?\d+)\.0+", re.ASCII)


def label_key(name: str) -> str:
    """The name without case, width and spaces; a whole number has no decimals."""
    key = "".join(unicodedata.normalize("NFKC", name).casefold().split())
    return key if (whole := _WHOLE.fullmatch(key)) is None else whole[1]


def parse_map(text: str | None) -> dict[str, str]:
    """A map by `label_key`, such as `删除=violation,通过=normal,警告=-`, to our label names; `-` leaves such lines out.

    Raises InputError for anything else.
    """
    ours_of = dict(zip(LABELS, LABELS, strict=True)) | CHINESE
    given: dict[str, str] = {}
    for pair in filter(None, re.split("[,，]", text or "")):
        theirs, separator, ours = (part.strip() for part in pair.rpartition("="))
        target = LEFT_OUT if ours == LEFT_OUT else ours_of.get(label_key(ours))
        if not separator or not theirs or target is None:
            raise InputError(
                "--map {pair}: write theirs=ours, where ours is one of {labels}, or - to leave such lines out.",
                pair=pair,
                labels=", ".join(LABELS),
            )
        if given.setdefault(label_key(theirs), target) != target:
            raise InputError(
                "--map gives {name} two labels. Capitals, width and spaces do not tell names apart.",
                name=theirs,
            )
    return ours_of | given


def label_name(value: object) -> str | Message | None:
    """The text of a label, None for no label; a list of one stands for its element."""
    if isinstance(value, list | tuple):
        return _only([name for name in map(label_name, value) if name is not None])
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - not a number stands for a missing value
        return None
    if isinstance(value, str | int | float):
        return str(value).strip() or None
    return None if value is None else Message("the label is neither a name nor a number")


def ours(name: str, mapping: Mapping[str, str]) -> str | None:
    return mapping.get(label_key(name))


def quoted(name: str) -> str:
    return repr(name[:40])


def _only(names: list[str | Message]) -> str | Message | None:
    if len(set(map(str, names))) < 2:
        return names[0] if names else None
    labels = ", ".join(quoted(str(name)) for name in names[:3])
    return Message("{count} labels, where a post has one: {labels}", count=len(names), labels=labels)
