"""Remove lines from exported JSONL and record it in the receipt.

The receipt announces the replacements before the files are replaced and records them afterwards, so an interrupted
redaction can be repeated without losing a count. The receipt keeps the former SHA-256, which cards may name.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.files import new_file, part_of, publish, sha256_of, write_json
from trainer.labels import LABELS
from workbench.exports.jsonl import SPLITS

RECEIPT = "receipt.json"
IsGone = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Redacted:
    """A file rewritten without some of its lines, not published yet."""

    name: str
    lines: int
    """Number of lines removed."""
    facts: Mapping[str, Any]
    """The new entry of the file in the receipt."""


def count_lines(folder: Path, is_gone: IsGone) -> dict[str, int]:
    counts = {file.name: sum(is_gone(json.loads(line)) for line in _lines(file)) for file in _files(folder)}
    return {name: count for name, count in counts.items() if count}


def redact(folder: Path, is_gone: IsGone, *, criterion: str, at: str) -> int:
    """Returns the number of lines removed."""
    receipt = _read_receipt(folder)
    _settle(folder, receipt)
    parts = [part for file in _files(folder) if (part := _write_part(file, is_gone)) is not None]
    if not parts:
        return 0
    files = receipt.setdefault("files", {})
    receipt["purging"] = [
        {
            "file": part.name,
            "lines": part.lines,
            "sha256_before": files.get(part.name, {}).get("sha256"),
            "criterion": criterion,
            "at": at,
            "facts": dict(part.facts),
        }
        for part in parts
    ]
    _write_receipt(folder, receipt)
    for part in parts:
        publish(part_of(folder / part.name), folder / part.name)
    _settle(folder, receipt)
    return sum(part.lines for part in parts)


def has_lost_lines(folder: Path, criterion: str) -> bool:
    entries = _read_receipt(folder).get("purged", [])
    return any(entry["criterion"] == criterion and entry["file"] != "test.jsonl" for entry in entries)


def _settle(folder: Path, receipt: dict[str, Any]) -> None:
    """Record the announced replacements that took place and drop the others."""
    if "purging" not in receipt:
        return
    for entry in receipt.pop("purging"):
        facts = entry.pop("facts")
        if sha256_of(folder / entry["file"]) == facts["sha256"]:
            receipt["files"][entry["file"]] = facts
            receipt.setdefault("purged", []).append(entry)
    _write_receipt(folder, receipt)


def _write_part(file: Path, is_gone: IsGone) -> Redacted | None:
    """Write the remaining lines beside the file; None if no line is removed."""
    part, removed, counts = part_of(file), 0, Counter[str]()
    with part.open("w", encoding="utf-8") as stream:
        for line in _lines(file):
            record = json.loads(line)
            if is_gone(record):
                removed += 1
                continue
            counts[record["label"]] += 1
            stream.write(line + "\n")
    if not removed:
        part.unlink()
        return None
    facts = {
        "rows": counts.total(),
        "labels": {name: counts[name] for name in LABELS},
        "sha256": sha256_of(part),
    }
    return Redacted(file.name, removed, facts)


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]


def _files(folder: Path) -> list[Path]:
    return [file for split in SPLITS if (file := folder / f"{split}.jsonl").is_file()]


def _read_receipt(folder: Path) -> dict[str, Any]:
    file = folder / RECEIPT
    receipt: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return receipt


def _write_receipt(folder: Path, receipt: Mapping[str, Any]) -> None:
    with new_file(folder / RECEIPT) as part:
        write_json(part, receipt)
