"""The first line of a page."""

from markupsafe import Markup

from workbench.web.elements.markup import NOTHING, html


def title(text: str, aside: Markup = NOTHING) -> None:
    """The heading of the page; `aside` are small facts beside it."""
    side = Markup('<div class="aside">{}</div>').format(aside) if aside else NOTHING
    html(Markup('<div class="title"><h1>{}</h1>{}</div>').format(text, side))
