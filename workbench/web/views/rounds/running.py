"""A running round: its step, progress, curves and log. Refreshes every two seconds."""

from collections.abc import Sequence

import altair
import pandas
import streamlit as st
from markupsafe import Markup

from db.tables import Round
from workbench.rounds import lifecycle
from workbench.rounds.lifecycle import STEPS, Progress
from workbench.web.current_project import project
from workbench.web.elements.markup import NOTHING, html
from workbench.web.elements.widgets import attempt, quiet, require_account, seconds
from workbench.web.wording.i18n import _
from workbench.web.wording.words import STEP_WORDS

LOOK_AGAIN_SECONDS = 2
CHART_HEIGHT = 150


def watch(number: int, is_lead: bool) -> None:
    _live(number)
    if is_lead:
        st.button(
            _("Cancel"),
            key=f"cancel-{number}",
            on_click=attempt,
            args=(lambda account: lifecycle.cancel(project(), account, number),),
        )


@st.fragment(run_every=LOOK_AGAIN_SECONDS)
def _live(number: int) -> None:
    require_account()
    with project().database.read() as session:
        row = lifecycle.find(session, number)
    if not row.is_running:
        st.rerun()
    progress = lifecycle.read_progress(project(), row)
    html(steps_html(row.state))
    if progress.share is not None:
        st.progress(progress.share, text=_time_line(row, progress))
    else:
        quiet(_time_line(row, progress))
    _curves(progress)
    with st.expander(_("Log"), key=f"log-{number}"):
        st.code(lifecycle.read_log(project(), number) or " ", language=None, wrap_lines=True, height=240)


def steps_html(state: str) -> Markup:
    reached = STEPS.index(state) if state in STEPS else -1
    marks = []
    for at, step in enumerate(STEPS):
        kind = "done" if at < reached else "now" if at == reached else "later"
        current = Markup(' aria-current="step"') if at == reached else NOTHING
        mark = Markup('<li class="{}"{}><i aria-hidden="true">{}</i><span>{}</span></li>')
        marks.append(mark.format(kind, current, "✓" if kind == "done" else at + 1, _(STEP_WORDS[step])))
    return Markup('<ol class="stepper">{}</ol>').format(NOTHING.join(marks))


def _time_line(row: Round, progress: Progress) -> str:
    if row.state == "queued":
        return _("Waiting for the worker.")
    passed = seconds((project().now() - (row.started_at or row.created_at)).total_seconds())
    line = passed
    if progress.seconds_left is not None:
        more = _("{passed}, this step about {left} more")
        line = more.format(passed=passed, left=seconds(progress.seconds_left))
    if progress.posts_per_second:
        line = _("{time} · {speed} posts a second").format(
            time=line, speed=f"{progress.posts_per_second:,.0f}"
        )
    if progress.gpu is None:
        return line
    used, total = progress.gpu
    memory = _("GPU memory {used} of {total} GiB").format(used=f"{used:.1f}", total=f"{total:.0f}")
    return f"{line} · {memory}"


def _curves(progress: Progress) -> None:
    if not progress.losses:
        return
    left, right = st.columns(2)
    with left:
        _curve(progress.losses, _("step"), _("loss"))
    if progress.macro_f1:
        with right:
            _curve(progress.macro_f1, _("epoch"), _("macro-F1 on the validation posts"))


def _curve(points: Sequence[tuple[float, float]], across: str, up: str) -> None:
    quiet(up)
    table = pandas.DataFrame(points, columns=["x", "y"])
    chart = (
        altair.Chart(table, height=CHART_HEIGHT)
        .mark_line(point=len(points) < 40)
        .encode(
            x=altair.X("x:Q", title=across, axis=altair.Axis(grid=False, tickMinStep=1, tickCount=8)),
            y=altair.Y("y:Q", title=None, scale=altair.Scale(zero=False)),
        )
    )
    st.altair_chart(chart, width="stretch")
