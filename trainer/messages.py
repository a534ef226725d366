"""Messages as an English template and the values of its placeholders.

Both are raised, stored and passed on apart, so that a page translates the template before formatting it. `str()` gives
the English sentence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from numbers import Integral
from typing import Any, Self, TypeAlias

Value: TypeAlias = "str | int | float | Message | tuple[Message, ...] | None"


@dataclass(frozen=True, init=False)
class Message:
    """Without values the template is not formatted: its braces are plain characters.

    Values of other types than `Value` are stored as text.
    """

    template: str
    values: Mapping[str, Value]

    def __init__(self, template: str, /, **values: object) -> None:
        object.__setattr__(self, "template", template)
        object.__setattr__(self, "values", {name: _plain(value) for name, value in values.items()})

    def __str__(self) -> str:
        if not self.values:
            return self.template
        return self.template.format(
            **{
                name: "; ".join(map(str, value)) if isinstance(value, tuple) else value
                for name, value in self.values.items()
            }
        )

    @classmethod
    def verbatim(cls, text: str) -> Self:
        """Text that is not translated, such as a person's input or the output of another program."""
        return cls("{text}", text=text)

    @classmethod
    def joined(cls, messages: Iterable["Message"]) -> Self:
        return cls("{parts}", parts=tuple(messages))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        return cls(values["template"], **{name: _parsed(value) for name, value in values["values"].items()})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def on_one_line(self) -> "Message":
        return Message(
            _one_line(self.template), **{name: _on_one_line(value) for name, value in self.values.items()}
        )


class MessageError(Exception):
    def __init__(self, template: str, /, **values: object) -> None:
        self.message = Message(template, **values)
        super().__init__(str(self.message))


def message_of(error: BaseException) -> Message:
    return error.message if isinstance(error, MessageError) else Message.verbatim(str(error))


def _plain(value: object) -> Value:
    match value:
        case MessageError():
            return value.message
        case None | Message() | str() | float():
            return value
        case Integral():  # also of NumPy, which JSON cannot represent
            return int(value)
        case list() | tuple() if all(isinstance(part, Message) for part in value):
            return tuple(value)
    return str(value)


def _parsed(value: Any) -> object:
    if isinstance(value, list):
        return tuple(map(Message.from_dict, value))
    return Message.from_dict(value) if isinstance(value, dict) else value


def _on_one_line(value: Value) -> Value:
    match value:
        case Message():
            return value.on_one_line()
        case tuple():
            return tuple(part.on_one_line() for part in value)
        case str():
            return _one_line(value)
    return value


def _one_line(text: str) -> str:
    return " ".join(text.split())
