"""The last step of a round: its adapter becomes the champion, and the queue follows its scores. Loads no torch."""

from db.tables import Champion, Promotion, Round
from workbench.audit import record
from workbench.project import Project
from workbench.queue import plan, strata, swap
from workbench.queue.plan import VectorsOf
from workbench.worker.attempts import GO, begin, sweep_attempts


def promote_with(project: Project, number: int, *, vectors: VectorsOf | None) -> str:
    """`vectors` diversify the queue. Returns GO."""
    attempt = begin(project, number, "scoring", serves_promotion=True)
    strata.give_strata(project, number)
    # Planned before the short transaction that sets the champion and replaces the queue.
    planned = plan.plan(project, number, vectors=vectors)
    now, replacing = project.now(), swap.replacing(project, planned)
    with attempt.finish(
        replacing, state="promoted", state_before=None, is_running=False, finished_at=now
    ) as session:
        row = session.get_one(Round, number)
        champion = session.get(Champion, 1)
        previous = champion.round_number if champion else None
        session.add(
            Promotion(
                round_number=number,
                previous_number=previous,
                is_rollback=row.is_rolling_back,
                person_id=row.decided_by_id or row.started_by_id,
                promoted_at=now,
            )
        )
        session.merge(Champion(id=1, round_number=number, since=now))
        detail = {"previous": previous, "base": row.base, "rolled_back": row.is_rolling_back}
        record(session, project, row.decided_by_id, "put in use", f"round {number}", **detail)
    sweep_attempts(project, number)
    return GO
