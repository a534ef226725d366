"""Labelled JSONL out, with its receipt: what a round trains on and is judged by."""

import hashlib
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from db.queries.preparing import strata_sizes
from db.queries.training import resolved_rows, training_rows
from trainer.files import new_file, new_folder, sha256_of, write_json
from trainer.labels import LABELS, majority
from trainer.selection.strata import inclusion
from workbench.errors import RoundError

SPLITS = ("train", "validation", "test")
SCHEMA = 1
FILES = ("train.jsonl", "validation.jsonl", "test.jsonl", "receipt.json")
"""What an export folder of a round holds."""
_FILE_OF = {"pool": "train", "validation": "validation", "test": "test"}


@dataclass(frozen=True)
class LabelledPost:
    """One post with everybody's standing labels, ready to be written."""

    split: str
    group_id: int
    line: Mapping[str, Any]
    stratum: int | None = None


def labelled_posts(session: Session, round_number: int) -> list[LabelledPost]:
    """Every labelled post of the pool, validation and test; the sealed audit set stays where it is.

    Labels that came with a source (a moderation log: chosen, not drawn) train, but do not judge. What a lead has
    resolved stands instead of the votes, and judges too.
    """
    posts = list(_read(session, round_number, _FILE_OF))
    census = Census(session.execute(strata_sizes()))
    for post in posts:
        census.add(post)
    return [census.weighed(post) for post in posts]


def each_labelled_post(session: Session, *, has_audit: bool = False) -> Iterator[LabelledPost]:
    """The same posts in their order, of no round, read as they are asked for and not weighed yet.

    `has_audit` adds those of the sealed audit set.
    """
    yield from _read(session, None, _FILE_OF | ({"audit": "audit"} if has_audit else {}))


def _read(session: Session, round_number: int | None, files: Mapping[str, str]) -> Iterator[LabelledPost]:
    """Posts in their order, each by all that was said of it: votes, and a lead's decision if there is one."""
    votes = session.execute(training_rows().execution_options(yield_per=1_000))
    resolutions = session.execute(resolved_rows().execution_options(yield_per=1_000))
    by_post = merge(
        ((row.post_id, 0, row) for row in votes),
        ((row.post_id, 1, row) for row in resolutions),
        key=lambda opinion: opinion[:2],
    )
    for _, opinion in groupby(by_post, key=lambda opinion: opinion[0]):
        rows = [(kind, row) for _, kind, row in opinion]
        opinions = [row for kind, row in rows if kind == 0]
        resolution = next((row for kind, row in rows if kind == 1), None)
        post = _labelled_post(opinions, resolution, round_number, files)
        if post is not None:
            yield post


class Census:
    """What weights and chances must know of all labelled posts before one is written; refuses a leak.

    It holds numbers, no posts, so that these can be read twice instead of kept.
    """

    def __init__(self, strata: Iterable[Any] = ()) -> None:
        """`strata` are split, stratum and number of groups of the held-out splits."""
        self._sizes: defaultdict[str, dict[int | None, int]] = defaultdict(dict)
        for split, stratum, count in strata:
            self._sizes[split][stratum] = count
        self._home: dict[int, str] = {}
        self._text_home: dict[bytes, str] = {}
        self._posts: Counter[int] = Counter()
        self._labelled: Counter[tuple[str, int | None]] = Counter()
        self._chances: dict[str, dict[int | None, float]] = {}

    def add(self, post: LabelledPost) -> None:
        """Count a post. Raises RoundError when its group, or its very text, stands in another split."""
        text = hashlib.sha256(post.line.get("text", "").encode("utf-8", "surrogatepass")).digest()
        homes = {self._home.setdefault(post.group_id, post.split)}
        if "text" in post.line:
            homes.add(self._text_home.setdefault(text, post.split))
        if other := homes - {post.split}:
            raise RoundError(
                "Post {id} has near-copies both in {one} and in {other}: exporting them would leak. Nothing was written.",
                id=post.line.get("id", post.group_id),
                one=min(other),
                other=post.split,
            )
        if not self._posts[post.group_id]:
            self._labelled[post.split, post.stratum] += 1
        self._posts[post.group_id] += 1
        self._chances.clear()

    def weighed(self, post: LabelledPost) -> LabelledPost:
        """The post as it is written: near-copies weigh one together, a held-out one says how likely it was labelled.

        That is, labelled groups of its stratum over all of them.
        """
        added = {"weight": round(1 / self._posts[post.group_id], 6)}
        if post.split != "train":
            added["inclusion_probability"] = round(self._chance(post), 6)
        return replace(post, line={**post.line, **added})

    def _chance(self, post: LabelledPost) -> float:
        if post.split not in self._chances:
            sizes = self._sizes[post.split]
            labelled = {stratum: self._labelled[post.split, stratum] for stratum in sizes}
            self._chances[post.split] = inclusion(sizes, labelled)
        return self._chances[post.split][post.stratum]


def write_export(
    folder: Path, posts: Sequence[LabelledPost], *, round_number: int, by: str, now: datetime
) -> dict[str, Any]:
    """Write the three files and their receipt into a new `folder`; whole or not at all.

    Returns the receipt. Raises RoundError when a group stands in two files.
    """
    census = Census()
    for post in posts:
        census.add(post)
    receipt: dict[str, Any] = {
        "schema": SCHEMA,
        "round": round_number,
        "created": now.isoformat(),
        "by": by,
        "files": {},
    }
    with new_folder(folder) as part:
        for split in SPLITS:
            lines = [post.line for post in posts if post.split == split]
            file = part / f"{split}.jsonl"
            file.write_text("".join(dump_line(line) + "\n" for line in lines), encoding="utf-8")
            counts = Counter(line["label"] for line in lines)
            receipt["files"][file.name] = {
                "rows": len(lines),
                "labels": {name: counts[name] for name in LABELS},
                "sha256": sha256_of(file),
            }
        write_json(part / "receipt.json", receipt)
    return receipt


def publish_newest(folder: Path, annotations: Path) -> None:
    """Put copies of a round's files where the newest ones are looked for."""
    for name in (*(f"{split}.jsonl" for split in SPLITS), "receipt.json"):
        with new_file(annotations / name) as part:
            shutil.copyfile(folder / name, part)


def _labelled_post(
    opinions: Sequence[Any], resolution: Any | None, round_number: int | None, files: Mapping[str, str]
) -> LabelledPost | None:
    """One line: by the lead's resolution where there is one, else by the votes; None where nothing counts."""
    first: Any = opinions[0] if opinions else resolution
    if first.split not in files:
        return None
    # What a person said beats what a log says; validation and test take nothing but what people said.
    careful = [opinion for opinion in opinions if opinion.source is None]
    if careful or first.split != "pool":
        opinions = careful
    if not opinions and resolution is None:
        return None
    votes = Counter(opinion.label for opinion in opinions)
    moments = [opinion.saved_at for opinion in opinions]
    if resolution is None:
        label = majority(votes)  # the votes beside it let training see the doubt
    else:
        label, moments = resolution.label, [*moments, resolution.decided_at]
    line = {
        "text": first.text,
        "label": label,
        "id": first.external_id,
        "group": first.group_key.hex(),
        "split": files[first.split],
        "weight": 1.0,
        "labels": {name: votes[name] for name in LABELS if votes[name]},
        "annotators": sorted({opinion.person_id for opinion in opinions}),
        **({} if resolution is None else {"resolved_by": resolution.person_id}),
        "round": round_number,
        "lane": next(
            (
                judgement.lane
                for judgement in (*opinions, resolution)
                if judgement is not None and judgement.lane
            ),
            None,
        ),
        "source": None
        if resolution is not None
        else next((judgement.source for judgement in opinions if judgement.source), None),
        "labelled_at": max(moments).isoformat(),
    }
    return LabelledPost(files[first.split], first.group_id, line, first.stratum)


def dump_line(line: Mapping[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False)


def read_objects(path: Path) -> Iterator[tuple[int, Any]]:
    """Line number and parsed value of each non-empty line; the value is None where it is not JSON."""
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _parse(line)


def _parse(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
