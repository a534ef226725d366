"""That the machine was too slow to score every post, and what that means."""

from workbench.scores.round_scores import PartlyScored
from workbench.web.wording.i18n import _


def partly_scored_line(found: PartlyScored) -> str:
    """What was scored, what was not, and why."""
    text = _(
        "{scored} of {posts} posts were scored: this machine is too slow for all in {hours} hours. A simpler model chose "
        "most of them and left the others out; {share}% of all were drawn at random and scored whatever it says."
    )
    return text.format(
        scored=f"{found.scored:,}",
        posts=f"{found.posts:,}",
        hours=f"{found.hours:g}",
        share=f"{100 * found.rate:.3g}",
    )


def unscored_line(found: PartlyScored) -> str:
    """For whoever has nothing left to label."""
    text = _(
        "{count} posts have no score yet and are not served: this machine is too slow to score them all."
    )
    return text.format(count=f"{found.posts - found.scored:,}")
