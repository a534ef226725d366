"""Influential words of a suggestion, stored by the worker."""

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from db.tables import Explanation

# Built once: it runs at every key press.
_WORDS = select(Explanation.words).where(
    Explanation.post_id == bindparam("post_id"), Explanation.round_number == bindparam("round_number")
)

Word = tuple[int, int, float]
"""Characters [start, end) of the text, and the drop of the most likely label's probability without them."""


def influential_words(session: Session, post_id: int, round_number: int) -> list[Word] | None:
    """Largest drop first; empty if no single word matters, None if the post is not explained yet."""
    asked = {"post_id": post_id, "round_number": round_number}
    words = session.connection().scalar(_WORDS, asked)
    return None if words is None else [(int(start), int(end), drop) for start, end, drop in words]
