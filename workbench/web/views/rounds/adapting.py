"""The base encoder and the forum's own language: offered, under way, in use."""

import streamlit as st

from db.tables import Adaptation
from trainer.messages import Message
from workbench.adapting import lifecycle
from workbench.adapting.lifecycle import Offer
from workbench.rounds.base import adaptation_in_use
from workbench.web.current_project import project
from workbench.web.elements.widgets import attempt, clock, heading, note, quiet, require_account, seconds
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.messages import shown

LOOK_AGAIN_SECONDS = 2
OFFERS = {
    Offer.FIRST: N_(
        "Before the first round, the base encoder can read this forum's posts without labels: rounds may then learn more from few labels."
    ),
    Offer.GROWN: N_(
        "There are half as many posts again as when the base encoder was adapted to them. Adapt it anew to let it read the new ones."
    ),
    Offer.PURGED: N_(
        "The adapted base encoder has read posts that were purged since. Adapt it anew: that begins from the original encoder."
    ),
}


def watch_adaptation(row: Adaptation, *, is_lead: bool) -> None:
    heading(_("The base encoder is being adapted to this forum"))
    _live(row.number)
    if is_lead:
        st.button(
            _("Cancel"),
            key=f"cancel-adaptation-{row.number}",
            on_click=attempt,
            args=(lambda account: lifecycle.cancel(project(), account, row.number),),
        )


def offer_adaptation() -> None:
    """For leads, while nothing is under way."""
    with project().database.read() as session:
        in_use, newest = adaptation_in_use(project(), session), lifecycle.newest(session)
        offer = lifecycle.offer(project(), session)
    with st.expander(_("Adapt the base encoder to this forum"), key="adapting"):
        if offer is not None:
            note(_(OFFERS[offer]))
        if newest is not None and newest.failure is not None:
            failure = shown(Message.from_dict(newest.failure))
            note(_("Adaptation {number}: {failure}").format(number=newest.number, failure=failure))
        quiet(_in_use_line(in_use))
        with st.form("adapt", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            minutes = st.number_input(
                _("Minutes of training"),
                min_value=1.0,
                max_value=float(lifecycle.MOST_MINUTES),
                value=lifecycle.MINUTES,
                step=1.0,
                format="%g",
                key="adapt-minutes",
            )
            is_sent = st.form_submit_button(_("Adapt it"))
        if in_use is not None:
            st.button(
                _("Train on the original encoder again"),
                key="adapt-off",
                on_click=attempt,
                args=(lambda account: lifecycle.turn_off(project(), account),),
            )
    if is_sent:
        attempt(lambda account: lifecycle.start(project(), account, minutes))
        st.rerun()


def _in_use_line(row: Adaptation | None) -> str:
    if row is None or row.facts is None:
        return _("Rounds train on the encoder as it came. Held-out posts are never read.")
    line = _("Rounds train on adaptation {number} of {when}: {posts} posts, {tokens} tokens read.").format(
        number=row.number,
        when=clock(row.finished_at or row.created_at),
        posts=f"{row.facts['texts']:,}",
        tokens=f"{row.facts['tokens_read']:,}",
    )
    if row.purged:
        line += " " + _("{count} of these posts were purged since.").format(count=f"{row.purged:,}")
    return line


@st.fragment(run_every=LOOK_AGAIN_SECONDS)
def _live(number: int) -> None:
    require_account()
    with project().database.read() as session:
        row = session.get_one(Adaptation, number)
    if not row.is_running:
        st.rerun()
    progress = lifecycle.read_progress(project(), number)
    line = _time_line(row, progress)
    if progress.share is None:
        quiet(line)
    else:
        st.progress(progress.share, text=line)


def _time_line(row: Adaptation, progress: lifecycle.Progress) -> str:
    if row.state == "queued":
        return _("Waiting for the worker.")
    passed = seconds((project().now() - (row.started_at or row.created_at)).total_seconds())
    if progress.seconds_left is None:
        return passed
    left = seconds(progress.seconds_left)
    return _("{passed}, this step about {left} more").format(passed=passed, left=left)
