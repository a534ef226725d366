"""Rows that cannot become posts, with the reason as a code and its values."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from trainer.messages import Message


class RejectCode(StrEnum):
    """Values are stored in the database and do not change."""

    COLUMNS = "columns"
    NO_TEXT = "no_text"
    NO_ID = "no_id"
    TOO_LONG = "too_long"
    LONG_CELL = "long_cell"
    HEADER = "header"
    BYTES = "bytes"
    QUOTES = "quotes"
    NOT_JSON = "not_json"
    ID_KIND = "id_kind"
    TEXT_KIND = "text_kind"
    REPEATED_KEY = "repeated_key"
    ROUNDED = "rounded"
    SURROGATE = "surrogate"
    OTHER_TEXT = "other_text"
    AS_WRITTEN = "as_written"


REASONS = {
    RejectCode.COLUMNS: "expected {expected} columns, found {found}",
    RejectCode.NO_TEXT: "no text",
    RejectCode.NO_ID: "no id",
    RejectCode.TOO_LONG: "text of {length} characters; at most {most}",
    RejectCode.LONG_CELL: "a cell of {length} characters in column {column}; at most {most}",
    RejectCode.HEADER: "the header line again",
    RejectCode.BYTES: "bytes that are not {encoding}, at byte {place} of the file",
    RejectCode.QUOTES: "a quote that opens in line {opened} does not close properly",
    RejectCode.NOT_JSON: "not a JSON object",
    RejectCode.ID_KIND: "the id is neither text nor a number",
    RejectCode.TEXT_KIND: "the text is a number, a list or another value, not text",
    RejectCode.REPEATED_KEY: "the key {key} occurs twice",
    RejectCode.ROUNDED: "the id {id} was a number of more than 15 digits, which spreadsheet programs round: enter it as text",
    RejectCode.SURROGATE: "half of a surrogate pair in the text",
    RejectCode.OTHER_TEXT: "id {id} is already known with another text",
}
"""Of every code except AS_WRITTEN, which carries its sentence: of a line of labels, or stored by an older version."""

NO_VALUES: Mapping[str, int | str] = MappingProxyType({})


class Reject(NamedTuple):
    """A row that cannot become a post. `external_id` is the forum's id, None if the row has none or it is unreadable."""

    line: int
    code: RejectCode
    content: str
    external_id: str | None = None
    values: Mapping[str, int | str] = NO_VALUES

    @property
    def reason(self) -> Message:
        match self.code:
            case RejectCode.AS_WRITTEN:
                values = dict(self.values)
                return Message(str(values.pop("sentence")), **values)
            case RejectCode.OTHER_TEXT:
                return Message(REASONS[self.code], id=self.external_id)
        return Message(REASONS[self.code], **self.values)
