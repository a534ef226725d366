"""Why there is no post to label, and what to do about it."""

import streamlit as st

from workbench import labelling
from workbench.accounts import Account, Right
from workbench.status import Status, read_status
from workbench.web.i18n import _
from workbench.web.opened import project
from workbench.web.widgets import note, require_account
from workbench.web.words import NO_WORKER

LOOK_AGAIN_SECONDS = 5


def explain(account: Account) -> None:
    """Say why, and bring the post as soon as there is one."""
    for line in reasons(read_status(project()), account):
        note(line)
    _look_again()


def reasons(status: Status, account: Account) -> list[str]:
    """One sentence or two: what is the matter, what to do."""
    if status.posts == 0:
        may_import = account.may(Right.IMPORT)
        todo = _("Import a file on the Posts page.") if may_import else _("Ask a lead to import some.")
        return [f"{_('There are no posts yet.')} {todo}"]
    if status.queued:
        minutes = f"{project().settings.claim_minutes:g}"
        return [
            _(
                "The {count} posts left are open at somebody else's desk, or you have skipped them. "
                "What others hold comes free when they answer, or after {minutes} minutes."
            ).format(count=f"{status.queued:,}", minutes=minutes)
        ]
    if status.preparing:
        preparing = _("{count} posts are being prepared.").format(count=f"{status.preparing:,}")
        return [preparing] if status.worker else [preparing, _(NO_WORKER)]
    return [_("Nothing is left to label. A new round or an import brings more.")]


@st.fragment(run_every=LOOK_AGAIN_SECONDS)
def _look_again() -> None:
    if labelling.hold_posts(project(), require_account()):
        st.rerun()
