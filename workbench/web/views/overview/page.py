"""Overview, for leads: figures, the next step, the learning curve, certainties, labels, people, weeks."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.errors import WorkbenchError
from workbench.overview.figures import Advice, AnnotatorDay, Overview, read_overview
from workbench.overview.weeks import Week, read_weeks
from workbench.queue import swap
from workbench.thresholds import policy
from workbench.web.current_project import project
from workbench.web.elements.cache import cached
from workbench.web.elements.charts import histogram, learning_curve
from workbench.web.elements.markup import html
from workbench.web.elements.not_used import not_used
from workbench.web.elements.outlook import next_line
from workbench.web.elements.partly_scored import partly_scored_line
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.widgets import (
    decimal,
    figures,
    heading,
    local,
    note,
    percent,
    quiet,
    refusal,
    require_account,
)
from workbench.web.frame.title import title
from workbench.web.views.overview.weeks import show_weeks
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import SPLIT_WORDS, label_html, label_word, person_word

CACHE_SECONDS = 15
WEEKS_CACHE_SECONDS = 300
STEPS = "▁▂▃▄▅▆▇█"
DRAWN = 12
"""Number of rounds in the sparkline."""
SPLITS = {
    "pool": N_("to learn from"),
    **SPLIT_WORDS,
    "audit": N_("audit"),
    "unprepared": N_("being prepared"),
}

ADVICE = {
    "import": N_("Import posts to begin."),
    "import more": N_("Every post is labelled: import more."),
    "label": N_("Label {count} more posts, of two labels at least: then a first round can start."),
    "start": N_("Start a round: {count} more labels to learn from are waiting for it."),
    "decide": N_("Decide on round {count}: it waits for you."),
    "wait": N_("Nothing to do but label on: round {count} is under way."),
    "more of": N_("Label on, “{label}” above all: there are only {count} to learn from."),
    "watch": N_(
        "Stop labelling for the model: it hardly changes any more. Watch with {count} blind posts a day instead."
    ),
    "go on": N_("Label on: the next 100 should bring {gain} points of macro-F1, in about {minutes} min."),
}
LABEL_ON = N_("Label on: the round in use has no measure yet to tell what more labels bring.")


def show() -> None:
    account = require_account()
    midnight = local(project().now()).replace(hour=0, minute=0, second=0, microsecond=0)
    title(_("Overview"))
    try:
        overview = _read(str(project().home), account.id, account.role, midnight)
    except WorkbenchError as error:
        refusal(error)
        return
    _figures(overview)
    if overview.partly_scored is not None:
        quiet(partly_scored_line(overview.partly_scored))
    note(advice_line(overview), is_done=True)
    is_watching = overview.advice.step == "watch"
    if is_watching:
        show_weeks(_weeks_of(overview, account), is_watching=True)
    if overview.curve:
        heading(_("What labels have brought"))
        learning_curve(overview.curve, overview.ahead, _("labels to learn from"), _("macro-F1"))
        if overview.outlook is not None:
            quiet(next_line(overview.outlook))
    _certainties(overview)
    _labels(overview)
    _people(overview)
    if not is_watching:
        show_weeks(_weeks_of(overview, account), is_watching=False)


@cached(CACHE_SECONDS)
def _read(home: str, account_id: int, role: str, midnight: datetime) -> Overview:  # noqa: ARG001 - the cache's key
    """Cached per person and role."""
    return read_overview(project(), require_account(), midnight)


def _weeks_of(overview: Overview, account: Account) -> list[Week]:
    return _weeks(str(project().home), account.id, account.role, overview.posts, overview.champion)


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


def advice_line(overview: Overview) -> str:
    advice: Advice = overview.advice
    if advice.step == "go on" and overview.outlook is None:
        return _(LABEL_ON)
    from_outlook = {}
    if overview.outlook is not None:
        gain = f"{100 * overview.outlook.gain.mean:+.1f}"
        from_outlook = {"gain": gain, "minutes": max(round(overview.outlook.minutes), 1)}
    return _(ADVICE[advice.step]).format(
        count=f"{advice.count:,}", label=label_word(advice.label) if advice.label else "", **from_outlook
    )


def _figures(overview: Overview) -> None:
    judged = overview.agreement
    figures(
        [
            (_("posts"), f"{overview.posts:,}"),
            (_("labelled"), f"{overview.labelled:,}"),
            (_("model unsure"), f"{overview.in_band:,}"),
            (_("less sure still"), f"{overview.below_band:,}"),
            (_("agreement of two people"), "–" if judged is None else percent(judged.share)),
            (
                f"{_('macro-F1 of the round in use')} {sparkline(overview)}".strip(),
                decimal(overview.macro_f1),
            ),
        ]
    )
    lines = []
    if judged is not None:
        alpha = decimal(judged.ordinal)
        text = _(
            "Posts that several people judged: {posts}, pairs of answers: {pairs}; agreement corrected for chance (Krippendorff's alpha for ordered labels): {alpha}."
        )
        lines.append(text.format(pairs=f"{judged.pairs:,}", posts=f"{judged.posts:,}", alpha=alpha))
    seen = overview.anchoring
    if seen.visible and seen.hidden:
        text = _(
            "First answers equal the suggestion {seen} of the time where it was in sight ({visible}), {unseen} where it was not ({hidden})."
        )
        lines.append(
            text.format(
                seen=percent(seen.same_visible / seen.visible),
                visible=f"{seen.visible:,}",
                unseen=percent(seen.same_hidden / seen.hidden),
                hidden=f"{seen.hidden:,}",
            )
        )
    if lines:
        quiet(" ".join(lines))


def sparkline(overview: Overview) -> str:
    values = [point.macro_f1 for point in overview.curve][-DRAWN:]
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    width = (high - low) or 1.0
    return "".join(STEPS[round((value - low) / width * (len(STEPS) - 1))] for value in values)


def _certainties(overview: Overview) -> None:
    counts = swap.confidence_histogram(project())
    if overview.champion is None or not counts.sum():
        return
    heading(_("How certain the model is of the posts that wait"))
    with project().database.read() as session:
        band = policy.band_in_force(session, project())
    histogram(counts, _("certainty"), shaded=(band.low, band.high), start=1 / 3)


def _labels(overview: Overview) -> None:
    splits = [split for split in SPLITS if any(split in counts for counts in overview.labels.values())]
    if not splits:
        return
    heading(_("Labels"))
    rows = (_label_row(label, overview.labels[label], splits) for label in LABELS)
    headings = ("", *(_(SPLITS[split]) for split in splits), _("in all"))
    html(table(rows, headings, has_titles=True, has_numbers=True))
    not_used(overview.not_used)


def _label_row(label: str, counts: Mapping[str, int], splits: Sequence[str]) -> Sequence[Cell]:
    return (label_html(label), *(counts.get(split, 0) for split in splits), sum(counts.values()))


def _people(overview: Overview) -> None:
    heading(_("Today"))
    if not overview.hands:
        quiet(_("No labels yet today."))
        return
    headings = (_("who"), _("labelled"), _("seconds each"), _("minutes at work"))
    html(table(map(_annotator_row, overview.hands), headings, has_numbers=True))


def _annotator_row(day: AnnotatorDay) -> Sequence[Cell]:
    each = "–" if day.seconds_each is None else f"{day.seconds_each:.0f}"
    return person_word(day.name), day.labelled, each, f"{day.minutes:.0f}"
