"""Rows that cannot become posts: why, as a code with its values."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from trainer.messages import Message


class RejectCode(StrEnum):
    """Why a row is refused. The names are stored: they do not change."""

    COLUMNS = "columns"
    NO_TEXT = "no_text"
    NO_ID = "no_id"
    TOO_LONG = "too_long"
    OTHER_TEXT = "other_text"
    AS_WRITTEN = "as_written"


REASONS = {
    RejectCode.COLUMNS: "expected {expected} columns, found {found}",
    RejectCode.NO_TEXT: "no text",
    RejectCode.NO_ID: "no id",
    RejectCode.TOO_LONG: "text of {length} characters; at most {most}",
    RejectCode.OTHER_TEXT: "id {id} is already known with another text",
}
"""Of every code but AS_WRITTEN, whose sentence an older version wrote."""

NO_VALUES: Mapping[str, int | str] = MappingProxyType({})


class Reject(NamedTuple):
    """A row that cannot become a post. `external_id` is the forum's id of it, where it can be told."""

    line: int
    code: RejectCode
    content: str
    external_id: str | None = None
    values: Mapping[str, int | str] = NO_VALUES

    @property
    def reason(self) -> Message:
        match self.code:
            case RejectCode.AS_WRITTEN:
                return Message(str(self.values["sentence"]))
            case RejectCode.OTHER_TEXT:
                return Message(REASONS[self.code], id=self.external_id)
        return Message(REASONS[self.code], **self.values)
