"""The labelled JSONL files that a round trains and is evaluated on, with their receipt."""

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
from trainer.behaviour.cases import case_keys
from trainer.files import new_file, new_folder, sha256_of, write_json
from trainer.labels import LABELS, majority
from trainer.selection.strata import inclusion
from trainer.texts.normalisation import group_key
from workbench.audit import Head
from workbench.errors import RoundError

SPLITS = ("train", "validation", "test")
TRAINED_ON = ("train", "validation")
"""Splits that shape an adapter: copies of the written cases stay out of them."""
SCHEMA = 1
FILES = ("train.jsonl", "validation.jsonl", "test.jsonl", "receipt.json")
"""Files in the export folder of a round."""
_FILE_OF = {"pool": "train", "validation": "validation", "test": "test"}


@dataclass(frozen=True)
class LabelledPost:
    split: str
    group_id: int
    line: Mapping[str, Any]
    """Its JSON object."""
    stratum: int | None = None


def labelled_posts(session: Session, round_number: int) -> list[LabelledPost]:
    """All labelled posts of the pool, validation and test, without the sealed audit set; near-copies share one weight.

    Labels with a source (a moderation log: chosen, not drawn) are used for training only. A lead's resolution
    replaces the votes, in the held-out splits too.
    """
    posts = list(_read(session, round_number, _FILE_OF))
    census = Census(session.execute(strata_sizes()))
    for post in posts:
        census.add(post)
    return [census.weighed(post) for post in posts]


def each_labelled_post(session: Session, *, has_audit: bool = False) -> Iterator[LabelledPost]:
    """The posts of `labelled_posts`, streamed in order, without a round and without their final weights.

    `has_audit` adds the sealed audit set.
    """
    yield from _read(session, None, _FILE_OF | ({"audit": "audit"} if has_audit else {}))


def _read(session: Session, round_number: int | None, files: Mapping[str, str]) -> Iterator[LabelledPost]:
    votes = session.execute(training_rows().execution_options(yield_per=1_000))
    resolutions = session.execute(resolved_rows().execution_options(yield_per=1_000))
    by_post = merge(
        ((row.post_id, 0, row) for row in votes),
        ((row.post_id, 1, row) for row in resolutions),
        key=lambda judgement: judgement[:2],
    )
    for _, judgements in groupby(by_post, key=lambda judgement: judgement[0]):
        rows = [(kind, row) for _, kind, row in judgements]
        post_votes = [row for kind, row in rows if kind == 0]
        resolution = next((row for kind, row in rows if kind == 1), None)
        post = _labelled_post(post_votes, resolution, round_number, files)
        if post is not None:
            yield post


class Census:
    """Counts over all labelled posts, from which the weight and inclusion probability of each follow; refuses a leak.

    It holds counts instead of posts, which are read twice.
    """

    def __init__(self, strata: Iterable[Any] = ()) -> None:
        """`strata` are rows (split, stratum, groups) of the held-out splits."""
        self._sizes: defaultdict[str, dict[int | None, int]] = defaultdict(dict)
        for split, stratum, count in strata:
            self._sizes[split][stratum] = count
        self._home: dict[int, str] = {}
        self._text_home: dict[bytes, str] = {}
        self._posts: Counter[int] = Counter()
        self._labelled: Counter[tuple[str, int | None]] = Counter()
        self._chances: dict[str, dict[int | None, float]] = {}

    def add(self, post: LabelledPost) -> None:
        """Raises RoundError if the group of the post, or its exact text, is in another split too."""
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
        """The post with its weight, 1 / posts of its group, and if it is held out its inclusion probability.

        That is the share of the groups in its stratum that are labelled.
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
    folder: Path,
    posts: Sequence[LabelledPost],
    *,
    round_number: int,
    by: str,
    now: datetime,
    audit_head: Head,
) -> dict[str, Any]:
    """Write the three files and their receipt into a new `folder`, atomically. Returns the receipt.

    Posts to train on that equal a written case (`trainer.behaviour`) are left out and counted, because an adapter that
    has seen a case cannot be tested with it. Raises RoundError if a group is in two files.
    """
    census = Census()
    for post in posts:
        census.add(post)
    kept = [post for post in posts if not _copies_a_case(post)]
    receipt: dict[str, Any] = {
        "schema": SCHEMA,
        "round": round_number,
        "created": now.isoformat(),
        "by": by,
        "audit_head": str(audit_head),
        "copies_of_written_cases": len(posts) - len(kept),
        "files": {},
    }
    with new_folder(folder) as part:
        for split in SPLITS:
            lines = [post.line for post in kept if post.split == split]
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


def _copies_a_case(post: LabelledPost) -> bool:
    return post.split in TRAINED_ON and group_key(post.line["text"]) in case_keys()


def publish_newest(folder: Path, annotations: Path) -> None:
    for name in (*(f"{split}.jsonl" for split in SPLITS), "receipt.json"):
        with new_file(annotations / name) as part:
            shutil.copyfile(folder / name, part)


def _labelled_post(
    votes: Sequence[Any], resolution: Any | None, round_number: int | None, files: Mapping[str, str]
) -> LabelledPost | None:
    """The line of a post, labelled by the resolution, else by the votes; None if no vote counts."""
    first: Any = votes[0] if votes else resolution
    if first.split not in files:
        return None
    # An annotator's vote takes precedence over a log; validation and test take annotators' votes only.
    careful = [vote for vote in votes if vote.source is None]
    if careful or first.split != "pool":
        votes = careful
    if not votes and resolution is None:
        return None
    counts = Counter(vote.label for vote in votes)
    moments = [vote.saved_at for vote in votes]
    if resolution is None:
        label = majority(counts)  # training derives soft targets from `labels` beside it
    else:
        label, moments = resolution.label, [*moments, resolution.decided_at]
    line = {
        "text": first.text,
        "label": label,
        "id": first.external_id,
        "group": first.group_key.hex(),
        "split": files[first.split],
        "weight": 1.0,
        "labels": {name: counts[name] for name in LABELS if counts[name]},
        "annotators": sorted({vote.person_id for vote in votes}),
        **({} if resolution is None else {"resolved_by": resolution.person_id}),
        "round": round_number,
        "lane": next(
            (
                judgement.lane
                for judgement in (*votes, resolution)
                if judgement is not None and judgement.lane
            ),
            None,
        ),
        "source": None
        if resolution is not None
        else next((vote.source for vote in votes if vote.source), None),
        "labelled_at": max(moments).isoformat(),
    }
    return LabelledPost(files[first.split], first.group_id, line, first.stratum)


def dump_line(line: Mapping[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False)
