"""Lines about a scoring pass that left posts out because the machine is too slow."""

from workbench.scores.round_scores import PartlyScored
from workbench.web.wording.i18n import _


def partly_scored_line(partly_scored: PartlyScored) -> str:
    text = _(
        "{scored} of {posts} posts were scored: this machine is too slow for all in {hours} hours. A simpler model chose "
        "most of them and left the others out; {share}% of all were drawn at random and scored whatever it says."
    )
    return text.format(
        scored=f"{partly_scored.scored:,}",
        posts=f"{partly_scored.posts:,}",
        hours=f"{partly_scored.hours:g}",
        share=f"{100 * partly_scored.rate:.3g}",
    )


def unscored_line(partly_scored: PartlyScored) -> str:
    text = _(
        "{count} posts have no score yet and are not served: this machine is too slow to score them all."
    )
    return text.format(count=f"{partly_scored.posts - partly_scored.scored:,}")
