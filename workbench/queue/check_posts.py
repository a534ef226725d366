"""Check posts: known posts that are served in place of others, to measure the annotator.

`gold` is a post whose case a lead has settled, `own_again` one that the annotator labelled a week ago. On the
page both look like second opinions.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy.orm import Session

from db.queries.checks import expected_gold, expected_own, gold_posts, own_posts, settled_posts
from workbench.project import Project

GOLD, OWN_AGAIN = "gold", "own_again"
KINDS = frozenset({GOLD, OWN_AGAIN})
"""They stand in a claim in place of the lane."""
SLOT = 2
FEWEST_GOLD = 20
"""Settled posts from which gold is served: fewer would be recognised, and passed on."""
OWN_AFTER = timedelta(days=7)
CHOSEN_FROM = 200
"""A check post is drawn among this many newest ones."""


@dataclass(frozen=True)
class CheckPost:
    post_id: int
    kind: str


def check_post(
    session: Session, project: Project, person_id: int, turn: int, now: datetime
) -> CheckPost | None:
    """The check post to serve in this turn; None in most turns, and where there is none to serve."""
    draw = _draw(f"check {person_id} {turn}")
    if draw % 100 >= project.settings.check_share:
        return None
    draw //= 100
    for kind in (GOLD, OWN_AGAIN) if draw % 2 else (OWN_AGAIN, GOLD):
        posts = _gold(session, person_id, now) if kind == GOLD else _own(session, person_id, now)
        if posts:
            return CheckPost(posts[draw // 2 % len(posts)], kind)
    return None


def expected_label(session: Session, kind: str, post_id: int, person_id: int) -> str | None:
    """The label in force against which an answer is held; None if it has been withdrawn."""
    query = expected_gold(post_id) if kind == GOLD else expected_own(post_id, person_id)
    return session.scalar(query.limit(1))


def _gold(session: Session, person_id: int, now: datetime) -> list[int]:
    posts = list(session.scalars(gold_posts(person_id, now).limit(CHOSEN_FROM)))
    if not posts or len(session.scalars(settled_posts().limit(FEWEST_GOLD)).all()) < FEWEST_GOLD:
        return []
    return posts


def _own(session: Session, person_id: int, now: datetime) -> list[int]:
    return list(session.scalars(own_posts(person_id, now - OWN_AFTER, now).limit(CHOSEN_FROM)))


def _draw(seed: str) -> int:
    return int.from_bytes(sha256(seed.encode()).digest()[:8])
