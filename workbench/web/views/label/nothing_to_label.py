"""Why there is no post to label, and what to do about it."""

from typing import Any

import streamlit as st

from workbench.accounts import Account, Right
from workbench.labelling import answers
from workbench.labelling.empty_queue import EmptyQueue, read_empty_queue
from workbench.web.current_project import project
from workbench.web.elements.partly_scored import unscored_line
from workbench.web.elements.widgets import local, require_account
from workbench.web.wording.i18n import _
from workbench.web.wording.words import NO_WORKER

LOOK_AGAIN_SECONDS = 5


def explanation(account: Account) -> dict[str, Any]:
    """Title, reasons and the one thing to do: an action of the page, or a link to another one."""
    queue = read_empty_queue(project(), account)
    return {
        "title": _("No post for you right now"),
        "lines": [_("Posts to label appear here one at a time, by themselves."), *reasons(queue, account)],
        "action": _action(queue, account),
    }


def _action(queue: EmptyQueue, account: Account) -> dict[str, str] | None:
    if queue.skipped:
        word = _("Show me the {count} posts I have skipped").format(count=queue.skipped)
        return {"action": "bring-back", "word": word}
    if queue.posts == 0 and account.may(Right.IMPORT):
        return {"link": "/posts", "word": _("Import a file")}
    is_done = not queue.queued and not queue.preparing
    if is_done and queue.posts and account.may(Right.RUN_ROUNDS):
        return {"link": "/rounds", "word": _("Start a round")}
    return None


def reasons(queue: EmptyQueue, account: Account) -> list[str]:
    if queue.posts == 0:
        may_import = account.may(Right.IMPORT)
        todo = _("Import a file on the Posts page.") if may_import else _("Ask a lead to import some.")
        return [_("There are no posts yet."), todo]
    if queue.queued:
        return _waiting(queue)
    if queue.preparing:
        preparing = _("{count} posts are being prepared.").format(count=f"{queue.preparing:,}")
        return [preparing] if queue.has_worker else [preparing, _(NO_WORKER)]
    lines = [_nothing_left(queue), _what_next(account)]
    return lines if queue.partly_scored is None else [*lines, unscored_line(queue.partly_scored)]


def _waiting(queue: EmptyQueue) -> list[str]:
    lines = [
        _("{name} has {count} of the posts left open, until {time} at the latest.").format(
            name=holder.name, count=holder.posts, time=f"{local(holder.until):%H:%M}"
        )
        for holder in queue.held_by
    ]
    if queue.skipped:
        lines.append(
            _("You have skipped {count} of the posts left; other annotators may take them.").format(
                count=queue.skipped
            )
        )
    if queue.of_others:
        lines.append(
            _("{count} of the posts left belong to boards that other people label.").format(
                count=f"{queue.of_others:,}"
            )
        )
    if queue.asked:
        lines.append(_("You have asked the lead about {count} of the posts left.").format(count=queue.asked))
    return lines or [_("The posts left are being given back. They come in a moment.")]


def _nothing_left(queue: EmptyQueue) -> str:
    if not queue.has_champion:
        return _("Every post that can be labelled before the first round has its label.")
    if queue.in_band:
        return _("Nothing is left to label: what the model is unsure of are near-copies of labelled posts.")
    return _("Nothing is left to label: there is no post left that the model is unsure of.")


def _what_next(account: Account) -> str:
    if account.may(Right.RUN_ROUNDS):
        return _("Start a round on the Rounds page, or import more posts.")
    return _("A lead can start a round or import more posts.")


@st.fragment(run_every=LOOK_AGAIN_SECONDS)
def look_again() -> None:
    if answers.hold_posts(project(), require_account()):
        st.rerun()
