"""Rounds that start by themselves: leads set the rule and skip a round, the worker starts what is due."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db.tables import RoundRule
from trainer.messages import Message
from workbench.accounts import Account, Right, acting
from workbench.audit import record
from workbench.errors import RoundError
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.rounds.automatic.schedule import Rule, Step, checked, is_enough, is_time, zone_of
from workbench.rounds.automatic.upcoming import Upcoming, read_upcoming

ANY = datetime.min.replace(tzinfo=UTC)
"""In place of the moment at which the rule that the lead has seen was set."""


def set_rule(project: Project, account: Account, rule: Rule, *, seen: datetime | None = ANY) -> None:
    """A time of day that has passed today comes tomorrow for the first time.

    `seen` is when the rule shown to the lead was set, None if none was. Raises InputError for a rule that cannot be
    kept, RoundError if the rule shown is no longer in force.
    """
    with acting(project, account, Right.RUN_ROUNDS) as session:
        row = session.get(RoundRule, 1)
        if seen not in {ANY, None if row is None else row.set_at}:
            raise RoundError("Another lead has changed when rounds start by themselves. Look at it again.")
        _write(project, session, account, row, checked(rule))
        at = None if rule.at is None else f"{rule.at:%H:%M}"
        detail = {"after_labels": rule.after_labels, "at": at, "zone": rule.zone}
        record(session, project, account.id, "set automatic rounds", "rounds", **detail)


def skip_next(project: Project, account: Account, *, skips: bool = True) -> None:
    """Raises RoundError if no round starts by itself."""
    with acting(project, account, Right.RUN_ROUNDS) as session:
        row = session.get(RoundRule, 1)
        if row is None or (row.after_labels is None and row.at_time is None):
            raise RoundError("No round starts by itself, so there is none to skip.")
        row.skips_next = skips
        record(session, project, account.id, "skip automatic round", "rounds", skips=skips)


def start_due(project: Project) -> int | None:
    """The number of the round that was due and is queued now.

    One transaction takes the time, adds the row and enqueues the job: a worker that ends before it has done nothing.
    """
    with project.database.read() as session:
        if read_upcoming(project, session).step is Step.WAIT:
            return None
    with project.database.write() as session:
        upcoming = read_upcoming(project, session)
        if upcoming.step is Step.WAIT:
            return None
        return _take(project, session, session.get_one(RoundRule, 1), upcoming)


def _write(project: Project, session: Session, account: Account, row: RoundRule | None, rule: Rule) -> None:
    if row is None:
        row = RoundRule(id=1, skips_next=False)
        session.add(row)
    if (row.at_time, row.zone) != (rule.at, rule.zone):
        local = project.now().astimezone(zone_of(rule.zone))
        row.taken_on = local.date() if is_time(rule, local, None) else None
    row.after_labels, row.at_time, row.zone = rule.after_labels, rule.at, rule.zone
    row.skips_next = row.skips_next and rule.is_on
    row.refusal = None
    row.person_id, row.set_at = account.id, project.now()


def _take(project: Project, session: Session, row: RoundRule, upcoming: Upcoming) -> int | None:
    standing, number, row.refusal = upcoming.standing, None, None
    if upcoming.step is Step.START:
        number = _start(project, session, row, standing.new_labels)
    if upcoming.step is Step.SKIP:
        row.skips_next = False
        row.counted_from = project.now() if is_enough(upcoming.rule, standing) else row.counted_from
        record(session, project, None, "automatic round skipped", "rounds", labels=standing.new_labels)
    if is_time(upcoming.rule, standing.local, standing.taken_on):
        row.taken_on = standing.local.date()
    return number


def _start(project: Project, session: Session, row: RoundRule, labels: int) -> int | None:
    """None, with the reason in the row, if the labels do not suffice."""
    notes = Message("started by itself with {count} new labels", count=f"{labels:,}")
    try:
        return lifecycle.queue_round(project, session, row.person_id, notes=notes, is_automatic=True)
    except RoundError as error:
        row.refusal = error.message.to_dict()
        return None
