"""Each person's figures, in order of names: no ranking."""

from trainer.statistics.proportions import Share
from workbench.accounts import Account
from workbench.review.quality import FEWEST_POSTS, Kind, PersonQuality, TeamQuality, read_team_quality
from workbench.web.current_project import project
from workbench.web.elements.cache import cached
from workbench.web.elements.markup import html
from workbench.web.elements.tables import Cell, spread, table
from workbench.web.elements.widgets import quiet, require_account, share_cell
from workbench.web.views.review import layout
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import person_word

CACHE_SECONDS = 60
COLUMNS: dict[Kind, str] = {
    "gold": N_("as the lead had settled it"),
    "own_again": N_("as themselves a week or more before"),
    "colleagues": N_("as a colleague"),
    "hidden": N_("as the model, its suggestion hidden"),
    "visible": N_("as the model, its suggestion in sight"),
}


def show() -> None:
    team = _read(require_account())
    quiet(
        _("{since} to {until}, whole weeks.").format(
            since=team.since.isoformat(), until=team.until.isoformat()
        )
    )
    if not team.people:
        layout.empty(
            _("No week is over yet."),
            _("The figures of a week are here a week after it is over. Each person sees them first."),
        )
        return
    headings = (_("who"), _("labels"), _("seconds each"), *(_(word) for word in COLUMNS.values()))
    html(spread(table(map(_row, team.people), headings)))
    quiet(
        _("How often a person said the same. In small print: the 95% interval and the number of posts."),
        _(
            "In order of names. Two people differ only if their intervals lie apart, and also then the posts may have been harder. A low figure is a reason to read posts together: perhaps the guidelines lack a rule."
        ),
    )


def _read(account: Account) -> TeamQuality:
    return _read_cached(account, account.id, account.role, str(project().home))


@cached(CACHE_SECONDS)
def _read_cached(_account: Account, person: int, role: str, home: str) -> TeamQuality:  # noqa: ARG001 - the cache's key
    return read_team_quality(project(), _account)


def _row(person: PersonQuality) -> tuple[Cell, ...]:
    quality = person.quality
    each = "–" if quality.seconds_each is None else f"{quality.seconds_each:.0f}"
    shares: list[Share | None] = [quality.shares.get(kind) for kind in COLUMNS]
    cells = (share_cell(share, fewest=FEWEST_POSTS) for share in shares)
    return (person_word(person.name), quality.labels, each, *cells)
