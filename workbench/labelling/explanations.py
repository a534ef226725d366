"""The words that carried a suggestion, as the worker stored them."""

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from db.tables import Explanation

# Built once: it is asked at every key press.
_WORDS = select(Explanation.words).where(
    Explanation.post_id == bindparam("post_id"), Explanation.round_number == bindparam("round_number")
)

Word = tuple[int, int, float]
"""Characters [start, end) of the post's text, and how far the likeliest label's probability falls without them."""


def influential_words(session: Session, post_id: int, round_number: int) -> list[Word] | None:
    """The weightiest first; empty where no word did it alone, None where the worker has not come to the post."""
    asked = {"post_id": post_id, "round_number": round_number}
    words = session.connection().scalar(_WORDS, asked)
    return None if words is None else [(int(start), int(end), drop) for start, end, drop in words]
