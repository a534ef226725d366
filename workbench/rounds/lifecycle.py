"""Starting, cancelling, promoting, rejecting and rolling back rounds, for pages and commands.

The work itself runs in `worker/`. A lead's decision is one row and one job in one transaction.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.queries.rounds import promotions, rounds_by_number
from db.queries.training import labels_by_split
from db.tables import Champion, Person, Promotion, Round
from trainer.labels import LABELS
from trainer.messages import Message
from trainer.running.progress import read_lines
from workbench import jobs
from workbench.accounts import Account, Right, acting
from workbench.audit import record
from workbench.errors import RoundError
from workbench.locks import LAUNCH, WORKER, is_held
from workbench.project import Project
from workbench.rounds.base import bases, next_base, refuse_adaptation
from workbench.rounds.durations import worked_until

STEPS = ("exporting", "training", "evaluating", "gating", "scoring", "promoted")
ENDED = frozenset({"promoted", "rejected", "failed", "cancelled"})
SETTLED = ENDED | {"awaiting"}
FEWEST_LABELS = 20
LOG_LINES = 200
"""Lines shown from the end of the output of a round's processes."""


@dataclass(frozen=True)
class InUse:
    number: int
    since: datetime
    by: str | None
    is_automatic: bool
    """Put in use without a lead's decision on a round that no lead started; `by` set the rule."""


@dataclass(frozen=True)
class Progress:
    done: int | None
    total: int | None
    seconds_left: float | None
    posts_per_second: float | None
    gpu: tuple[float, float] | None
    """GiB used and in total, if the step runs on a GPU."""
    losses: Sequence[tuple[int, float]]
    macro_f1: Sequence[tuple[float, float]]

    @property
    def share(self) -> float | None:
        """The part of the step that is done."""
        return min(1.0, (self.done or 0) / self.total) if self.total else None


def start(
    project: Project,
    account: Account,
    *,
    is_quick: bool = False,
    base: str | None = None,
    notes: str | None = None,
) -> int:
    """Queue a new round; returns its number.

    Raises RoundError if one is running, if there are too few labels or if the base encoder is not one of the settings.
    """
    written = None if notes is None else Message.verbatim(notes)
    try:
        with acting(project, account, Right.RUN_ROUNDS) as session:
            return queue_round(project, session, account.id, is_quick=is_quick, base=base, notes=written)
    except IntegrityError as error:
        raise RoundError(
            "Another lead has just started a round. Look at it with `workbench round list`."
        ) from error


def queue_round(
    project: Project,
    session: Session,
    person_id: int,
    *,
    is_quick: bool = False,
    base: str | None = None,
    notes: Message | None = None,
    is_automatic: bool = False,
) -> int:
    """The row and the job of a round that was decided already, in the caller's write transaction."""
    base = base or next_base(project, session)
    refuse_other_base(project, session, base)
    refuse_second(session)
    refuse_too_few_labels(session)
    last = session.scalar(rounds_by_number().limit(1))
    row = Round(
        number=(last.number if last else 0) + 1,
        state="queued",
        is_running=True,
        is_quick=is_quick,
        base=base,
        notes=None if notes is None else notes.to_dict(),
        created_at=project.now(),
        started_by_id=person_id,
        is_automatic=is_automatic,
    )
    session.add(row)
    session.flush()
    detail = {"quick": is_quick, "base": base} | ({"automatic": True} if is_automatic else {})
    record(session, project, person_id, "start round", f"round {row.number}", **detail)
    jobs.enqueue(project.database.engine, session, jobs.Job.ROUND, row.number, job_id=f"round-{row.number}")
    return row.number


def refuse_other_base(project: Project, session: Session, base: str) -> None:
    """A name is a folder that is read or a model that is downloaded, so only those of the settings are taken."""
    known = bases(project, session)
    if base not in known:
        raise RoundError(
            "{base} is not among the base encoders of this project: {known}. Add it to allowed_bases in workbench.toml.",
            base=base,
            known=", ".join(known),
        )


def cancel(project: Project, account: Account, number: int) -> None:
    """Stop a running round. The worker ends its process; partial results are discarded.

    Raises RoundError if the round is not running.
    """
    with acting(project, account, Right.RUN_ROUNDS) as session:
        row = find(session, number)
        if not row.is_running:
            raise RoundError("Round {number} is not running: it is {state}.", number=number, state=row.state)
        # The attempt number is the fence: results of the previous attempt are no longer accepted.
        row.attempt += 1
        row.is_running = False
        row.worked_seconds, row.step_began_at = worked_until(row, project.now()), None
        row.state, row.state_before = row.state_before or "cancelled", None
        row.finished_at = project.now()
        record(session, project, account.id, "cancel round", f"round {number}")


def promote(
    project: Project,
    account: Account,
    number: int,
    reason: str | None = None,
    *,
    expected_state: str | None = None,
) -> None:
    """Put a round's adapter in use: the worker completes its scores, then moves the champion pointer.

    `expected_state` is the state shown to the lead. Raises RoundError if the state has changed, the round has
    no adapter or is in use already, another round is running, or a round that awaits no decision is given no reason.
    """
    reason = (reason or "").strip() or None
    with acting(project, account, Right.RUN_ROUNDS) as session:
        written = None if reason is None else Message.verbatim(reason)
        _promote(project, session, account, number, written, expected_state=expected_state)


def reject(project: Project, account: Account, number: int, reason: str | None = None) -> None:
    """Raises RoundError unless the round awaits a decision."""
    with acting(project, account, Right.RUN_ROUNDS) as session:
        row = find(session, number)
        if row.state != "awaiting":
            raise RoundError(
                "Round {number} awaits no decision: it is {state}.", number=number, state=row.state
            )
        row.state, row.decided_by_id = "rejected", account.id
        row.decision_reason = None if reason is None else Message.verbatim(reason).to_dict()
        row.finished_at = project.now()
        record(session, project, account.id, "reject round", f"round {number}", reason=reason)


def rollback(
    project: Project, account: Account, expected: int | None = None, reason: str | None = None
) -> int:
    """Put the previous adapter back in use; returns its round's number.

    `expected` is the number shown to the lead. Raises RoundError if it has changed, or there is no previous
    adapter.
    """
    with acting(project, account, Right.RUN_ROUNDS) as session:
        refuse_second(session)
        number = rollback_target(session)
        if number is None:
            raise RoundError("There is no earlier adapter to go back to.")
        if expected not in {None, number}:
            raise RoundError(
                "Another round is in use by now: rolling back would lead to round {number}, not to round {expected}.",
                number=number,
                expected=expected,
            )
        written = Message.verbatim(reason) if reason else Message("rolled back")
        _promote(project, session, account, number, written, is_rollback=True)
    return number


def rollback_target(session: Session) -> int | None:
    champion = session.get(Champion, 1)
    if champion is None:
        return None
    return session.scalar(
        promotions()
        .with_only_columns(Promotion.previous_number)
        .where(Promotion.round_number == champion.round_number, Promotion.is_rollback.is_(False))
        .limit(1)
    )


def find(session: Session, number: int) -> Round:
    """Raises RoundError if the round does not exist."""
    row = session.get(Round, number)
    if row is None:
        raise RoundError("There is no round {number}. See `workbench round list`.", number=number)
    return row


def running(session: Session) -> Round | None:
    return session.scalar(select(Round).where(Round.is_running))


def in_use(session: Session) -> InUse | None:
    champion = session.get(Champion, 1)
    if champion is None:
        return None
    last = promotions().join(Person, Person.id == Promotion.person_id).with_only_columns(Person.name)
    row = session.get_one(Round, champion.round_number)
    is_automatic = row.is_automatic and row.decided_by_id is None
    return InUse(champion.round_number, champion.since, session.scalar(last.limit(1)), is_automatic)


def history(session: Session) -> list[dict[str, Any]]:
    return [describe(session, row) for row in session.scalars(rounds_by_number())]


def describe(session: Session, row: Round) -> dict[str, Any]:
    """A round for `round show` and `round list`; the keys are part of the command's interface.

    Notes, failure, reasons and warnings are messages in their stored form.
    """
    report = row.report or {}
    card = report.get("card", {})
    metrics = report.get("metrics") or {}
    champion = session.get(Champion, 1)
    starter = session.get(Person, row.started_by_id)
    decider = None if row.decided_by_id is None else session.get(Person, row.decided_by_id)
    train = {
        "n": card.get("data", {}).get("train", {}).get("rows"),
        "seconds": card.get("seconds"),
        "posts_per_second": card.get("posts_per_second"),
    }
    return {
        "number": row.number,
        "state": row.state,
        "promoted": _was_promoted(session, row.number),
        "in_use": champion is not None and champion.round_number == row.number,
        "quick": row.is_quick,
        "base": row.base,
        "notes": row.notes,
        "started_by": starter.name if starter else None,
        "automatic": row.is_automatic,
        "decided_by": decider.name if decider else None,
        "created_at": row.created_at.isoformat(),
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
        "worked_seconds": row.worked_seconds,
        "metrics": metrics | {"linear_macro_f1": (report.get("linear") or {}).get("macro_f1")}
        if metrics
        else None,
        "calibration": card.get("calibration"),
        "train": train,
        "scored": row.scored,
        "comparison": report.get("comparison"),
        "verdict": row.verdict,
        "evaluated": row.report is not None,
        "failure": row.failure,
        "decision_reason": row.decision_reason,
    }


def log_folder(project: Project, number: int) -> Path:
    return project.data / "logs" / f"round-{number:04d}"


def read_log(project: Project, number: int) -> str:
    lines: list[str] = []
    for file in sorted(log_folder(project, number).glob("*.log"), key=lambda path: path.stat().st_mtime):
        lines += file.read_text(encoding="utf-8", errors="replace").split("\n")
    return "\n".join(lines[-LOG_LINES:]).strip()


def read_progress(project: Project, row: Round) -> Progress:
    training = read_lines(progress_file(project, row.number, "training"))
    current = read_lines(progress_file(project, row.number, row.state))
    newest: dict[str, Any] = next((line for line in reversed(current) if "steps" in line), {})
    return Progress(
        done=newest.get("step"),
        total=newest.get("steps"),
        seconds_left=newest.get("seconds_left"),
        posts_per_second=newest.get("posts_per_second"),
        gpu=(newest["gpu_used"], newest["gpu_total"]) if "gpu_used" in newest else None,
        losses=[(line["step"], line["loss"]) for line in training if "loss" in line and "step" in line],
        # Without validation posts there is a line for each epoch, and no score.
        macro_f1=[(line["epoch"], line["macro_f1"]) for line in training if line.get("macro_f1") is not None],
    )


def progress_file(project: Project, number: int, step: str) -> Path:
    return log_folder(project, number) / f"{step}.jsonl"


def is_worker_running(project: Project) -> bool:
    """Or about to: what starts it holds a lock while it loads."""
    return is_held(project.data / WORKER) or is_held(project.data / LAUNCH)


def refuse_second(session: Session) -> None:
    """Raises RoundError while a round or an adaptation of the base encoder is under way."""
    refuse_adaptation(session)
    row = running(session)
    if row is not None:
        is_decision = row.state_before is not None
        starter = session.get(Person, row.decided_by_id if is_decision else row.started_by_id)
        name = starter.name if starter else "?"
        is_by_rule = row.is_automatic and not is_decision
        raise RoundError(
            "Round {number} is already under way, started by {name}. Wait for it or cancel it.",
            number=row.number,
            name=Message("the rule of {name}", name=name) if is_by_rule else name,
        )


def refuse_too_few_labels(session: Session) -> None:
    # Unprepared posts count: their preparation precedes the round in the job queue.
    counts: Counter[str | None] = Counter()
    for split, label, count in session.execute(labels_by_split(LABELS)):
        if split in {"pool", "unprepared"}:
            counts[label] += count
    if counts.total() < FEWEST_LABELS or len(counts) < 2:
        raise RoundError(
            "A round needs at least {fewest} labelled posts of two labels to learn from; there are {total} of {kinds}. Label more first.",
            fewest=FEWEST_LABELS,
            total=counts.total(),
            kinds=len(counts),
        )


def fail(session: Session, project: Project, number: int, attempt: int, failure: Message) -> bool:
    """End a round with a failure, unless its attempt has been superseded. Returns whether it did.

    A round that was only being promoted returns to its previous state.
    """
    now = project.now()
    worked = worked_until(session.get_one(Round, number), now)
    changed = session.scalars(
        update(Round)
        .where(Round.number == number, Round.attempt == attempt, Round.is_running)
        .values(
            worked_seconds=worked,
            step_began_at=None,
            state=func.coalesce(Round.state_before, "failed"),
            state_before=None,
            is_running=False,
            failure=failure.to_dict(),
            finished_at=now,
        )
        .returning(Round.number)
    )
    has_failed = changed.first() is not None
    if has_failed:
        # Without the failure, which may quote a post: the round has it.
        record(session, project, None, "round failed", f"round {number}")
    return has_failed


def _promote(
    project: Project,
    session: Session,
    account: Account,
    number: int,
    reason: Message | None,
    *,
    expected_state: str | None = None,
    is_rollback: bool = False,
) -> None:
    row = find(session, number)
    refuse_second(session)
    champion = session.get(Champion, 1)
    if champion is not None and champion.round_number == number:
        raise RoundError("Round {number} is in use already.", number=number)
    if expected_state not in {None, row.state}:
        raise RoundError("Round {number} awaits no decision: it is {state}.", number=number, state=row.state)
    if row.report is None:
        raise RoundError(
            "Round {number} has no evaluated adapter: it is {state}.", number=number, state=row.state
        )
    if reason is None and row.state != "awaiting":
        raise RoundError(
            "Round {number} awaits no decision: it is {state}. To put it in use all the same, write why "
            "(at the command line with --reason).",
            number=number,
            state=row.state,
        )
    row.state_before, row.state, row.is_running = row.state, "scoring", True
    row.failure, row.is_rolling_back = None, is_rollback
    row.attempt, row.step_attempts = row.attempt + 1, 0
    row.decided_by_id, row.started_at = account.id, project.now()
    if reason is not None:
        row.decision_reason = reason.to_dict()
    written = None if reason is None else str(reason)
    record(session, project, account.id, "promote round", f"round {number}", reason=written)
    jobs.enqueue(
        project.database.engine,
        session,
        jobs.Job.PROMOTE,
        number,
        job_id=f"promote-{number}-{row.attempt}",
    )


def _was_promoted(session: Session, number: int) -> bool:
    return session.scalar(select(Promotion.id).where(Promotion.round_number == number).limit(1)) is not None
