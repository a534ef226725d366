"""The base encoder of the next round: the one adapted to the project's posts if that is in use, else the settings'."""

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.queries.rounds import adaptations
from db.tables import Adaptation, Person
from workbench.errors import RoundError
from workbench.project import Project

ADAPTED = re.compile(r"base-(\d{4,})")


def adapted_name(number: int) -> str:
    """As rounds name it: without its folder, so that a project can move."""
    return f"base-{number:04d}"


def adaptation_of(base: str) -> int | None:
    """The number of the adaptation that made this base."""
    match = ADAPTED.fullmatch(base)
    return None if match is None else int(match[1])


def adaptation_in_use(project: Project, session: Session) -> Adaptation | None:
    """None also if the settings name another encoder by now than the one that it began from."""
    query = adaptations().where(Adaptation.is_in_use, Adaptation.base == project.settings.base_model)
    row = session.scalar(query)
    return row if row is not None and project.base_folder(row.number).is_dir() else None


def next_base(project: Project, session: Session) -> str:
    row = adaptation_in_use(project, session)
    return project.settings.base_model if row is None else adapted_name(row.number)


def bases(project: Project, session: Session) -> tuple[str, ...]:
    """The encoders that a round may name, the next one first; of adapted ones, the newest."""
    newest = session.scalar(adaptations().where(Adaptation.state == "done").limit(1))
    adapted = [] if newest is None or not project.base_folder(newest.number).is_dir() else [newest.number]
    names = (next_base(project, session), *project.settings.bases, *map(adapted_name, adapted))
    return tuple(dict.fromkeys(names))


def place_of(project: Project, base: str) -> str:
    """What `resolve_base` takes: the folder of an adapted base, else the name itself."""
    number = adaptation_of(base)
    return base if number is None else str(project.base_folder(number))


def running_adaptation(session: Session) -> Adaptation | None:
    return session.scalar(select(Adaptation).where(Adaptation.is_running))


def refuse_adaptation(session: Session) -> None:
    row = running_adaptation(session)
    if row is not None:
        starter = session.get(Person, row.started_by_id)
        raise RoundError(
            "The base encoder is being adapted, started by {name}. Wait until it is, or cancel that.",
            name=starter.name if starter else "?",
        )
