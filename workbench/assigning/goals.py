"""A person's daily goal and share of second opinions, where they differ from the project's."""

from db.tables import Person
from workbench.accounts import COMMAND_LINE, Account, Right, acting
from workbench.audit import record
from workbench.errors import InputError
from workbench.project import Project

MOST_ANSWERS = 10_000
"""A day."""


def set_goal(
    project: Project, by: Account, person_id: int, *, goal: int | None, second_opinions: int | None
) -> None:
    """`goal` in answers a day, 0 for none; `second_opinions` in percent of the posts served. None: the project's.

    Raises InputError for a person who is not in the project, and for numbers out of range.
    """
    with acting(project, by, Right.MANAGE_PEOPLE) as session:
        person = session.get(Person, person_id)
        if person is None or person.name == COMMAND_LINE:
            raise InputError("That person is not in this project.")
        if goal is not None and not 0 <= goal <= MOST_ANSWERS:
            raise InputError("A daily goal is a number from 0 to {most}.", most=MOST_ANSWERS)
        if second_opinions is not None and not 0 <= second_opinions <= 100:
            raise InputError("The share of second opinions is a number from 0 to 100.")
        if (person.daily_goal, person.second_opinion_share) == (goal, second_opinions):
            return
        person.daily_goal, person.second_opinion_share = goal, second_opinions
        record(session, project, by.id, "set goal", person.name, goal=goal, second_opinions=second_opinions)
