"""The line about labelled posts that no round uses."""

from trainer.messages import Message
from workbench.exports.left_out import LeftOut
from workbench.web.elements.widgets import quiet
from workbench.web.wording.messages import shown


def not_used(left_out: LeftOut) -> None:
    if reasons := left_out.reasons():
        quiet(shown(Message("Labelled posts that are not used yet: {reasons}.", reasons=reasons)))
