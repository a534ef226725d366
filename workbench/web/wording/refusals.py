"""Refusals in the reader's language."""

from trainer.messages import MessageError
from workbench.web.wording.messages import message_in, shown


def refusal_text(error: MessageError) -> str:
    return shown(error.message)


def refusal_in(error: MessageError, language: str) -> str:
    return message_in(error.message, language)
