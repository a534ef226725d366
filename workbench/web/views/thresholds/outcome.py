"""What follows from the prices: one bar of verdicts, the scores with their zones, and the statistics behind them."""

from itertools import pairwise

import numpy as np
import streamlit as st
from markupsafe import Markup
from numpy.typing import NDArray

from trainer.statistics.proportions import Share
from trainer.statistics.thresholds import NEVER, Figure, Thresholds
from workbench.thresholds.policy import Evidence, Proposal
from workbench.thresholds.volumes import Volumes
from workbench.web.elements.markup import NOTHING, html
from workbench.web.elements.tables import table
from workbench.web.elements.widgets import heading, percent, quiet
from workbench.web.views.thresholds.drawing import bars, scale, zone
from workbench.web.wording.i18n import N_, _

VERDICT_WORDS = {"pass": N_("pass"), "human": N_("people look"), "flag": N_("flagged")}
BINS = 100


def show(evidence: Evidence, proposal: Proposal) -> None:
    heading(_("What follows"))
    html(verdict_bar(proposal.whole) + _legend(proposal.whole))
    quiet(*_lines(evidence, proposal))
    html(_figures(proposal))
    quiet(
        _(
            "Measured on test posts with these thresholds. A violation that people look at counts as caught, so both differ from the Rounds page."
        )
    )
    html(_zones(evidence.unlabelled_histogram, proposal.choice.thresholds))


def show_statistics(proposal: Proposal) -> None:
    costs = proposal.expected
    rows = (
        (_("cost of 1,000 posts"), _per_thousand(costs.cost)),
        (_("if people looked at every one"), f"{1000 * proposal.all_looked_at:,.0f}"),
        (_("violations that pass, of 1,000 posts"), _per_thousand(costs.missed, 1)),
        (_("wrong flags, of 1,000 posts"), _per_thousand(costs.false_alarms, 1)),
        (_("violations flagged or seen by people"), _interval(proposal.caught)),
        (_("flags right at these thresholds"), _interval(proposal.right_flags)),
        (
            _("passes below"),
            _range(proposal.choice.thresholds.pass_below, proposal.choice.pass_below_interval),
        ),
        (
            _("is flagged from"),
            _range(proposal.choice.thresholds.flag_from, proposal.choice.flag_from_interval),
        ),
    )
    with st.expander(_("Statistics"), key="statistics"):
        html(table(rows, ("", _("95% interval in brackets")), has_titles=True))
        text = _(
            "Chosen on {validation} validation posts, measured on {test} test posts that chose nothing ({violations} violations)."
        )
        quiet(
            text.format(
                validation=f"{proposal.validation_posts:,}",
                test=f"{costs.rows:,}",
                violations=f"{costs.violations:,}",
            )
        )


def verdict_bar(volumes: Volumes) -> Markup:
    """One stacked bar, true to scale."""
    part = Markup('<i class="{}" style="flex-grow:{}"></i>')
    parts = NOTHING.join(part.format(verdict, count) for verdict, count in by_verdict(volumes) if count)
    return Markup('<div class="verdict-bar" aria-hidden="true">{}</div>').format(parts)


def by_verdict(volumes: Volumes) -> tuple[tuple[str, int], ...]:
    return ("pass", volumes.passed), ("human", volumes.human), ("flag", volumes.flagged)


def _legend(volumes: Volumes) -> Markup:
    cell = Markup('<div class="{}"><b>{:,}</b> <span>{}</span> <small>{}</small></div>')
    cells = (
        cell.format(verdict, count, _(VERDICT_WORDS[verdict]), _share(count, volumes.total))
        for verdict, count in by_verdict(volumes)
    )
    return Markup('<div class="verdicts">{}</div>').format(NOTHING.join(cells))


def _share(count: int, total: int) -> str:
    return f"{count / total:.1%}" if total else "–"


def _lines(evidence: Evidence, proposal: Proposal) -> list[str]:
    text = _(
        "All {posts} posts so far, counted as the file of verdicts counts them: {labelled} by people's labels, the others by the model."
    )
    lines = [
        text.format(posts=f"{proposal.whole.total:,}", labelled=f"{evidence.by_people.total:,}"),
    ]
    if proposal.day is None:
        return [*lines, _("The posts carry no times, so how many come a day is not known.")]
    day = _("About {posts} new posts a day: {passed} pass, {human} for people, {flagged} flagged.")
    return [
        *lines,
        day.format(
            posts=f"{proposal.day.total:,}",
            passed=f"{proposal.day.passed:,}",
            human=f"{proposal.day.human:,}",
            flagged=f"{proposal.day.flagged:,}",
        ),
    ]


def _figures(proposal: Proposal) -> Markup:
    values = (
        (_mean(proposal.caught), _("violations flagged or seen by people")),
        (_mean(proposal.right_flags), _("flags right at these thresholds")),
        (f"{1000 * proposal.expected.cost.mean:,.0f}", _("cost of 1,000 posts")),
        (f"{1000 * proposal.all_looked_at:,.0f}", _("if people looked at every one")),
    )
    cell = Markup("<div><b>{}</b><span>{}</span></div>")
    return Markup('<div class="figures">{}</div>').format(NOTHING.join(cell.format(*one) for one in values))


def _mean(share: Share | None) -> str:
    return percent(None if share is None else share.mean)


def _zones(thousandths: NDArray[np.int64], chosen: Thresholds) -> Markup:
    """The violation scores of the posts that the model decides on, over the zones of the verdicts."""
    counts = np.add.reduceat(thousandths[:1000], np.arange(0, 1000, 1000 // BINS))
    counts[-1] += thousandths[1000:].sum()
    cuts = (0.0, min(chosen.pass_below, 1.0), min(chosen.flag_from, 1.0), 1.0)
    zones = NOTHING.join(
        zone(verdict, low, high, _(VERDICT_WORDS[verdict]))
        for verdict, (low, high) in zip(VERDICT_WORDS, pairwise(cuts), strict=True)
        if high > low
    )
    marks = [(cut, f"{cut:.3f}") for cut in (chosen.pass_below, chosen.flag_from) if 0 < cut < 1]
    return Markup('<figure class="scores">{}{}{}<figcaption>{}</figcaption></figure>').format(
        Markup('<div class="plot"><div class="zones">{}</div>{}</div>').format(
            zones, bars(counts, _("Posts by violation score"), is_rooted=True)
        ),
        Markup('<div class="cuts">{}</div>').format(NOTHING.join(_mark(at, word) for at, word in marks)),
        scale(0, 1, 0.1),
        _("Violation score of the posts without a label. Heights are square roots of the numbers."),
    )


def _mark(at: float, word: str) -> Markup:
    return Markup('<span style="left:{:.1f}%">{}</span>').format(100 * at, word)


def _threshold(value: float) -> str:
    return _("never") if value >= NEVER else f"{value:.3f}"


def _range(value: float, interval: tuple[float, float]) -> str:
    return f"{_threshold(value)} [{', '.join(map(_threshold, interval))}]"


def _interval(share: Share | None) -> str:
    if share is None:
        return "–"
    low, high = share.interval
    return f"{share.mean:.1%} [{low:.1%}, {high:.1%}]"


def _per_thousand(figure: Figure, digits: int = 0) -> str:
    mean, (low, high) = 1000 * figure.mean, (1000 * bound for bound in figure.interval)
    return f"{mean:,.{digits}f} [{low:,.{digits}f}, {high:,.{digits}f}]"
