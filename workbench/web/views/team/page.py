"""Team, for leads: how far people and boards are, and who labels what."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from markupsafe import Markup

from workbench.accounts import Right
from workbench.assigning.progress import (
    AssignedBoard,
    BoardCounts,
    Team,
    Teammate,
    count_by_board,
    read_team,
)
from workbench.errors import WorkbenchError
from workbench.queue.claims import HELD_OUT_AHEAD
from workbench.web.current_project import project
from workbench.web.elements.cache import cached
from workbench.web.elements.markup import html
from workbench.web.elements.tables import Cell, spread, table
from workbench.web.elements.widgets import (
    heading,
    local,
    note,
    quiet,
    refusal,
    require_account,
    show_notice,
)
from workbench.web.frame.title import title
from workbench.web.views.team import changing
from workbench.web.wording.i18n import _

COUNTS_CACHE_SECONDS = 60
SHOWN = 300
"""Most boards in the table; the list to choose from has all of them."""


def show() -> None:
    account = require_account()
    title(_("Team"))
    show_notice()
    midnight = local(project().now()).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        team = read_team(project(), account, midnight, _monday(midnight))
        counts = _counts(str(project().home), account.id, account.role)
    except WorkbenchError as error:
        refusal(error)
        return
    _warnings(team)
    _people(team)
    _boards(team, counts)
    if account.may(Right.MANAGE_PEOPLE):
        changing.show(team)


def _monday(midnight: datetime) -> datetime:
    return midnight - timedelta(days=midnight.weekday())


@cached(COUNTS_CACHE_SECONDS)
def _counts(home: str, account_id: int, role: str) -> Mapping[int, BoardCounts]:  # noqa: ARG001 - the cache's key
    return count_by_board(project(), require_account())


def _warnings(team: Team) -> None:
    for board in team.boards:
        if board.is_unattended:
            text = _(
                "Nobody is served the {count} posts of {board} that wait: it is assigned to disabled people or empty groups only."
            )
            note(text.format(board=board.name, count=f"{board.waiting:,}"))
        if board.holds_up:
            text = _(
                "Blind posts of other boards wait until those of {board} are labelled: they are {count} posts ahead, and the sample must stay random."
            )
            note(text.format(board=board.name, count=HELD_OUT_AHEAD))


def _people(team: Team) -> None:
    heading(_("People"))
    headings = (
        _("who"),
        _("today"),
        _("goal"),
        _("this week"),
        _("posts open"),
        _("second opinions"),
        _("boards"),
    )
    rows = (_person_row(team, person) for person in team.people)
    html(_table(rows, headings))
    quiet(_("In order of names. Labels, answers to check posts included; the week begins on Monday."))


def _table(rows: Iterable[Iterable[Cell]], headings: Sequence[Cell]) -> Markup:
    return Markup('<div class="team">{}</div>').format(
        spread(table(rows, headings, has_numbers=True, has_text_last=True))
    )


def _person_row(team: Team, person: Teammate) -> Sequence[Cell]:
    share = "–" if person.second_opinions is None else f"{person.second_opinions}%"
    boards = [board.name for board in team.boards if person.id in board.served_to]
    goal: Cell = person.goal or "–"
    return person.name, person.today, goal, person.week, person.open_posts, share, ", ".join(boards) or "–"


def _boards(team: Team, counts: Mapping[int, BoardCounts]) -> None:
    heading(_("Boards"))
    if not team.boards:
        quiet(_("The imported files name no board."))
        return
    headings = (
        _("board"),
        _("posts"),
        _("labelled"),
        _("in the queue"),
        _("blind posts passed over"),
        _("assigned to"),
    )
    rows = [_board_row(team, board, counts.get(board.id, BoardCounts())) for board in team.boards[:SHOWN]]
    html(_table(rows, headings))
    if len(team.boards) > SHOWN:
        quiet(_("{count} more boards are not listed.").format(count=f"{len(team.boards) - SHOWN:,}"))


def _board_row(team: Team, board: AssignedBoard, counts: BoardCounts) -> Sequence[Cell]:
    assigned = changing.assignees(team, board) if board.is_assigned else _("everybody")
    return board.name, counts.posts, counts.labelled, board.waiting, board.passed_over, assigned
