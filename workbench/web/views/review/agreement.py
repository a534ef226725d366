"""How far the labels agree, which ones are apart, and what to do about it."""

from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup

from trainer.statistics.agreement import LEAST_ALPHA, Agreement
from workbench.accounts import Account
from workbench.review.agreement import (
    FEWEST_POSTS,
    Apart,
    PairOfPeople,
    TeamAgreement,
    WeekOfAgreement,
    read_agreement,
)
from workbench.web.current_project import project
from workbench.web.elements.cache import cached
from workbench.web.elements.charts import InWeek, weekly
from workbench.web.elements.markup import NOTHING, html
from workbench.web.elements.tables import Cell, spread, table
from workbench.web.elements.widgets import (
    decimal,
    heading,
    note,
    percent,
    quiet,
    require_account,
    share_cell,
)
from workbench.web.views.review import layout
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_html, label_word, person_word

CACHE_SECONDS = 15
PAIR = "cases-pair"
"""The two labels to which the list of cases is limited, in the state of the session."""


def show() -> None:
    team = _read(require_account())
    if team.whole is None:
        layout.empty(
            _("No post has two answers yet."),
            _(
                "How often two people label a post alike comes here: answers given without a suggestion in sight count."
            ),
        )
        return
    html(_figures(team.whole))
    if team.is_low:
        _advice(team)
    left, right = st.columns(2, gap="large")
    with left:
        _by_label(team)
        _by_week(team.weeks)
    with right:
        _apart(team.apart)
        _by_people(team)
    quiet(_("In small print: the 95% interval and the number of posts."))
    _statistics(team)


def _read(account: Account) -> TeamAgreement:
    return _read_cached(account, account.id, account.role, str(project().home))


@cached(CACHE_SECONDS)
def _read_cached(_account: Account, person: int, role: str, home: str) -> TeamAgreement:  # noqa: ARG001 - the cache's key
    return read_agreement(project(), _account)


def _figures(whole: Agreement) -> Markup:
    figures = (
        (f"{whole.posts:,}", _("posts with two answers")),
        (percent(whole.share), _("pairs that agree")),
    )
    cell = Markup("<div><b>{}</b><span>{}</span></div>")
    return Markup('<div class="figures">{}</div>').format(NOTHING.join(cell.format(*one) for one in figures))


def _advice(team: TeamAgreement) -> None:
    if not team.apart:
        return
    worst = team.apart[0]
    one, other = map(label_word, worst.labels)
    text = _(
        "People agree too little for their labels to judge a model by. Most posts judged differently are “{one}” against “{other}” ({count}). Settle those, write down the rule that decided them, and publish it in the guidelines."
    )
    note(text.format(one=one, other=other, count=worst.posts))
    if worst.open_cases:
        st.button(
            _("Settle “{one}” against “{other}”: {count}").format(
                one=one, other=other, count=worst.open_cases
            ),
            key="settle-pair",
            on_click=_open_cases,
            args=(worst.labels,),
        )


def _open_cases(labels: tuple[str, str]) -> None:
    st.session_state["review-section"] = "cases"
    st.session_state[PAIR] = labels


def _by_label(team: TeamAgreement) -> None:
    heading(_("By label"))
    rows = [(label_html(label), share_cell(share)) for label, share in team.labels.items()]
    html(spread(table(rows, (_("label"), _("the other answer is the same")), has_titles=True)))


def _apart(pairs: Sequence[Apart]) -> None:
    if not pairs:
        return
    heading(_("Judged differently"))
    headings = (_("which labels"), _("posts"), _("still open"))
    html(spread(table(map(_apart_row, pairs), headings, has_numbers=True)))


def _apart_row(pair: Apart) -> tuple[Cell, ...]:
    return Markup(" / ").join(map(label_html, pair.labels)), pair.posts, pair.open_cases


def _by_week(weeks: Sequence[WeekOfAgreement]) -> None:
    heading(_("Week by week"))
    rows = [(week.monday.isoformat(), share_cell(week.same)) for week in weeks]
    html(spread(table(rows, (_("week of"), _("pairs that agree")))))


def _by_people(team: TeamAgreement) -> None:
    heading(_("Two people at a time"))
    rows = [(_pair(pair), share_cell(pair.same, fewest=FEWEST_POSTS)) for pair in team.people]
    html(spread(table(rows, (_("who"), _("pairs that agree")))))
    quiet(_("In order of names, from {count} posts on.").format(count=FEWEST_POSTS))


def _pair(pair: PairOfPeople) -> str:
    return " · ".join(map(person_word, pair.names))


def _statistics(team: TeamAgreement) -> None:
    with st.expander(_("Statistics"), key="agreement-statistics"):
        quiet(
            _(
                "Krippendorff's alpha is 1 if all agree and 0 if they agree as by chance. Ordered: normal against violation weighs more than normal against borderline. Below {least} labels are too uncertain to judge a model by. Only answers given without another's answer or a suggestion in sight count."
            ).format(least=LEAST_ALPHA)
        )
        html(spread(table(_alphas(team), has_titles=True)))
        points = [
            InWeek(week.monday, week.ordinal, week.interval)
            for week in team.weeks
            if week.ordinal is not None
        ]
        if len(points) > 1:
            weekly(points, _("alpha, ordered labels"), goal=LEAST_ALPHA)
        rows = [(_pair(pair), decimal(pair.kappa)) for pair in team.people]
        html(spread(table(rows, (_("who"), _("Cohen's kappa")))))
        quiet(_("Kappa says how far two people agree beyond chance, not who is right."))


def _alphas(team: TeamAgreement) -> list[tuple[str, str]]:
    whole = team.whole
    if whole is None or not team.has_enough:
        too_few = _("too few posts: from {count} with two answers on").format(count=FEWEST_POSTS)
        return [(_("alpha, ordered labels"), too_few), (_("alpha, unordered"), too_few)]
    ordinal = decimal(whole.ordinal)
    if team.interval is not None:
        ordinal += " [{:.2f}, {:.2f}]".format(*team.interval)
    return [(_("alpha, ordered labels"), ordinal), (_("alpha, unordered"), decimal(whole.alpha))]
