"""Types of values that were read from JSON: a dataclass is built from them without a check."""

import math
from dataclasses import fields
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints


def refuse_wrong_kinds(made: Any) -> None:
    """Raises TypeError for the first field of a dataclass whose value does not fit its annotation."""
    hints = get_type_hints(type(made))
    for field in fields(made):
        if not _fits(getattr(made, field.name), hints[field.name]):
            raise TypeError(f"{field.name} has a value of the wrong kind")


def _fits(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    if kind is float:
        return _is_finite(value)
    arguments = get_args(kind)
    match get_origin(kind):
        case None:
            return isinstance(value, kind) and not isinstance(value, bool)
        case origin if origin is UnionType:
            return any(_fits(value, one) for one in arguments)
        case origin if origin is dict:
            return isinstance(value, dict) and all(
                _fits(name, arguments[0]) and _fits(one, arguments[1]) for name, one in value.items()
            )
        case origin if origin is tuple:
            return isinstance(value, tuple) and all(_fits(one, arguments[0]) for one in value)
    return True


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
