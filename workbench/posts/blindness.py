"""Held-out posts that are still to be judged blind: scores and answers on them stay hidden until then."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from db.queries.people import answered_by
from db.queries.review import disagreements, flagged_answers
from db.queries.standing import labels_of, newest_resolutions
from db.tables import Annotation


def still_blind(session: Session, held_out: Collection[int], viewer_id: int) -> set[int]:
    """The held-out posts whose model scores and annotators `viewer_id` must not see yet.

    These are posts without a blind label, on the lead's list or with a withdrawn decision, and posts that the
    viewer has answered, who could still change that answer.
    """
    if not held_out:
        return set()
    judged = {row.post_id for row in session.execute(labels_of(held_out)) if row.source is None}
    open_cases = [
        query.where(Annotation.post_id.in_(held_out)) for query in (flagged_answers(), disagreements())
    ]
    waiting = {row.Annotation.post_id for row in session.execute(open_cases[0])}
    waiting |= {row.id for row in session.execute(open_cases[1])}
    taken_back = {row.post_id for row in session.execute(newest_resolutions(held_out)) if row.label is None}
    answered = set(session.scalars(answered_by(held_out, viewer_id)))
    return set(held_out) - (judged - waiting - taken_back - answered)
