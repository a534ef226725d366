"""Atomic writing: files and folders that are complete or absent."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainer.errors import TrainerError


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `out`; after the block it is synced and renamed to `out`.

    The temporary folder of an interrupted run is deleted first. Raises TrainerError if `out` exists or cannot
    be written.
    """
    refuse_existing(out)
    partial = out.parent / f".{out.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    has_parent = out.parent.exists()
    try:
        partial.mkdir(parents=True)
        yield partial
        for path in sorted(partial.rglob("*")):
            _sync(path)
        publish(partial, out)
        if not has_parent:
            _sync(out.parent.parent)
    except OSError as error:
        raise TrainerError(
            "cannot write {out}: {problem}", out=out, problem=error.strerror or error
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def new_file(final: Path) -> Iterator[Path]:
    """Yield a path beside `final` to write to; when the block succeeds the file takes the name `final`.

    A failure, a kill or a power cut leaves the file that had the name before.
    """
    part = part_of(final)
    try:
        yield part
        publish(part, final)
    finally:
        part.unlink(missing_ok=True)


def write_text(final: Path, text: str) -> None:
    with new_file(final) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def part_of(final: Path) -> Path:
    return final.with_name(f".{final.name}.{os.getpid()}.part")


def publish(part: Path, final: Path) -> None:
    """Rename a written file or folder: after a power cut the new or the old one is complete."""
    _sync(part)
    part.replace(final)
    _sync(final.parent)


def put_in_place(folder: Path, final: Path) -> None:
    shutil.rmtree(final, ignore_errors=True)
    final.parent.mkdir(parents=True, exist_ok=True)
    publish(folder, final)


def refuse_existing(out: Path) -> None:
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise TrainerError("{out} already exists; name a folder that does not", out=out)


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
