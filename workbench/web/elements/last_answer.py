"""The model's three probabilities for a post as a line of HTML."""

from collections.abc import Sequence

from markupsafe import Markup, escape

from workbench.labelling.cards import Suggestion
from workbench.web.elements.desk import suggestion_bar
from workbench.web.elements.markup import NOTHING, QUIET
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import shortened
from workbench.web.wording.i18n import _


def thought_html(suggestion: Suggestion, influential: Sequence[str]) -> Markup:
    part = Markup('<span class="label {}" style="flex-grow:{:.3f}">{} {:.2f}</span>')
    parts = NOTHING.join(
        part.format(label, max(share, 0.02), word, share) for label, word, share in suggestion_bar(suggestion)
    )
    bar = Markup('<div class="thought"><span class="who">{}</span>{}</div>').format(
        _("the model had thought"), parts
    )
    if not influential:
        return bar
    words = Markup(" ").join(Markup("“{}”").format(post_html(shortened(word))) for word in influential)
    because = escape(_("because of {words}")).format(words=words)
    return bar + QUIET.format(because)
