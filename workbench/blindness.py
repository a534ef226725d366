"""Which held-out posts are still to be judged blind: what is known of them is told to nobody meanwhile."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from db.queries import disagreements, flagged_answers, labels_of, newest_resolutions
from db.tables import Annotation


def still_blind(session: Session, held_out: Collection[int]) -> set[int]:
    """Those of these held-out posts for which a blind judgement is still to come.

    Nobody has labelled them blind, or a lead is to look at them, or a lead's decision was taken back.
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
    return set(held_out) - (judged - waiting - taken_back)
