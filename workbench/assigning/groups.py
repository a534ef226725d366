"""Groups of people, to whom a lead assigns boards together."""

from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.tables import BoardAssignment, GroupMember, Person, TeamGroup
from workbench.accounts import COMMAND_LINE, Account, Right, acting
from workbench.audit import record
from workbench.errors import InputError
from workbench.names import clean_name, name_key
from workbench.project import Project
from workbench.queue.assigned import follow_assignments


def make_group(project: Project, by: Account, name: str) -> int:
    """Raises InputError for an invalid name and for one that looks like that of another group."""
    with acting(project, by, Right.MANAGE_PEOPLE) as session:
        name = clean_name(name)
        if session.scalar(select(TeamGroup.id).where(TeamGroup.name_key == name_key(name))) is not None:
            raise InputError("There is a group of that name. Choose another.")
        group = TeamGroup(name=name, name_key=name_key(name))
        session.add(group)
        session.flush()
        record(session, project, by.id, "make group", name)
        return group.id


def set_members(project: Project, by: Account, group_id: int, people: Collection[int]) -> None:
    """Raises InputError if the group or a person is not in the project."""
    with acting(project, by, Right.MANAGE_PEOPLE) as session:
        group = group_of(session, group_id)
        names = names_of(session, people)
        members = select(GroupMember.person_id).where(GroupMember.group_id == group_id)
        if set(session.scalars(members)) == set(people):
            return
        session.execute(delete(GroupMember).where(GroupMember.group_id == group_id))
        session.add_all(GroupMember(group_id=group_id, person_id=person) for person in sorted(set(people)))
        follow_assignments(session, project)
        record(session, project, by.id, "set group members", group.name, people=names)


def delete_group(project: Project, by: Account, group_id: int) -> None:
    """With its assignments: a board that no other group and no person has goes to everybody again."""
    with acting(project, by, Right.MANAGE_PEOPLE) as session:
        group = group_of(session, group_id)
        theirs = BoardAssignment.group_id == group_id
        boards = session.scalars(select(BoardAssignment.board_id).where(theirs)).all()
        session.execute(delete(BoardAssignment).where(theirs))
        session.execute(delete(GroupMember).where(GroupMember.group_id == group_id))
        session.delete(group)
        follow_assignments(session, project, boards)
        record(session, project, by.id, "delete group", group.name)


def group_of(session: Session, group_id: int) -> TeamGroup:
    """Raises InputError."""
    group = session.get(TeamGroup, group_id)
    if group is None:
        raise InputError("That group is not there any more.")
    return group


def names_of(session: Session, people: Collection[int]) -> list[str]:
    """In order. Raises InputError if one is not in the project."""
    rows = select(Person.name).where(Person.id.in_(people), Person.name != COMMAND_LINE)
    names = session.scalars(rows.order_by(Person.name)).all()
    if len(names) < len(set(people)):
        raise InputError("That person is not in this project.")
    return list(names)
