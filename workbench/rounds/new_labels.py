"""New labels: posts labelled, or decided by a lead, since the newest measured round took its labels.

The one count that Overview, Rounds and the forecast of the next labels show.
"""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries.rounds import labels_learned
from db.queries.standing import is_of_training, labelled_posts, labelled_since
from db.tables import Post, PostGroup


@dataclass(frozen=True)
class NewLabels:
    """`to_learn` of the `count` posts are not held out: the next round learns from them."""

    count: int = 0
    to_learn: int = 0


def read_new_labels(session: Session) -> NewLabels:
    moment = session.scalar(labels_learned())
    new = (labelled_posts() if moment is None else labelled_since(moment)).subquery()
    query = (
        select(func.count(), func.count().filter(is_of_training()))
        .select_from(new)
        .join(Post, Post.id == new.c.post_id)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
    )
    return NewLabels(*session.execute(query).one())
