"""The guidelines shown to annotators: the lead's, or a default in the reader's language."""

from sqlalchemy.orm import Session

from workbench.labelling.guidelines import text_in_force
from workbench.web.wording.i18n import N_, _

DEFAULT_GUIDELINES = N_(
    "Normal: nothing to act on. Rough words, jokes and strong opinions are normal while they attack no person.\n\n"
    "Borderline: the post itself is at the limit, and a moderator would want to look: veiled insults, hints of an advert, half a contact address.\n\n"
    "Violation: it breaks the rules of the forum: adverts and contacts, abuse, pornography, fraud, anything that harms minors.\n\n"
    "Judge the post as it stands, with its thread. If you do not know, skip it; borderline is for the post, not for your doubt. If the rules do not say, ask the lead."
)


def guidelines_text(session: Session) -> str:
    return text_in_force(session) or _(DEFAULT_GUIDELINES)
