"""What starts when by itself, as pages and commands say it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries.rounds import labels_taken, rounds_by_number
from db.queries.standing import labelled_posts, labelled_since
from db.tables import Person, RoundRule
from trainer.messages import Message
from workbench.errors import InputError
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.rounds.automatic.schedule import OFF, Rule, Standing, Step, next_step, zone_of
from workbench.rounds.base import running_adaptation


@dataclass(frozen=True)
class Upcoming:
    """`failed` is the number of the last round if it failed, `problem` why a round that was due did not start."""

    rule: Rule
    standing: Standing
    set_by: str | None = None
    set_at: datetime | None = None
    failed: int | None = None
    problem: Message | None = None

    @property
    def step(self) -> Step:
        return next_step(self.rule, self.standing)

    def to_dict(self) -> dict[str, Any]:
        return {
            "on": self.rule.is_on,
            "after_labels": self.rule.after_labels,
            "at": None if self.rule.at is None else f"{self.rule.at:%H:%M}",
            "zone": self.rule.zone,
            "new_labels": self.standing.new_labels,
            "skips_next": self.standing.skips_next,
            "set_by": self.set_by,
            "set_at": None if self.set_at is None else self.set_at.isoformat(),
            "sentences": list(map(str, self.sentences())),
        }

    def sentences(self) -> Iterator[Message]:
        if not self.rule.is_on:
            yield Message("No round starts by itself.")
            return
        yield self._when()
        if self.standing.skips_next:
            yield Message("The next one is skipped.")
        if self.problem is not None:
            yield Message("The round that was due did not start: {reason}", reason=self.problem)
        if self.failed is not None:
            yield Message(
                "Round {number} failed and is not tried again by itself: only what is labelled since it started "
                "counts for the next one. A lead can start one.",
                number=self.failed,
            )

    def _when(self) -> Message:
        count, left = f"{self.standing.new_labels:,}", self._labels_left()
        if self.step is Step.START or left == 0:
            return Message("A round starts by itself soon: {count} new labels.", count=count)
        if self.rule.at is None:
            return Message("A round starts by itself after {left} more labels.", left=f"{left:,}")
        when = {"time": f"{self.rule.at:%H:%M}", "zone": self.rule.zone or f"{self.standing.local:%Z}"}
        if left is not None:
            return Message(
                "A round starts by itself after {left} more labels, or at {time} ({zone}): {count} new labels so far.",
                left=f"{left:,}",
                count=count,
                **when,
            )
        if not self.standing.new_labels:
            return Message(
                "A round starts by itself at {time} ({zone}) if something is labelled by then: nothing new so far.",
                **when,
            )
        return Message(
            "A round starts by itself at {time} ({zone}): {count} new labels so far.", count=count, **when
        )

    def _labels_left(self) -> int | None:
        if self.rule.after_labels is None:
            return None
        return max(self.rule.after_labels - self.standing.new_since_skip, 0)


def read_upcoming(project: Project, session: Session) -> Upcoming:
    row = session.get(RoundRule, 1)
    if row is None:
        return Upcoming(OFF, Standing(project.now()))
    rule = Rule(row.after_labels, row.at_time, row.zone)
    set_by = session.get_one(Person, row.person_id).name
    if not rule.is_on:
        return Upcoming(rule, Standing(project.now()), set_by, row.set_at)
    local, taken_on = project.now().astimezone(), row.taken_on
    problem = None if row.refusal is None else Message.from_dict(row.refusal)
    try:
        local = local.astimezone(zone_of(rule.zone))
    except InputError as error:  # the project has moved to a machine without this zone: no time of day comes
        taken_on, problem = date.max, error.message
    last = session.scalar(rounds_by_number().limit(1))
    standing = Standing(
        local,
        taken_on,
        *_new_labels(session, row),
        is_running=lifecycle.running(session) is not None or running_adaptation(session) is not None,
        skips_next=row.skips_next,
    )
    return Upcoming(
        rule,
        standing,
        set_by,
        row.set_at,
        failed=last.number if last is not None and last.state == "failed" else None,
        problem=problem,
    )


def _new_labels(session: Session, row: RoundRule) -> tuple[int, int]:
    """Posts labelled since labels last had their round, and since one was skipped if that is later."""
    taken = session.scalar(labels_taken())
    new = _labelled_since(session, taken)
    if row.counted_from is None or (taken is not None and taken >= row.counted_from):
        return new, new
    return new, _labelled_since(session, row.counted_from)


def _labelled_since(session: Session, moment: datetime | None) -> int:
    labelled = labelled_posts() if moment is None else labelled_since(moment)
    return session.scalar(select(func.count()).select_from(labelled.subquery())) or 0
