"""Below the figures of the round in use: what the next labels should bring, and whether to go on at all."""

from workbench.rounds.outlook import Outlook, read_outlook
from workbench.web.current_project import project
from workbench.web.elements.widgets import quiet
from workbench.web.wording.i18n import _


def show_outlook() -> None:
    """One quiet line, and another once labels have ceased to matter; nothing before a round was measured."""
    outlook = read_outlook(project())
    if outlook is None:
        return
    lines = [next_line(outlook)]
    if outlook.hint.is_reached:
        lines.append(_hint_line(outlook.hint.gained or 0.0))
    quiet(*lines)


def next_line(outlook: Outlook) -> str:
    """Labels since the round in use, and what the next 100 should bring."""
    line = _(
        "Since then: {count} new labels. The next 100 should bring {gain} [{low}, {high}] points of macro-F1, about {minutes} min."
    )
    low, high = outlook.gain.interval
    text = line.format(
        count=f"{outlook.new_labels:,}",
        gain=points(outlook.gain.mean, sign="+"),
        low=points(low),
        high=points(high),
        minutes=max(round(outlook.minutes), 1),
    )
    if outlook.rounds > 1:
        return text
    return f"{text} {_('From a single round that is little more than a guess.')}"


def _hint_line(gained: float) -> str:
    line = _(
        "More labels hardly change the model any more: the last three rounds in use said the same of the same posts as the one before (kappa 0.99 or more), and together brought {gained} points. Whether to stop is yours to decide."
    )
    return line.format(gained=points(gained, sign="+"))


def points(gain: float, sign: str = "") -> str:
    """Hundredths of macro-F1, to a tenth."""
    return f"{round(100 * gain, 1) + 0.0:{sign}.1f}"  # no minus before a zero
