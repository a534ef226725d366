"""Short ways to make posts and scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from sqlalchemy import select

from db.tables import Annotation, Champion, Post, PostGroup, Round
from workbench.accounts import Account
from workbench.imports import intake
from workbench.imports.preparing import prepare
from workbench.imports.storing import store_waiting
from workbench.imports.tsv import open_tsv
from workbench.project import LABEL_SET_ID, Project
from workbench.queue import strata, swap
from workbench.scores.round_scores import RoundScores, Scores

POSTS = 240
"""Posts in the project `labelled`, 150 of them labelled."""
COPIES = [
    "加我微信 abc123 领红包，先到先得，名额有限",
    "加我微信 abc123 领红包,先到先得,名额有限!",
    "加我微信 abc123  领红包，先到先得，名额有限！！",
]
"""Three near-copies of one post."""


def write_tsv(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    names = list(rows[0])
    lines = ["\t".join(names), *("\t".join(row[name] for name in names) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def import_texts(project: Project, lead: Account, texts: Sequence[str], *, start: int = 1) -> intake.Receipt:
    rows = [{"id": f"p{number}", "text": text} for number, text in enumerate(texts, start=start)]
    file = write_tsv(project.home / f"posts-{start}.tsv", rows)
    with open_tsv(file) as source:
        receipt = intake.import_rows(project, lead, source)
    store_waiting(project)
    return receipt


def different_texts(count: int, *, length: int = 24) -> list[str]:
    rng = np.random.default_rng(7)
    return ["".join(chr(0x4E00 + int(code)) for code in rng.integers(0, 3_000, length)) for _ in range(count)]


def ready_queue(project: Project, lead: Account, count: int = 40) -> None:
    """Imports, prepares and queues posts, without a model."""
    import_texts(project, lead, different_texts(count))
    prepare(project)
    swap.rebuild(project)


def make_champion(project: Project, lead: Account, probabilities: np.ndarray, number: int = 1) -> None:
    """`probabilities`: (n, labels), one row per post in the order of their numbers."""
    ids = np.arange(1, len(probabilities) + 1, dtype=np.int64)
    RoundScores.of(project, number).append(Scores(ids, probabilities.astype(np.float32)))
    with project.database.write() as session:
        session.add(
            Round(
                number=number,
                state="promoted",
                is_running=False,
                is_quick=True,
                base="starter",
                created_at=project.now(),
                started_by_id=lead.id,
            )
        )
        session.flush()
        session.merge(Champion(id=1, round_number=number, since=project.now()))
    swap.rebuild(project)


def judge_held_out(
    project: Project, lead: Account, count: int = 600, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Creates a round in use with calibrated scores; each held-out post is labelled blind, drawn by its score.

    Returns (n,) violation scores and whether each post is a violation, in the order of their numbers.
    """
    ready_queue(project, lead, count)
    rng = np.random.default_rng(seed)
    violation = rng.beta(0.4, 1.5, count).astype(np.float32)
    is_violation = rng.random(count) < violation
    make_champion(project, lead, np.stack([1 - violation, np.zeros(count), violation], axis=1))
    strata.give_strata(project, 1)
    with project.database.write() as session:
        held_out = (
            select(Post.id).join(PostGroup, PostGroup.id == Post.group_id).where(PostGroup.split != "pool")
        )
        for post in session.scalars(held_out):
            session.add(
                Annotation(
                    post_id=post,
                    person_id=lead.id,
                    action="label",
                    label_set_id=LABEL_SET_ID,
                    label="violation" if is_violation[post - 1] else "normal",
                    lane="held_out",
                    saved_at=project.now(),
                )
            )
    return violation.astype(np.float64), is_violation
