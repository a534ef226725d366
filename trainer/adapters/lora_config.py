"""adapter_config.json of an adapter: only what our trainer writes is accepted.

peft builds what the file states. A pattern as `target_modules` can take for ever to match, ranks by pattern can exhaust the
memory, and other settings name modules that are imported.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trainer.adapters.card import Card
from trainer.config import ALL_LINEAR
from trainer.errors import AdapterError

ADAPTER_CONFIG = "adapter_config.json"
HEADS = ("pooler", "pre_classifier", "classifier", "score")
"""Modules above the encoder, by their names in transformers; trained fully and not through LoRA."""
MOST_BYTES = 1_000_000
MOST_MODULES = 5_000
LONGEST_TEXT = 4_096
EMPTY: tuple[Any, ...] = (None, False, "", [], {})
_MODULE = re.compile(r"[A-Za-z0-9_]{1,100}(?:\.[A-Za-z0-9_]{1,100}){0,20}")
_FIXED: Mapping[str, Any] = MappingProxyType(
    {
        "peft_type": "LORA",
        "task_type": "SEQ_CLS",
        "bias": "none",
        "inference_mode": True,
        "init_lora_weights": True,
        "megatron_core": "megatron.core",
        "qalora_group_size": 16,
    }
)
"""Settings with one value. All that are neither here nor checked below must be empty."""
_CHECKED = frozenset(
    {
        "r",
        "lora_alpha",
        "lora_dropout",
        "target_modules",
        "modules_to_save",
        "base_model_name_or_path",
        "peft_version",
    }
)


def check_lora_config(folder: Path, card: Card) -> None:
    """Raises AdapterError unless the file holds the LoRA of the card, in the form in which our trainer writes it."""
    path = folder / ADAPTER_CONFIG
    values = _read(path)
    if wrong := _wrong_setting(values, card):
        raise AdapterError(
            "{path}: {setting} is not as our trainer writes it for this card; restore the file or train again",
            path=path,
            setting=wrong[:100],
        )


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"larger than {MOST_BYTES:,} bytes")
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise TypeError("no object")
    except (ValueError, TypeError, RecursionError) as error:
        raise AdapterError(
            "{path}: not readable ({error}); restore it or train again", path=path, error=error
        ) from error
    return values


def _wrong_setting(values: Mapping[str, Any], card: Card) -> str | None:
    for name in _CHECKED - {"base_model_name_or_path", "peft_version"} - values.keys():
        return name
    for name, value in values.items():
        if not _is_ours(name, value, card):
            return name
    return None


def _is_ours(name: str, value: Any, card: Card) -> bool:
    match name:
        case "r":
            return _is_same(value, card.config.rank)
        case "lora_alpha":
            return _is_number(value, card.config.alpha)
        case "lora_dropout":
            return _is_number(value, card.config.dropout)
        case "target_modules":
            return bool(value == ALL_LINEAR) or _are_modules(value)
        case "modules_to_save":
            return (
                isinstance(value, list)
                and len(value) <= 2 * len(HEADS)
                and all(head in HEADS for head in value)
            )
        case "base_model_name_or_path" | "peft_version":
            return value is None or (isinstance(value, str) and len(value) <= LONGEST_TEXT)
    return _is_same(value, _FIXED[name]) if name in _FIXED else any(_is_same(value, one) for one in EMPTY)


def _is_number(value: Any, expected: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == expected


def _is_same(value: Any, expected: Any) -> bool:
    """Unlike `==`, which takes 0 for False."""
    return type(value) is type(expected) and bool(value == expected)


def _are_modules(value: Any) -> bool:
    """A list of names. peft would read a text as a pattern."""
    return (
        isinstance(value, list)
        and 0 < len(value) <= MOST_MODULES
        and all(isinstance(name, str) and _MODULE.fullmatch(name) for name in value)
    )
