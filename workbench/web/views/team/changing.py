"""The forms with which a lead assigns boards, makes groups, and sets goals.

Their keys hold the values in force: a form that another lead's change has made outdated begins anew.
"""

from collections.abc import Mapping, Sequence

import streamlit as st

from workbench.accounts import Account
from workbench.assigning.assignments import assign_board
from workbench.assigning.goals import MOST_ANSWERS, set_goal
from workbench.assigning.groups import delete_group, make_group, set_members
from workbench.assigning.progress import AssignedBoard, Group, Team
from workbench.names import LONGEST_NAME
from workbench.web.current_project import project
from workbench.web.elements.hidden import without_hidden
from workbench.web.elements.widgets import attempt, heading, quiet
from workbench.web.wording.i18n import _


def show(team: Team) -> None:
    heading(_("Changes"))
    if team.boards:
        with st.expander(_("Assign a board"), key="assign"):
            _assign(team)
    with st.expander(_("Groups of people"), key="groups"):
        _groups(team)
    with st.expander(_("Daily goals and second opinions"), key="goals"):
        _goals(team)


def assignees(team: Team, board: AssignedBoard) -> str:
    people, groups = _names(team)
    # People who are disabled are not named: they get no posts.
    named = [people[person] for person in board.people if person in people]
    return ", ".join([*(groups[group] for group in board.groups), *named]) or _("nobody")


def _names(team: Team) -> tuple[dict[int, str], dict[int, str]]:
    return (
        {person.id: person.name for person in team.people},
        {group.id: group.name for group in team.groups},
    )


def _assign(team: Team) -> None:
    people, groups = _names(team)
    boards = {board.id: board for board in team.boards}
    chosen = _choice(_("Board"), "assign-board", {board.id: board.name for board in team.boards})
    if chosen is None:
        return
    board = boards[chosen]
    mark = f"{board.id}-{board.people}-{board.groups}"
    with st.form("assign-form", border=False):
        _several(_("People"), f"assign-people-{mark}", people, board.people)
        if groups:
            _several(_("Groups"), f"assign-groups-{mark}", groups, board.groups)
        quiet(_("With nobody, its posts go to everybody."))
        st.form_submit_button(_("Save"), key="assign-save", on_click=_save_board, args=(board, people, mark))


def _save_board(board: AssignedBoard, people: Mapping[int, str], mark: str) -> None:
    # Disabled people cannot be chosen, and stay assigned for the day they come back.
    away = [person for person in board.people if person not in people]
    chosen = [*away, *st.session_state[f"assign-people-{mark}"]]
    groups = st.session_state.get(f"assign-groups-{mark}", ())

    def save(account: Account) -> None:
        assign_board(project(), account, board.id, people=chosen, groups=groups)

    attempt(save)


def _groups(team: Team) -> None:
    people, groups = _names(team)
    form = st.form("group-new", border=False, clear_on_submit=True)
    with form, st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(_("New group"), max_chars=LONGEST_NAME, key="group-name")
        st.form_submit_button(_("Make"), key="group-make", on_click=_make_group)
    if not groups:
        return
    chosen = _choice(_("Group"), "group", groups)
    if chosen is None:
        return
    group = next(group for group in team.groups if group.id == chosen)
    mark = f"{group.id}-{list(group.people)}"
    with st.form("group-form", border=False):
        _several(_("Members"), f"group-members-{mark}", people, group.people)
        with st.container(horizontal=True):
            st.form_submit_button(
                _("Save"), key="group-save", on_click=_save_group, args=(group, people, mark)
            )
            st.form_submit_button(
                _("Delete the group"), key="group-delete", on_click=_delete_group, args=(group,)
            )


def _make_group() -> None:
    name = st.session_state["group-name"]
    attempt(lambda account: make_group(project(), account, name))


def _save_group(group: Group, people: Mapping[int, str], mark: str) -> None:
    away = [person for person in group.people if person not in people]
    chosen = [*away, *st.session_state[f"group-members-{mark}"]]
    attempt(lambda account: set_members(project(), account, group.id, chosen))


def _delete_group(group: Group) -> None:
    attempt(lambda account: delete_group(project(), account, group.id))


def _goals(team: Team) -> None:
    people, _groups_by_id = _names(team)
    chosen = _choice(_("Person"), "goal-person", people)
    if chosen is None:
        return
    person = next(person for person in team.people if person.id == chosen)
    mark = f"{person.id}-{person.own_goal}-{person.second_opinions}"
    settings = project().settings
    with st.form("goal-form", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.number_input(
                _("Answers a day"),
                min_value=0,
                max_value=MOST_ANSWERS,
                value=person.own_goal,
                placeholder=_("the project's ({value})").format(value=settings.daily_goal or "–"),
                key=f"goal-answers-{mark}",
            )
            st.number_input(
                _("Second opinions, % of the posts served"),
                min_value=0,
                max_value=100,
                value=person.second_opinions,
                placeholder=_("the project's"),
                key=f"goal-share-{mark}",
            )
        quiet(_("The goal stands beside the person's own number on the Label page; 0: none."))
        with st.container(horizontal=True):
            st.form_submit_button(_("Save"), key="goal-save", on_click=_save_goal, args=(person.id, mark))
            # A number that has a value cannot be emptied.
            st.form_submit_button(
                _("As in the project"), key="goal-reset", on_click=_set_goal, args=(person.id, None, None)
            )


def _save_goal(person_id: int, mark: str) -> None:
    goal, share = (st.session_state[f"goal-{name}-{mark}"] for name in ("answers", "share"))
    _set_goal(person_id, goal, share)


def _set_goal(person_id: int, goal: int | None, share: int | None) -> None:
    attempt(lambda account: set_goal(project(), account, person_id, goal=goal, second_opinions=share))


def _choice(title: str, key: str, names: Mapping[int, str]) -> int | None:
    return st.selectbox(
        title,
        list(names),
        index=None,
        format_func=lambda number: without_hidden(names.get(number, "")),
        placeholder="–",
        key=key,
    )


def _several(title: str, key: str, names: Mapping[int, str], chosen: Sequence[int]) -> None:
    st.multiselect(
        title,
        list(names),
        default=[number for number in chosen if number in names],
        select_all=False,  # Streamlit has it in English only
        format_func=lambda number: without_hidden(names.get(number, "")),
        placeholder="–",
        key=key,
    )
