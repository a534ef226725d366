"""Which held-out posts are still to be judged blind: what is known of them is told to nobody meanwhile."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from db.queries.people import answered_by
from db.queries.review import disagreements, flagged_answers
from db.queries.standing import labels_of, newest_resolutions
from db.tables import Annotation


def still_blind(session: Session, held_out: Collection[int], viewer_id: int) -> set[int]:
    """Those of these held-out posts of which this person is told nothing of the model.

    Nobody has labelled them blind, or a lead is to look at them, or a lead's decision was taken back; and those the
    person has answered: they could still change their mind.
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
    theirs = set(session.scalars(answered_by(held_out, viewer_id)))
    return set(held_out) - (judged - waiting - taken_back - theirs)
