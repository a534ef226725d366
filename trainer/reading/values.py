"""JSON values, read more leniently than the standard where that loses nothing."""

import json
from typing import Any

_MOST_DIGITS = 4_000
"""Of a number that is read as one; Python refuses longer ones."""


class RepeatedKey(dict[str, Any]):
    """An object that names one key twice: which value counts is not defined."""

    key: str


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else _repeated(pairs)


def _repeated(pairs: list[tuple[str, Any]]) -> RepeatedKey:
    value = RepeatedKey()
    for key, cell in pairs:
        if key in value:
            value.key = key
        value[key] = cell
    return value


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) < _MOST_DIGITS else digits


def _constant(_name: str) -> None:
    """NaN and Infinity are no values, as in a table."""


DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_whole,
    parse_constant=_constant,
    strict=False,  # control characters inside strings
)
