"""How far the labels agree, which ones are apart, and what to do about it."""

from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup

from trainer.statistics.agreement import LEAST_ALPHA
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
from workbench.web.elements.markup import html
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.widgets import (
    decimal,
    figures,
    heading,
    note,
    percent,
    quiet,
    require_account,
    share_cell,
)
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_html, label_word, person_word

CACHE_SECONDS = 15
PAIR = "cases-pair"
"""The two labels to which the list of cases is limited, in the state of the session."""


def show() -> None:
    team = _read(require_account())
    if team.whole is None:
        note(
            _("No post has two answers yet that were given without a suggestion in sight."),
            is_done=True,
        )
        return
    _figures(team)
    if team.is_low:
        _advice(team)
    _by_label(team)
    _by_week(team.weeks)
    _by_people(team)


def _read(account: Account) -> TeamAgreement:
    return _read_cached(account, account.id, account.role, str(project().home))


@cached(CACHE_SECONDS)
def _read_cached(_account: Account, person: int, role: str, home: str) -> TeamAgreement:  # noqa: ARG001 - the cache's key
    return read_agreement(project(), _account)


def _figures(team: TeamAgreement) -> None:
    whole = team.whole
    if whole is None:
        return
    has_enough = team.has_enough
    ordinal = decimal(whole.ordinal) if has_enough else "–"
    figures(
        [
            (_("posts with two answers"), f"{whole.posts:,}"),
            (_("pairs that agree"), percent(whole.share)),
            (_("alpha, ordered labels"), ordinal),
            (_("95% interval"), "–" if not has_enough or team.interval is None else _range(team)),
            (_("alpha, unordered"), decimal(whole.alpha) if has_enough else "–"),
        ]
    )
    lines = [
        _(
            "Krippendorff's alpha is 1 if all agree and 0 if they agree as by chance. Ordered: normal against violation weighs more than normal against borderline. Only answers given without another's answer or a suggestion in sight count."
        )
    ]
    if not has_enough:
        lines.append(_("Alpha is stated from {count} posts with two answers on.").format(count=FEWEST_POSTS))
    quiet(*lines)


def _range(team: TeamAgreement) -> str:
    low, high = team.interval or (0, 0)
    return f"{low:.2f} – {high:.2f}"


def _advice(team: TeamAgreement) -> None:
    if not team.apart or team.whole is None:
        return
    worst = team.apart[0]
    one, other = map(label_word, worst.labels)
    text = _(
        "Alpha {alpha} is below {least}: the labels are too uncertain to judge a model by. Most posts judged differently are “{one}” against “{other}” ({count}). Settle those, write down the rule that decided them, and publish it in the guidelines."
    )
    note(
        text.format(
            alpha=decimal(team.whole.ordinal), least=LEAST_ALPHA, one=one, other=other, count=worst.posts
        )
    )
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
    html(table(rows, ("", _("the other answer is the same")), has_titles=True))
    if team.apart:
        headings = (_("judged differently"), _("posts"), _("still open"))
        html(table(map(_apart_row, team.apart), headings, has_numbers=True))
    quiet(_("In small print: the 95% interval and the number of posts."))


def _apart_row(pair: Apart) -> tuple[Cell, ...]:
    return Markup(" / ").join(map(label_html, pair.labels)), pair.posts, pair.open_cases


def _by_week(weeks: Sequence[WeekOfAgreement]) -> None:
    points = [InWeek(week.monday, week.ordinal, week.interval) for week in weeks if week.ordinal is not None]
    heading(_("Week by week"))
    if len(points) > 1:
        weekly(points, _("alpha, ordered labels"), goal=LEAST_ALPHA)
    rows = [(week.monday.isoformat(), share_cell(week.same), decimal(week.ordinal)) for week in weeks]
    html(table(rows, (_("week of"), _("pairs that agree"), _("alpha, ordered labels"))))


def _by_people(team: TeamAgreement) -> None:
    heading(_("Two people at a time"))
    headings = (_("who"), _("pairs that agree"), _("Cohen's kappa"))
    html(table(map(_people_row, team.people), headings))
    quiet(
        _(
            "In order of names, from {count} posts on. Kappa says how far two people agree beyond chance, not who is right."
        ).format(count=FEWEST_POSTS)
    )


def _people_row(pair: PairOfPeople) -> tuple[Cell, ...]:
    names = " · ".join(map(person_word, pair.names))
    return names, share_cell(pair.same, fewest=FEWEST_POSTS), decimal(pair.kappa)
