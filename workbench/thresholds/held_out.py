"""Labelled held-out posts with a round's scores, the basis of estimates about the whole forum."""

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.bulk import IDS_AT_ONCE
from db.tables import Post
from trainer.chunks import in_chunks
from trainer.labels import Label
from trainer.statistics.thresholds import Rows
from workbench.exports.jsonl import LabelledPost, labelled_posts
from workbench.project import Project
from workbench.scores.round_scores import RoundScores

SPLITS = ("validation", "test")


def held_out_rows(session: Session, project: Project, round_number: int) -> dict[str, Rows]:
    """Labelled posts of validation and test with their violation scores, by split; unscored posts are left out.

    A row's weight is its share of a group of near-copies, divided by its inclusion probability.
    """
    posts = [post for post in labelled_posts(session, round_number) if post.split in SPLITS]
    numbers = _numbers(session, [str(post.line["id"]) for post in posts])
    wanted = np.array(sorted(numbers.values()), dtype=np.int64)
    scores = RoundScores.of(project, round_number).read_of(wanted)
    violation_scores = dict(
        zip(scores.post_ids.tolist(), scores.probabilities[:, Label.VIOLATION.position].tolist(), strict=True)
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
    for chunk in in_chunks(external_ids, IDS_AT_ONCE):
        query = select(Post.external_id, Post.id).where(Post.external_id.in_(chunk))
        numbers |= dict(session.execute(query).all())
    return numbers


def _rows(scored: list[tuple[LabelledPost, float]]) -> Rows:
    return Rows(
        np.array([score for _, score in scored], dtype=np.float64),
        np.array([post.line["label"] == Label.VIOLATION for post, _ in scored], dtype=bool),
        np.array(
            [post.line["weight"] / post.line["inclusion_probability"] for post, _ in scored], dtype=np.float64
        ),
        [post.group_id for post, _ in scored],
    )
