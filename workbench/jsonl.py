"""Labelled JSONL out, with its receipt: what a round trains on and is judged by."""

import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from db.queries import resolved_rows, strata_sizes, training_rows
from trainer.config import LABELS
from trainer.files import new_folder, sha256_of, write_json
from trainer.strata import inclusion
from workbench.errors import RoundError

SPLITS = ("train", "validation", "test")
SCHEMA = 1
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
    resolved = {row.post_id: row for row in session.execute(resolved_rows())}
    found = {
        post_id: _labelled_post(list(opinions), resolved.get(post_id), round_number)
        for post_id, opinions in groupby(session.execute(training_rows()), key=lambda row: row.post_id)
    }
    found |= {
        post_id: _labelled_post([], resolution, round_number)
        for post_id, resolution in resolved.items()
        if post_id not in found
    }
    posts = [found[post_id] for post_id in sorted(found)]
    sizes: defaultdict[str, dict[int | None, int]] = defaultdict(dict)
    for split, stratum, count in session.execute(strata_sizes()):
        sizes[split][stratum] = count
    return _weigh(_with_chances([post for post in posts if post is not None], sizes))


def write_export(
    folder: Path, posts: Sequence[LabelledPost], *, round_number: int, by: str, now: datetime
) -> dict[str, Any]:
    """Write the three files and their receipt into a new `folder`; whole or not at all.

    Returns the receipt. Raises RoundError when a group stands in two files.
    """
    _refuse_leak(posts)
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
            file.write_text("".join(_dumps(line) + "\n" for line in lines), encoding="utf-8")
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
        part = annotations / f".{name}.part"
        shutil.copyfile(folder / name, part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(annotations / name)


def _labelled_post(opinions: Sequence[Any], resolution: Any | None, round_number: int) -> LabelledPost | None:
    """One line: by the lead's resolution where there is one, else by the votes; None where nothing counts."""
    first: Any = opinions[0] if opinions else resolution
    if first.split not in _FILE_OF:
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
        # A tie goes to the more severe label; the votes beside it let training see the doubt.
        label = max(votes, key=lambda name: (votes[name], LABELS.index(name)))
    else:
        label, moments = resolution.label, [*moments, resolution.decided_at]
    line = {
        "text": first.text,
        "label": label,
        "id": first.external_id,
        "group": first.group_key.hex(),
        "split": _FILE_OF[first.split],
        "weight": 1.0,
        "labels": {name: votes[name] for name in LABELS if votes[name]},
        "annotators": sorted({opinion.person_id for opinion in opinions}),
        **({} if resolution is None else {"resolved_by": resolution.person_id}),
        "round": round_number,
        "lane": first.lane,
        "labelled_at": max(moments).isoformat(),
    }
    return LabelledPost(_FILE_OF[first.split], first.group_id, line, first.stratum)


def _with_chances(
    posts: Sequence[LabelledPost], sizes: Mapping[str, Mapping[int | None, int]]
) -> list[LabelledPost]:
    """Held-out posts with how likely they were to be labelled by now: labelled groups of their stratum over all."""
    groups = {(post.split, post.stratum, post.group_id) for post in posts if post.split != "train"}
    labelled = Counter((split, stratum) for split, stratum, _ in groups)
    chances = {
        split: inclusion(of, {stratum: labelled[split, stratum] for stratum in of})
        for split, of in sizes.items()
    }
    return [
        post
        if post.split == "train"
        else replace(
            post,
            line={**post.line, "inclusion_probability": round(chances[post.split][post.stratum], 6)},
        )
        for post in posts
    ]


def _weigh(posts: Sequence[LabelledPost]) -> list[LabelledPost]:
    """A post and its near-copies weigh one together."""
    sizes = Counter(post.group_id for post in posts)
    return [replace(post, line={**post.line, "weight": round(1 / sizes[post.group_id], 6)}) for post in posts]


def _refuse_leak(posts: Iterable[LabelledPost]) -> None:
    home: dict[int, str] = {}
    for post in posts:
        if home.setdefault(post.group_id, post.split) != post.split:
            raise RoundError(
                "Post {id} has near-copies both in {one} and in {other}: exporting them would leak. Nothing was written.",
                id=post.line.get("id", post.group_id),
                one=home[post.group_id],
                other=post.split,
            )


def _dumps(line: Mapping[str, Any]) -> str:
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
