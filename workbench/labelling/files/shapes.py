"""The format of a JSON label file, by the shape of its first object."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from trainer.messages import Message
from workbench.labelling.files.formats import argilla, label_studio, own_export, plain
from workbench.labelling.files.rows import Names, Stated

Read: TypeAlias = Callable[[Mapping[str, Any], Names], Stated | Message | None]

_SHAPES: tuple[tuple[Callable[[Mapping[str, Any]], bool], Read], ...] = (
    (label_studio.is_full, label_studio.read_full),
    (label_studio.is_flat, label_studio.read_flat),
    (argilla.is_nested, argilla.read_nested),
    (argilla.is_flat, argilla.read_flat),
    (own_export.is_read_here, own_export.read),
)


def reader_of(first: object) -> Read:
    if not isinstance(first, dict):
        return plain.read
    return next((read for is_read_here, read in _SHAPES if is_read_here(first)), plain.read)
