"""One fold down, for those who want them: macro-F1 with its forecast, alpha, anchoring, drift."""

from collections.abc import Iterator, Sequence

import streamlit as st

from workbench.overview.figures import Overview
from workbench.overview.weeks import Week
from workbench.web.elements.charts import learning_curve
from workbench.web.elements.rounds.outlook import next_line
from workbench.web.elements.widgets import decimal, percent, quiet
from workbench.web.wording.i18n import _


def show_statistics(overview: Overview, weeks: Sequence[Week]) -> None:
    lines = [*_agreement(overview), *_anchoring(overview), *_drift(weeks)]
    if not (lines or overview.curve):
        return
    with st.container(key="folds"), st.expander(_("Statistics"), key="statistics"):
        if overview.curve:
            learning_curve(overview.curve, overview.ahead, _("labels to learn from"), _("macro-F1"))
        if overview.outlook is not None:
            quiet(next_line(overview.outlook))
        quiet(*lines)


def _agreement(overview: Overview) -> Iterator[str]:
    judged = overview.agreement
    if judged is not None:
        text = _(
            "Posts that several people judged: {posts}, pairs of answers: {pairs}; agreement corrected for chance (Krippendorff's alpha for ordered labels): {alpha}."
        )
        yield text.format(pairs=f"{judged.pairs:,}", posts=f"{judged.posts:,}", alpha=decimal(judged.ordinal))


def _anchoring(overview: Overview) -> Iterator[str]:
    counts = overview.anchoring
    if counts.visible and counts.hidden:
        text = _(
            "First answers equal the suggestion {seen} of the time where it was in sight ({visible}), {unseen} where it was not ({hidden})."
        )
        yield text.format(
            seen=percent(counts.same_visible / counts.visible),
            visible=f"{counts.visible:,}",
            unseen=percent(counts.same_hidden / counts.hidden),
            hidden=f"{counts.hidden:,}",
        )


def _drift(weeks: Sequence[Week]) -> Iterator[str]:
    drifts = [(week.monday, week.drift) for week in weeks if week.drift is not None]
    if drifts:
        values = " · ".join(f"{monday:%m-%d} {drift:.2f}" for monday, drift in drifts)
        yield _("How far the scores of a week lie from all before (PSI): {values}.").format(values=values)
