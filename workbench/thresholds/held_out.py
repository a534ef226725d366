"""The labelled held-out posts with a round's scores: what figures about the whole forum are computed from."""

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import Post
from trainer.config import LABELS
from trainer.statistics.thresholds import Rows
from workbench.exports.jsonl import LabelledPost, labelled_posts
from workbench.project import Project
from workbench.scores.round_scores import read_scores_of

CHUNK = 2_000
SPLITS = ("validation", "test")
VIOLATION = LABELS.index("violation")


def held_out_rows(session: Session, project: Project, round_number: int) -> dict[str, Rows]:
    """Labelled posts of validation and of test with their violation score; those not scored yet are left out.

    What a post stands for: near-copies share the weight of one, and one drawn with half the chance counts double.
    """
    posts = [post for post in labelled_posts(session, round_number) if post.split in SPLITS]
    numbers = _numbers(session, [str(post.line["id"]) for post in posts])
    scores = read_scores_of(
        project.round_folder(round_number) / "scores", np.array(sorted(numbers.values()), dtype=np.int64)
    )
    violation_scores = dict(
        zip(scores.post_ids.tolist(), scores.probabilities[:, VIOLATION].tolist(), strict=True)
    )
    return {
        split: _rows(
            [
                (post, violation_scores[numbers[post.line["id"]]])
                for post in posts
                if post.split == split and numbers[post.line["id"]] in violation_scores
            ]
        )
        for split in SPLITS
    }


def _numbers(session: Session, external_ids: list[str]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for start in range(0, len(external_ids), CHUNK):
        query = select(Post.external_id, Post.id).where(
            Post.external_id.in_(external_ids[start : start + CHUNK])
        )
        numbers |= dict(session.execute(query).all())
    return numbers


def _rows(scored: list[tuple[LabelledPost, float]]) -> Rows:
    return Rows(
        np.array([score for _, score in scored], dtype=np.float64),
        np.array([post.line["label"] == "violation" for post, _ in scored], dtype=bool),
        np.array(
            [post.line["weight"] / post.line["inclusion_probability"] for post, _ in scored], dtype=np.float64
        ),
        [post.group_id for post, _ in scored],
    )
