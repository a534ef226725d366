"""The labels that a round gives to all posts, held against labels of randomly drawn posts.

There is no fixed share: in a quiet forum 99% of the posts are normal. Each group of near-copies counts once on both sides.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries.preparing import grouped_posts
from db.tables import Post, PostGroup
from trainer.labels import LABELS
from trainer.messages import Message
from trainer.statistics.proportions import Z99, Share, weighted_share
from workbench.exports.drawn import drawn_weights, is_drawn
from workbench.exports.jsonl import labelled_posts
from workbench.project import Project
from workbench.scores.round_scores import RoundScores


def doubts_of_shares(project: Project, number: int) -> tuple[Message, ...]:
    """Reasons to wait with this round, which has scored the posts: shares far from those of the drawn labels."""
    with project.database.read() as session:
        drawn = drawn_shares(session, number)
    return () if not drawn else tuple(_doubts(predicted_shares(project, number), drawn))


def drawn_shares(session: Session, number: int) -> dict[str, Share]:
    """By label, with intervals of 99%; empty without labels of drawn posts."""
    posts = [post for post in labelled_posts(session, number) if is_drawn(post)]
    weights, groups = drawn_weights(posts), [post.group_id for post in posts]
    shares = {
        label: weighted_share([post.line["label"] == label for post in posts], weights, groups, z=Z99)
        for label in LABELS
    }
    return {label: share for label, share in shares.items() if share is not None}


def predicted_shares(project: Project, number: int) -> dict[str, float]:
    """By label, of the first scored post of each group. An estimate if a pass left posts out."""
    with project.database.read() as session:
        last_group = session.scalar(select(func.max(PostGroup.id))) or 0
    is_counted, counts = np.zeros(last_group + 1, dtype=bool), np.zeros(len(LABELS))
    for part, weights in RoundScores.of(project, number).fair_parts():
        groups = _groups_of(project, part.post_ids)
        _, first = np.unique(groups, return_index=True)
        first = first[(groups[first] > 0) & ~is_counted[groups[first]]]
        is_counted[groups[first]] = True
        labels = part.probabilities[first].argmax(axis=1)
        counts += np.bincount(labels, weights[first], minlength=len(LABELS))
    return dict(zip(LABELS, (counts / max(counts.sum(), 1)).tolist(), strict=True))


def _groups_of(project: Project, post_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) group ids; 0 for posts without one, as those set aside. `post_ids` ascending, n >= 1."""
    query = grouped_posts(int(post_ids[0]) - 1).where(Post.id <= int(post_ids[-1]))
    with project.database.read() as session:
        group_of = {post: group for post, group, _ in session.execute(query)}
    return np.array([group_of.get(post) or 0 for post in post_ids.tolist()], dtype=np.int64)


def _doubts(predicted: Mapping[str, float], drawn: Mapping[str, Share]) -> Iterator[Message]:
    for label, share in drawn.items():
        if share.is_far_from(predicted[label]):
            low, high = share.interval
            yield Message(
                "it calls {predicted} of all posts {label}, but people so labelled {mean} of {rows} randomly drawn "
                "posts (99% interval {low} to {high})",
                predicted=_percent(predicted[label]),
                label=label,
                mean=_percent(share.mean),
                rows=f"{share.rows:,}",
                low=_percent(low),
                high=_percent(high),
            )


def _percent(share: float) -> str:
    return f"{share:.1%}"
