"""Searches that a person saves under a name, for themselves alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select

from db.tables import SavedSearch
from workbench.accounts import Account, Right, acting, reading
from workbench.errors import InputError
from workbench.posts.search import Filter
from workbench.project import Project

LONGEST_NAME = 40
MOST = 30


@dataclass(frozen=True)
class Saved:
    name: str
    wanted: Filter


def save(project: Project, account: Account, name: str, wanted: Filter) -> None:
    """In place of the person's earlier search of that name. Raises InputError for no name, no condition, or too many."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise InputError("Give the search a name of 1 to {most} characters.", most=LONGEST_NAME)
    if wanted == Filter():
        raise InputError("Choose what to search for before you save it.")
    with acting(project, account, Right.LABEL) as session:
        own = select(SavedSearch).where(SavedSearch.person_id == account.id)
        saved = {row.name: row for row in session.scalars(own)}
        if name in saved:
            saved[name].conditions = wanted.to_dict()
        elif len(saved) >= MOST:
            raise InputError("You have {most} saved searches. Delete one first.", most=MOST)
        else:
            session.add(SavedSearch(person_id=account.id, name=name, conditions=wanted.to_dict()))


def saved_searches(project: Project, account: Account) -> list[Saved]:
    """By name."""
    query = select(SavedSearch).where(SavedSearch.person_id == account.id).order_by(SavedSearch.name)
    with reading(project, account, Right.LABEL) as session:
        return [Saved(row.name, _filter(row.conditions)) for row in session.scalars(query)]


def forget(project: Project, account: Account, name: str) -> None:
    with acting(project, account, Right.LABEL) as session:
        session.execute(
            delete(SavedSearch).where(SavedSearch.person_id == account.id, SavedSearch.name == name)
        )


def _filter(conditions: Mapping[str, Any]) -> Filter:
    values = dict(conditions)
    certainty = values.pop("certainty", None)
    return Filter(**values, certainty=None if certainty is None else (certainty[0], certainty[1]))
