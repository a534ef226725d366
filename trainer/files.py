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
        _sync(partial)
        partial.rename(out)
        _sync(out.parent)
        if not has_parent:
            _sync(out.parent.parent)
    except OSError as error:
        raise TrainerError(
            "cannot write {out}: {problem}", out=out, problem=error.strerror or error
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def publish(part: Path, final: Path) -> None:
    """Rename a written file: after a power cut the new or the old file is complete."""
    _sync(part)
    part.replace(final)
    _sync(final.parent)


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
