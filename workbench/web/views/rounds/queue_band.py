"""Why the queue differs from the band: too few uncertain posts, too many, or labels newer than the round in use."""

from workbench.queue.status import Status
from workbench.web.wording.i18n import _


def band_line(status: Status) -> str | None:
    """None if the queue holds exactly the posts that the model is unsure about."""
    unsure = f"{status.in_band + status.below_band:,}"
    if status.left_out:
        text = _(
            "The model is unsure about {unsure} posts; the queue holds those it is least sure of, "
            "{left_out} wait for the next round."
        )
        return text.format(unsure=unsure, left_out=f"{status.left_out:,}")
    if not status.widened:
        return None
    if status.in_band + status.below_band == 0:
        text = _(
            "The model is unsure about none of the posts left, so the {widened} it is least sure of are served."
        )
        return text.format(widened=f"{status.widened:,}")
    text = _("The model is unsure about {unsure} posts only, so the next {widened} are served with them.")
    return text.format(unsure=unsure, widened=f"{status.widened:,}")


def quick_line(status: Status) -> str | None:
    """None unless a quick model orders the queue beside the round in use."""
    if status.quick_labels is None or status.champion is None:
        return None
    text = _(
        "Until the next round, a simple model learned from {count} labels helps to order the queue; "
        "suggestions and verdicts are those of the round in use."
    )
    return text.format(count=f"{status.quick_labels:,}")
