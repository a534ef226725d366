"""My work: a person's own figures, which nobody is compared by."""

from collections.abc import Mapping
from datetime import date

import streamlit as st

from workbench.accounts import Account
from workbench.errors import WorkbenchError
from workbench.review.quality import FEWEST_POSTS, Kind, MyWork, Quality, read_my_work
from workbench.web.current_project import project
from workbench.web.elements.cache import cached
from workbench.web.elements.charts import InWeek, weekly
from workbench.web.elements.markup import html
from workbench.web.elements.tables import table
from workbench.web.elements.widgets import (
    figures,
    heading,
    note,
    percent,
    quiet,
    refusal,
    require_account,
    share_cell,
)
from workbench.web.frame.title import title
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import label_html

CACHE_SECONDS = 60
LINE_HEIGHT = 110
MEASURES: Mapping[Kind, str] = {
    "gold": N_("as the lead had settled it"),
    "own_again": N_("as I said a week or more before"),
    "colleagues": N_("as a colleague, each without the other's answer"),
    "hidden": N_("as the model, its suggestion hidden"),
    "visible": N_("as the model, its suggestion in sight"),
}


def show() -> None:
    account = require_account()
    title(_("My work"))
    try:
        work = _read(account)
    except WorkbenchError as error:
        refusal(error)
        return
    quiet(
        _("{since} to {until}, whole weeks.").format(
            since=work.since.isoformat(), until=work.until.isoformat()
        )
    )
    if not work.weeks:
        note(_("The figures of a week are here when it is over: the first ones on Monday."), is_done=True)
    else:
        _figures(work.whole)
        _measures(work.whole)
        _gold(work)
        _weeks(work.weeks)
    _explanation()


def _read(account: Account) -> MyWork:
    return _read_cached(account, account.id, account.role, str(project().home))


@cached(CACHE_SECONDS)
def _read_cached(_account: Account, person: int, role: str, home: str) -> MyWork:  # noqa: ARG001 - the cache's key
    return read_my_work(project(), _account)


def _figures(whole: Quality) -> None:
    each = "–" if whole.seconds_each is None else f"{whole.seconds_each:.0f}"
    figures([(_("labels"), f"{whole.labels:,}"), (_("seconds each"), each)])


def _measures(whole: Quality) -> None:
    heading(_("How often I said the same"))
    rows = [
        (_(words), share_cell(whole.shares.get(kind), fewest=FEWEST_POSTS))
        for kind, words in MEASURES.items()
    ]
    html(table(rows, has_titles=True))
    quiet(_("In small print: the 95% interval and the number of posts. The wider it is, the less it says."))
    seen, unseen = (whole.shares.get(kind) for kind in ("visible", "hidden"))
    if seen and unseen and min(seen.rows, unseen.rows) >= FEWEST_POSTS and seen.mean > unseen.interval[1]:
        quiet(
            _(
                "I agree with the model more often if I see its suggestion first ({seen} against {unseen}): it may be leading me."
            ).format(seen=percent(seen.mean), unseen=percent(unseen.mean))
        )


def _gold(work: MyWork) -> None:
    labels = {label: share for label, share in work.gold.items() if share.rows >= FEWEST_POSTS}
    if not labels:
        return
    heading(_("Posts that a lead had settled"))
    rows = [(label_html(label), share_cell(share)) for label, share in labels.items()]
    html(table(rows, (_("settled as"), _("I said the same")), has_titles=True))


def _weeks(weeks: Mapping[date, Quality]) -> None:
    took = [
        InWeek(monday, week.seconds_each) for monday, week in weeks.items() if week.seconds_each is not None
    ]
    lines = [
        (_("seconds each"), took, "~"),
        (_("as a colleague"), _line(weeks, "colleagues"), "~%"),
        (_("as the model, its suggestion hidden"), _line(weeks, "hidden"), "~%"),
    ]
    drawn = [line for line in lines if len(line[1]) > 1]
    if not drawn:
        return
    heading(_("Week by week"))
    for column, (line, points, numbers) in zip(st.columns(len(drawn), gap="medium"), drawn, strict=True):
        with column:
            quiet(line)
            weekly(points, numbers=numbers, height=LINE_HEIGHT)


def _line(weeks: Mapping[date, Quality], kind: Kind) -> list[InWeek]:
    shares = ((monday, week.shares.get(kind)) for monday, week in weeks.items())
    return [
        InWeek(monday, share.mean, share.interval)
        for monday, share in shares
        if share is not None and share.rows >= FEWEST_POSTS
    ]


def _explanation() -> None:
    heading(_("What this is"))
    if share := project().settings.check_share:
        text = _(
            "About {count} of a hundred posts are known already: settled by a lead, or labelled by you at least a week ago. They look like all others, and your answer to them changes no label. Which ones they were is not told, as you and your colleagues would then know their answers."
        )
        quiet(text.format(count=share))
    quiet(
        _(
            "A colleague or the lead may be wrong too, and hard posts are labelled more often than easy ones. You see a week first; leads and reviewers see it a week later, in a list by name and never by figure."
        )
    )
