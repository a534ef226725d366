"""Short ways to make posts, scores, and the rows that people leave."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select

from db.tables import Adaptation, Annotation, Champion, Policy, Post, PostFacts, PostGroup, Resolution, Round
from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.adapting.posts import FILE, write_numbers
from workbench.imports import intake
from workbench.imports.preparing import prepare
from workbench.imports.storing import store_waiting
from workbench.imports.tsv import open_tsv
from workbench.project import LABEL_SET_ID, Project
from workbench.queue import claims, strata, swap
from workbench.queue.quick_plan import QuickScores, plan_again, read_candidates
from workbench.scores.round_scores import RoundScores, Scores

FACTS = {"texts": 900, "tokens_read": 12_345, "loss_before": 7.0, "loss_after": 5.0}
"""Of an adaptation."""
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


def posts_of(project: Project, split: str) -> list[int]:
    query = select(Post.id).join(PostGroup, PostGroup.id == Post.group_id).where(PostGroup.split == split)
    with project.database.read() as session:
        return list(session.scalars(query.order_by(Post.id)))


def label_row(project: Project, person: Account, post: int, label: str | None, **columns: Any) -> Annotation:
    row = {"action": "label", "label_set_id": LABEL_SET_ID, "saved_at": project.now()} | columns
    return Annotation(post_id=post, person_id=person.id, label=label, **row)


def add_label(project: Project, person: Account, post: int, label: str, **columns: Any) -> None:
    with project.database.write() as session:
        session.add(label_row(project, person, post, label, **columns))


def add_decision(project: Project, lead: Account, post: int, label: str | None, **columns: Any) -> None:
    row = {"label_set_id": LABEL_SET_ID, "occasion": "review", "decided_at": project.now()} | columns
    with project.database.write() as session:
        session.add(Resolution(post_id=post, person_id=lead.id, label=label, **row))


def settle_posts(project: Project, lead: Account, count: int = 20) -> dict[int, str]:
    """Settles posts of the pool, from the last one on; returns their labels."""
    labels = {
        post: LABELS[place % len(LABELS)]
        for place, post in enumerate(posts_of(project, "pool")[: -count - 1 : -1])
    }
    for post, label in labels.items():
        add_decision(project, lead, post, label)
    with project.database.write() as session:
        claims.note_answers(session, list(labels))
    return labels


def serve_checks(project: Project, share: int = 100) -> None:
    """From now on so many of a hundred posts served are check posts."""
    settings = project.settings.model_copy(update={"check_share": share})
    object.__setattr__(project, "settings", settings)


def add_policy(project: Project, lead: Account, version: int = 1, **columns: Any) -> None:
    row = {"band_low": 0.4, "band_high": 0.6, "pass_below": 0.1, "flag_from": 0.7, "prices": {}} | columns
    with project.database.write() as session:
        session.add(Policy(version=version, person_id=lead.id, created_at=project.now(), **row))


def add_round(
    project: Project, lead: Account, number: int = 1, report: dict[str, Any] | None = None, **columns: Any
) -> None:
    row = {"state": "promoted", "is_running": False, "is_quick": False, "base": "starter"} | columns
    at = project.now()
    with project.database.write() as session:
        session.add(Round(number=number, created_at=at, started_by_id=lead.id, report=report, **row))


def add_adaptation(
    project: Project, lead: Account, number: int = 1, *, read: Sequence[int] = (), **columns: Any
) -> None:
    """One that is done and in use, with an empty folder beside the rounds and the posts that it has read."""
    row = {"state": "done", "is_running": False, "is_in_use": True, "base": project.settings.base_model}
    row |= {"minutes": 7.0, "facts": FACTS} | columns
    folder = project.base_folder(number)
    folder.mkdir()
    write_numbers(np.array(read, dtype=np.int64), folder / FILE)
    with project.database.write() as session:
        session.add(Adaptation(number=number, created_at=project.now(), started_by_id=lead.id, **row))


def make_champion(project: Project, lead: Account, probabilities: np.ndarray, number: int = 1) -> None:
    """`probabilities`: (n, labels), one row per post in the order of their numbers."""
    ids = np.arange(1, len(probabilities) + 1, dtype=np.int64)
    RoundScores.of(project, number).append(Scores(ids, probabilities.astype(np.float32)))
    add_round(project, lead, number, is_quick=True)
    with project.database.write() as session:
        session.merge(Champion(id=1, round_number=number, since=project.now()))
    swap.rebuild(project)


def give_times(project: Project, days: Sequence[date]) -> None:
    """Posts get the days as their own times, in turns."""
    with project.database.write() as session:
        for place, post in enumerate(session.scalars(select(Post.id).order_by(Post.id)).all()):
            facts = {"time": f"{days[place % len(days)]} 08:00"}
            session.merge(PostFacts(post_id=post, facts=facts))


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
            label = "violation" if is_violation[post - 1] else "normal"
            session.add(label_row(project, lead, post, label, lane="held_out"))
    return violation.astype(np.float64), is_violation


def order_quickly(project: Project, scores: QuickScores, *, labels: int = 20) -> bool:
    """Orders the queue by the scores of a quick model that has learned from so many labels."""
    candidates = read_candidates(project)
    assert candidates is not None
    return swap.replace_lanes(project, plan_again(candidates, scores), labels)


def undecided(post_ids: np.ndarray) -> np.ndarray:
    """Scores of a quick model that knows nothing."""
    return np.tile(np.float32([0.4, 0.3, 0.3]), (len(post_ids), 1))
