"""The token store: every prepared post as token ids, tokenised once and scored by every round.

There is one folder per tokenizer. Its files are named after their first and last post; the newest one grows by being
written again under a new name.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from db.queries.preparing import prepared_texts
from trainer.files import new_file
from trainer.texts.tokens import Tokens, read_tokens, select, write_tokens
from workbench.project import Project

AT_ONCE = 20_000
FILE_POSTS = 200_000
"""Posts per file; ten million posts are fifty files of about 16 MB."""
STORES_KEPT = 2
"""The stores of champion and challenger; older ones are deleted, and built again on demand."""


@dataclass(frozen=True)
class TokenStore:
    folder: Path

    def files(self) -> list[Path]:
        """By post number, without files that a longer one has replaced."""
        chain: list[Path] = []
        for file in sorted(self.folder.glob("*.arrow"), key=lambda file: (_first(file), -_last(file))):
            if not chain or _last(file) > _last(chain[-1]):
                chain.append(file)
        return chain

    def last(self) -> int:
        return max(map(_last, self.files()), default=0)

    def after(self, post_id: int) -> tuple[list[Path], NDArray[np.int64], NDArray[np.int64]]:
        """Files with posts above this number, the numbers of those posts, and their positions in the joined files."""
        files = [file for file in self.files() if _last(file) > post_id]
        ids = np.concatenate([np.empty(0, np.int64), *(read_tokens(file)[0] for file in files)])
        places = np.flatnonzero(ids > post_id)
        return files, ids[places], places

    def append(self, post_ids: NDArray[np.int64], tokens: Tokens) -> None:
        """Add posts, all of which come after `last`, atomically."""
        newest = self.files()[-1:]
        if newest and len(stored := read_tokens(newest[0])[0]) + len(post_ids) <= FILE_POSTS:
            post_ids = np.concatenate([stored, post_ids])
            tokens = Tokens.joined([read_tokens(newest[0])[1], tokens])
        else:
            newest = []
        self._write(post_ids, tokens)
        for file in newest:
            file.unlink(missing_ok=True)

    def forget(self, post_ids: NDArray[np.int64]) -> int:
        """Remove these posts; returns their number. It can be repeated after an interruption."""
        removed = 0
        for file in self.folder.glob("*.arrow"):
            if not ((post_ids >= _first(file)) & (post_ids <= _last(file))).any():
                continue
            stored, tokens = read_tokens(file)
            stays = np.flatnonzero(~np.isin(stored, post_ids))
            removed += len(stored) - len(stays)
            if len(stays) == len(stored):
                continue
            # Named after the remaining posts: the next post may reuse the last number, and has no tokens yet.
            if len(stays):
                self._write(stored[stays], select(tokens, stays))
            if not len(stays) or _name(stored[stays]) != file.name:
                file.unlink()
        return removed

    def _write(self, post_ids: NDArray[np.int64], tokens: Tokens) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with new_file(self.folder / _name(post_ids)) as part:
            write_tokens(part, post_ids, tokens)


def bring_up_to_date(
    project: Project,
    name: str,
    tokenise: Callable[[Sequence[str]], Tokens],
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> TokenStore:
    """Add the missing prepared posts to the store of a tokenizer; resumable. `name` is the tokenizer's fingerprint."""
    root = _root(project)
    store = TokenStore(root / name)
    store.folder.mkdir(parents=True, exist_ok=True)
    after = store.last()
    while not should_stop():
        with project.database.read() as session:
            rows = session.execute(prepared_texts(after).limit(AT_ONCE)).all()
        if not rows:
            break
        ids = np.array([row.id for row in rows], dtype=np.int64)
        store.append(ids, tokenise([row.text for row in rows]))
        after = int(ids[-1])
    store.folder.touch()
    by_use = sorted(_stores(project), key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
    for old in by_use[STORES_KEPT:]:
        # Renamed first, so that a partly deleted store is not read.
        shutil.rmtree(old.rename(root / f".{old.name}"))
    return store


def forget(project: Project, post_ids: Sequence[int] | NDArray[np.int64]) -> int:
    wanted = np.asarray(post_ids, dtype=np.int64)
    _remove_leftovers(project)
    return sum(TokenStore(folder).forget(wanted) for folder in _stores(project))


def count_of(project: Project, post_ids: Sequence[int] | NDArray[np.int64]) -> int:
    wanted = np.asarray(post_ids, dtype=np.int64)
    files = [file for folder in _stores(project) for file in TokenStore(folder).files()]
    return sum(int(np.isin(read_tokens(file)[0], wanted).sum()) for file in files)


def _root(project: Project) -> Path:
    return project.data / "tokens"


def _stores(project: Project) -> list[Path]:
    return [folder for folder in _root(project).glob("*") if not folder.name.startswith(".")]


def _remove_leftovers(project: Project) -> None:
    for part in _root(project).glob("*/.*.part"):
        part.unlink()
    for folder in _root(project).glob(".*"):
        shutil.rmtree(folder)


def _name(post_ids: NDArray[np.int64]) -> str:
    return f"{post_ids[0]:010d}-{post_ids[-1]:010d}.arrow"


def _first(file: Path) -> int:
    return int(file.stem.partition("-")[0])


def _last(file: Path) -> int:
    return int(file.stem.partition("-")[2])
