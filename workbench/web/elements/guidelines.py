"""The guidelines shown to annotators: the lead's, or a default in the reader's language."""

from typing import Any

from sqlalchemy.orm import Session

from workbench.labelling.guidelines import RulingInForce, rulings_in_force, text_in_force, without_rulings
from workbench.web.elements.widgets import local
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import label_word, reason_word

DEFAULT_GUIDELINES = N_(
    "Normal: nothing to act on. Rough words, jokes and strong opinions are normal while they attack no person.\n\n"
    "Borderline: the post itself is at the limit, and a moderator would want to look: veiled insults, hints of an advert, half a contact address.\n\n"
    "Violation: it breaks the rules of the forum: adverts and contacts, abuse, pornography, fraud, anything that harms minors.\n\n"
    "Judge the post as it stands, with its thread. If you do not know, skip it; borderline is for the post, not for your doubt. If the rules do not say, ask the lead."
)


def guidelines_data(session: Session) -> dict[str, Any]:
    """What the dialog of the Label page shows: the text, and each ruling with its label in the reader's language."""
    whole = text_in_force(session)
    text = without_rulings(whole)
    rulings = [] if text == whole else rulings_in_force(session)
    return {"guidelines": text or _(DEFAULT_GUIDELINES), "rulings": list(map(_ruling, rulings))}


def _ruling(one: RulingInForce) -> dict[str, str]:
    facts = (reason_word(one.reason) if one.reason else "", f"{local(one.ruled_at):%Y-%m-%d}")
    return {
        "title": one.title,
        "kind": one.kind,
        "label": one.label,
        "word": label_word(one.label),
        "facts": " · ".join(filter(None, facts)),
    }
