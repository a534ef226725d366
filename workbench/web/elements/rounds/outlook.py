"""Lines below the figures of the round in use: expected gain of the next labels, and whether to stop."""

from workbench.rounds.outlook import Outlook, read_outlook
from workbench.web.current_project import project
from workbench.web.elements.widgets import quiet
from workbench.web.wording.i18n import _


def show_outlook() -> None:
    outlook = read_outlook(project())
    if outlook is None:
        return
    lines = [next_line(outlook)]
    if outlook.hint.is_reached:
        lines.append(_hint_line(outlook.hint.gained or 0.0))
    quiet(*lines)


def next_line(outlook: Outlook) -> str:
    line = _("{count} new labels since the last round.").format(count=f"{outlook.new_labels:,}")
    if outlook.gain is None:
        return line
    forecast = _("The next 100 should bring {gain} [{low}, {high}] points of macro-F1, about {minutes} min.")
    low, high = outlook.gain.interval
    text = forecast.format(
        gain=points(outlook.gain.mean, sign="+"),
        low=points(low),
        high=points(high),
        minutes=max(round(outlook.minutes), 1),
    )
    return f"{line} {text}"


def _hint_line(gained: float) -> str:
    line = _(
        "More labels hardly change the model any more: the last three rounds in use said the same of the same posts as the one before (kappa 0.99 or more), and together brought {gained} points. Whether to stop is yours to decide."
    )
    return line.format(gained=points(gained, sign="+"))


def points(gain: float, sign: str = "") -> str:
    """A gain of macro-F1 in points (hundredths), to one decimal."""
    return f"{round(100 * gain, 1) + 0.0:{sign}.1f}"  # no minus before a zero
