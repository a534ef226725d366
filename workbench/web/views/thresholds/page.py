"""Thresholds: prices of mistakes, the cut-offs for passing and flagging, and the band to label."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import streamlit as st
from markupsafe import Markup

from trainer.statistics.thresholds import NEVER, Figure, Prices, Thresholds
from workbench.accounts import Account
from workbench.errors import InputError, WorkbenchError
from workbench.queue import swap
from workbench.rounds import lifecycle
from workbench.thresholds import policy
from workbench.thresholds.policy import Evidence, Proposal
from workbench.thresholds.volumes import Volumes
from workbench.web.current_project import project
from workbench.web.elements.cache import cached
from workbench.web.elements.charts import histogram
from workbench.web.elements.markup import html
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.widgets import (
    attempt,
    clock,
    figures,
    heading,
    note,
    quiet,
    refusal,
    require_account,
    show_notice,
)
from workbench.web.frame.title import title
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import person_word

FIRST_PRICES = Prices(missed=20, false_alarm=5, look=1)
"""Defaults of the fields before the first version; one look is the unit."""
CACHE_SECONDS = 60
LOWEST = 0.34
"""The highest of three probabilities is at least a third."""


PRICES = {
    "missed": N_("a missed violation"),
    "false_alarm": N_("a false alarm"),
    "look": N_("a human look"),
}


def show() -> None:
    account = require_account()
    with project().database.read() as session:
        versions, band = policy.history(session), policy.band_in_force(session, project())
        in_use = lifecycle.in_use(session)
    title(_("Thresholds"), _in_force_line(versions))
    show_notice()
    if in_use is None:
        _explain()
    try:
        evidence = _evidence(str(project().home), account.id, account.role, in_use.number if in_use else None)
        proposal = policy.propose(evidence, _asked_prices(versions))
    except WorkbenchError as error:
        refusal(error)
        return
    if versions and versions[0]["round"] != evidence.round_number:
        text = _(
            "The thresholds in force were not chosen for round {number}, which is in use. Look at them again."
        )
        note(text.format(number=evidence.round_number))
    _outcome(evidence, proposal)
    low, high = _asked_band(band.low, band.high)
    version = versions[0]["version"] + 1 if versions else 1
    st.button(
        _("Put in force as version {version}").format(version=version),
        key=f"save-{version}",
        type="primary",
        on_click=attempt,
        args=(_saving(proposal, low, high, version - 1),),
    )
    _history(versions)


def _explain() -> None:
    quiet(
        _(
            "Thresholds turn the scores of the model in use into verdicts: a post passes, is flagged, or is looked at by people."
        )
    )
    html(Markup('<a href="/rounds">{}</a>').format(_("Start a round on the Rounds page")))


@cached(CACHE_SECONDS)
def _evidence(home: str, account_id: int, role: str, in_use: int | None) -> Evidence:  # noqa: ARG001 - the cache's key
    """Cached per person, role and round in use; it does not depend on the prices."""
    return policy.read_evidence(project(), require_account())


def _saving(proposal: Proposal, low: float, high: float, version: int) -> Callable[[Account], object]:
    """Save what is on screen. An entry that arrives with the press is refused: its outcome has not been shown yet."""
    seen = _entered()

    def save(account: Account) -> object:
        if _entered() != seen:
            raise InputError("The figures have just changed. Look at them, then press again.")
        return policy.save(project(), account, proposal, low=low, high=high, expected_version=version)

    return save


def _entered() -> list[object]:
    """Current values of the fields."""
    return [st.session_state.get(key) for key in (*(f"price-{name}" for name in PRICES), "band")]


def _in_force_line(versions: list[dict[str, Any]]) -> Markup:
    line = _("No thresholds are in force yet.")
    if versions:
        newest = versions[0]
        line = _("In force: version {version}, since {since}, by {name}").format(
            version=newest["version"],
            since=clock(datetime.fromisoformat(newest["created_at"])),
            name=person_word(newest["by"]),
        )
    return Markup("<span>{}</span>").format(line)


def _asked_prices(versions: list[dict[str, Any]]) -> Prices:
    first = versions[0]["prices"] if versions else FIRST_PRICES.to_dict()
    quiet(_("What each costs, in any one unit: the thresholds that cost least follow."))
    words = {name: _(word) for name, word in PRICES.items()}
    with st.container(horizontal=True):
        asked = {
            name: st.number_input(word, min_value=0.0, value=float(first.get(name, 1)), key=f"price-{name}")
            for name, word in words.items()
        }
    return Prices(**asked)


def _outcome(evidence: Evidence, proposal: Proposal) -> None:
    chosen, costs = proposal.choice.thresholds, proposal.expected
    figures(
        [
            (_("passes below"), _threshold(chosen.pass_below)),
            (_("is flagged from"), _threshold(chosen.flag_from)),
            (_("cost of 1,000 posts, 95% interval"), _per_thousand(costs.cost)),
            (_("if people looked at every one"), f"{1000 * proposal.all_looked_at:,.0f}"),
        ]
    )
    rests = _(
        "Chosen on {validation} validation posts, the cost measured on {test} test posts that chose nothing ({violations} violations). "
        "Of 1,000 posts, {missed} violations pass and {false} flags are wrong. "
        "Other validation posts would have led to other thresholds (95%): passing below {passes}, flagging from {flags}."
    )
    quiet(
        rests.format(
            validation=f"{proposal.validation_posts:,}",
            test=f"{costs.rows:,}",
            violations=f"{costs.violations:,}",
            missed=_per_thousand(costs.missed, 1),
            false=_per_thousand(costs.false_alarms, 1),
            passes=_range(*proposal.choice.pass_below_interval),
            flags=_range(*proposal.choice.flag_from_interval),
        )
    )
    _volumes(proposal)
    histogram(
        evidence.score_histogram,
        _("violation score"),
        marks=[(cut, word) for cut, word in _cuts(chosen)],
        is_rooted=True,
    )


def _cuts(chosen: Thresholds) -> list[tuple[float, str]]:
    cuts = [(chosen.pass_below, _("passes below")), (chosen.flag_from, _("is flagged from"))]
    return [(cut, word) for cut, word in cuts if cut < NEVER]


def _volumes(proposal: Proposal) -> None:
    rows = [_volume_row(_("of all {count} posts"), proposal.whole)]
    if proposal.day is not None:
        rows.insert(0, _volume_row(_("of {count} posts a day"), proposal.day))
    headings = ("", _("pass by themselves"), _("people look"), _("flagged by themselves"))
    html(table(rows, headings, has_titles=True, has_numbers=True))


def _volume_row(title: str, volume: Volumes) -> Sequence[Cell]:
    counts = (volume.passed, volume.human, volume.flagged)
    return (title.format(count=f"{sum(counts):,}"), *counts)


def _asked_band(low: float, high: float) -> tuple[float, float]:
    heading(_("What people are asked about"))
    counts = swap.confidence_histogram(project())
    start, end = st.slider(
        _("The certainties people label, and all below"),
        LOWEST,
        0.99,
        (max(LOWEST, low), min(0.99, high)),
        step=0.01,
        key="band",
    )
    histogram(counts, _("certainty"), shaded=(start, end), start=1 / 3)
    first, last = round(1000 * start), round(1000 * end)
    size = _(
        "The model is unsure about {unsure} of the {posts} posts that waited when the queue was filled: {inside} in this band, {below} below it."
    )
    quiet(
        size.format(
            unsure=f"{counts[:last].sum():,}",
            posts=f"{counts.sum():,}",
            inside=f"{counts[first:last].sum():,}",
            below=f"{counts[:first].sum():,}",
        )
    )
    return float(start), float(end)


def _history(versions: list[dict[str, Any]]) -> None:
    if not versions:
        return
    heading(_("All versions"))
    headings = (
        _("version"),
        _("passes below"),
        _("is flagged from"),
        _("model unsure"),
        _("missed / false alarm / look"),
        _("round"),
        _("who"),
        _("when"),
    )
    html(table(map(_version_row, versions), headings))


def _version_row(row: dict[str, Any]) -> Sequence[Cell]:
    return (
        str(row["version"]),
        _threshold(row["pass_below"]),
        _threshold(row["flag_from"]),
        f"{row['band'][0]:.2f} – {row['band'][1]:.2f}",
        " / ".join(f"{row['prices'].get(name, 0):g}" for name in ("missed", "false_alarm", "look")),
        str(row["round"] or "–"),
        person_word(row["by"]),
        clock(datetime.fromisoformat(row["created_at"])),
    )


def _threshold(value: float) -> str:
    return _("never") if value >= NEVER else f"{value:.3f}"


def _range(low: float, high: float) -> str:
    first, last = _threshold(low), _threshold(high)
    return first if first == last else _("{low} to {high}").format(low=first, high=last)


def _per_thousand(figure: Figure, digits: int = 0) -> str:
    mean, (low, high) = 1000 * figure.mean, (1000 * bound for bound in figure.interval)
    return f"{mean:,.{digits}f} [{low:,.{digits}f}, {high:,.{digits}f}]"
