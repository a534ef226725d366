"""Overview, for leads: the next action, four figures, the learning curve, today's annotators, labels and weeks."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import streamlit as st
from markupsafe import Markup

from trainer.labels import LABELS
from workbench.errors import WorkbenchError
from workbench.overview.figures import AnnotatorDay, Overview, read_overview
from workbench.overview.weeks import Week, read_weeks
from workbench.queue import swap
from workbench.thresholds import policy
from workbench.web.current_project import project
from workbench.web.elements.cache import cached
from workbench.web.elements.charts import histogram, measured_curve
from workbench.web.elements.markup import NOTHING, html
from workbench.web.elements.not_used import not_used
from workbench.web.elements.partly_scored import partly_scored_line
from workbench.web.elements.rounds.measured import basis, value
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.widgets import heading, headline, local, percent, quiet, refusal, require_account
from workbench.web.frame.title import title
from workbench.web.views.overview.action import show_action
from workbench.web.views.overview.statistics import show_statistics
from workbench.web.views.overview.weeks import show_weeks
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import SPLIT_WORDS, label_html, person_word

CACHE_SECONDS = 15
WEEKS_CACHE_SECONDS = 300
SPLITS = {
    "pool": N_("to learn from"),
    **SPLIT_WORDS,
    "audit": N_("audit"),
    "unprepared": N_("being prepared"),
}


def show() -> None:
    account = require_account()
    midnight = local(project().now()).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        overview = _read(str(project().home), account.id, account.role, midnight)
    except WorkbenchError as error:
        title(_("Overview"))
        refusal(error)
        return
    title(
        _("Overview"),
        NOTHING if overview.hands else Markup("<span>{}</span>").format(_("No labels yet today.")),
    )
    weeks = _weeks(str(project().home), account.id, account.role, overview.posts, overview.champion)
    show_action(overview.advice)
    _figures(overview)
    if overview.partly_scored is not None:
        quiet(partly_scored_line(overview.partly_scored))
    with st.container(key="overview-parts"):
        _halves(overview, weeks)
    _certainties(overview)
    show_statistics(overview, weeks)


@cached(CACHE_SECONDS)
def _read(home: str, account_id: int, role: str, midnight: datetime) -> Overview:  # noqa: ARG001 - the cache's key
    """Cached per person and role."""
    return read_overview(project(), require_account(), midnight)


@cached(WEEKS_CACHE_SECONDS)
def _weeks(
    home: str,  # noqa: ARG001 - these are the cache's key
    account_id: int,  # noqa: ARG001
    role: str,  # noqa: ARG001
    posts: int,  # noqa: ARG001
    champion: int | None,  # noqa: ARG001
) -> list[Week]:
    """Cached until posts arrive or another round is in use, whose scores these are."""
    return read_weeks(project(), require_account())


def _figures(overview: Overview) -> None:
    measured, judged = overview.measured, overview.agreement
    caught, right = (None, None) if measured is None else (measured.caught, measured.right)
    headline(
        [
            (_("violations caught"), value(caught), basis(measured, caught)),
            (_("flags that were right"), value(right), basis(measured, right)),
            (
                _("labelled"),
                f"{overview.labelled:,}",
                _("of {posts} posts, {new} new").format(
                    posts=f"{overview.posts:,}", new=f"{overview.new_labels.count:,}"
                ),
            ),
            (
                _("agreement of two people"),
                "–" if judged is None else percent(judged.share),
                _("no post was judged twice")
                if judged is None
                else _("on {posts} posts").format(posts=f"{judged.posts:,}"),
            ),
        ]
    )


def _halves(overview: Overview, weeks: Sequence[Week]) -> None:
    left, right = st.columns([2, 1], gap="large") if overview.hands else (st.container(), None)
    with left:
        _curve(overview)
    if right is not None:
        with right:
            _people(overview)
    left, right = st.columns(2, gap="large")
    with left:
        _labels(overview)
    with right:
        show_weeks(weeks, is_watching=overview.advice.step == "watch")


def _curve(overview: Overview) -> None:
    heading(_("What labels have brought"))
    points = [point for point in overview.curve if point.measured and point.measured.caught]
    if points:
        names = _("violations caught"), _("flags that were right")
        measured_curve(points, names, _("labels to learn from"))
        return
    quiet(_("After each measured round a point stands here: what the model caught, by the labels it had."))


def _people(overview: Overview) -> None:
    heading(_("Today"))
    headings = (_("who"), _("labelled"), _("seconds each"), _("minutes"))
    html(table(map(_annotator_row, overview.hands), headings, has_numbers=True, is_grid=True))


def _annotator_row(day: AnnotatorDay) -> Sequence[Cell]:
    each = "–" if day.seconds_each is None else f"{day.seconds_each:.0f}"
    return person_word(day.name), day.labelled, each, f"{day.minutes:.0f}"


def _labels(overview: Overview) -> None:
    heading(_("Labels"))
    splits = [split for split in SPLITS if any(split in counts for counts in overview.labels.values())]
    if not splits:
        quiet(_("None yet."))
        return
    rows = (_label_row(label, overview.labels[label], splits) for label in LABELS)
    headings = ("", *(_(SPLITS[split]) for split in splits), _("in all"))
    html(table(rows, headings, has_titles=True, has_numbers=True, is_grid=True))
    not_used(overview.not_used)


def _label_row(label: str, counts: Mapping[str, int], splits: Sequence[str]) -> Sequence[Cell]:
    return (label_html(label), *(counts.get(split, 0) for split in splits), sum(counts.values()))


def _certainties(overview: Overview) -> None:
    counts = swap.confidence_histogram(project())
    if overview.champion is None or not counts.sum():
        return
    heading(_("How certain the model is of the posts that wait"))
    with project().database.read() as session:
        band = policy.band_in_force(session, project())
    unsure = _("In the grey range the model is unsure: {count} posts, and {below} it is less sure of still.")
    quiet(unsure.format(count=f"{overview.in_band:,}", below=f"{overview.below_band:,}"))
    histogram(counts, _("certainty"), shaded=(band.low, band.high), start=1 / 3)
