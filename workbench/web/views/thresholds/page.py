"""Thresholds: prices of mistakes in, what passes, is flagged or is looked at out, and the band to label."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import streamlit as st
from markupsafe import Markup

from trainer.statistics.thresholds import Prices
from workbench.accounts import Account
from workbench.errors import InputError, WorkbenchError
from workbench.queue import swap
from workbench.rounds import lifecycle
from workbench.thresholds import policy
from workbench.thresholds.policy import Evidence, Proposal
from workbench.web.current_project import project
from workbench.web.elements.cache import cached
from workbench.web.elements.markup import QUIET, html
from workbench.web.elements.widgets import attempt, clock, note, quiet, refusal, require_account, show_notice
from workbench.web.frame.title import title
from workbench.web.views.thresholds import band, last_weeks, outcome, versions
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import person_word

FIRST_PRICES = Prices(missed=20, false_alarm=5, look=1)
"""Defaults of the fields before the first version; one look is the unit."""
CACHE_SECONDS = 60
PRICES = {
    "missed": N_("A missed violation costs"),
    "false_alarm": N_("A false alarm costs"),
    "look": N_("A human look costs"),
}


def show() -> None:
    account = require_account()
    with project().database.read() as session:
        listed, band_now = policy.history(session), policy.band_in_force(session, project())
        in_use = lifecycle.in_use(session)
    title(_("Thresholds"), _in_force_line(listed))
    show_notice()
    if in_use is None:
        _explain()
    try:
        evidence = _evidence(str(project().home), account.id, account.role, in_use.number if in_use else None)
        proposal = policy.propose(evidence, _asked_prices(listed))
    except WorkbenchError as error:
        refusal(error)
        return
    if listed and listed[0]["round"] != evidence.round_number:
        text = _(
            "The thresholds in force were not chosen for round {number}, which is in use. Look at them again."
        )
        note(text.format(number=evidence.round_number))
    outcome.show(evidence, proposal)
    last_weeks.show(account, evidence.recent, proposal.choice.thresholds)
    low, high = band.ask(band_now, swap.confidence_histogram(project()))
    _apply(listed, proposal, low, high)
    outcome.show_statistics(proposal)
    versions.show(listed)


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


def _apply(listed: list[dict[str, Any]], proposal: Proposal, low: float, high: float) -> None:
    version = listed[0]["version"] if listed else 0
    is_changed = not listed or _is_changed(listed[0], proposal, low, high)
    line = (
        _("Not in force yet.") if is_changed else _("Nothing has changed since version {version}.")
    ).format(version=version)
    with st.container(horizontal=True, vertical_alignment="center", key="apply"):
        st.button(
            _("Put in force as version {version}").format(version=version + 1),
            key=f"save-{version + 1}",
            type="primary",
            disabled=not is_changed,
            on_click=attempt,
            args=(_saving(proposal, low, high, version),),
        )
        html(QUIET.format(line))


def _is_changed(newest: dict[str, Any], proposal: Proposal, low: float, high: float) -> bool:
    chosen = proposal.choice.thresholds
    return (newest["prices"], newest["round"], newest["pass_below"], newest["flag_from"]) != (
        proposal.prices.to_dict(),
        proposal.round_number,
        chosen.pass_below,
        chosen.flag_from,
    ) or band.shown(*newest["band"]) != (low, high)


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
    return [st.session_state.get(key) for key in (*(f"price-{name}" for name in PRICES), band.KEY)]


def _in_force_line(listed: list[dict[str, Any]]) -> Markup:
    line = _("No thresholds are in force yet.")
    if listed:
        newest = listed[0]
        line = _("In force: version {version}, since {since}, by {name}").format(
            version=newest["version"],
            since=clock(datetime.fromisoformat(newest["created_at"])),
            name=person_word(newest["by"]),
        )
    return Markup("<span>{}</span>").format(line)


def _asked_prices(listed: list[dict[str, Any]]) -> Prices:
    first = listed[0]["prices"] if listed else FIRST_PRICES.to_dict()
    with st.container(horizontal=True, key="prices"):
        asked = {
            name: st.number_input(
                _(word), min_value=0.0, value=float(first.get(name, 1)), format="%g", key=f"price-{name}"
            )
            for name, word in PRICES.items()
        }
    quiet(_("In any one unit. The thresholds that cost least follow from them."))
    return Prices(**asked)
