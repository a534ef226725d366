"""What the lines of a file say of each post: one label, by the last action where a time tells."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from trainer.messages import Message
from workbench.labelling.files.times import moment


class Line(NamedTuple):
    """What one line says, without its text. `key` is the key of the text, None without a text."""

    number: int
    label: str
    post: int | None
    id: str | None
    key: bytes | None
    time: str | None
    annotator: str | None


class Verdict(NamedTuple):
    """The label of a post. `line` is the line that names the post best; `others` also speak of it."""

    line: int
    label: str
    others: int = 0
    is_last_of_several: bool = False


Problem = tuple[int, Message]


def by_subject(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines of each post together: known posts by number, new ones by id, else by text."""
    id_of_text = {
        line.key: line.id for line in reversed(lines) if line.key is not None and line.id is not None
    }

    def subject(line: Line) -> Hashable:
        if line.post is not None:
            return line.post
        if line.id is not None or line.key is None:
            return line.id
        return id_of_text.get(line.key, line.key)

    groups: dict[Hashable, list[Line]] = {}
    for line in lines:
        groups.setdefault(subject(line), []).append(line)
    return list(groups.values())


def verdict_of(lines: Sequence[Line]) -> Verdict | list[Problem]:
    """The verdict of the lines about one post, else the problems by line."""
    best = max(lines, key=lambda line: (line.id is not None, line.key is not None, -line.number))
    if len({line.label for line in lines}) == 1:
        return Verdict(best.number, best.label, len(lines) - 1)
    annotators = {line.annotator for line in lines if line.annotator is not None}
    if len(annotators) > 1:
        return _contradictions(lines, _of_annotators)
    without_time = [line for line in lines if line.time is None]
    if without_time:
        return _contradictions(lines, _without_time if len(without_time) == len(lines) else _with_few_times)
    return _last(lines, best.number)


def other_texts(lines: Iterable[Line]) -> Iterator[Problem]:
    """Lines whose id has another text on an earlier line."""
    first: dict[str, tuple[int, bytes]] = {}
    for line in lines:
        if line.id is None or line.key is None:
            continue
        number, key = first.setdefault(line.id, (line.number, line.key))
        if key != line.key:
            yield (
                line.number,
                Message("id {id} has another text than line {line}", id=line.id, line=number),
            )


def _last(lines: Sequence[Line], best: int) -> Verdict | list[Problem]:
    moments = [(line, _moment(line)) for line in lines]
    unread = [
        (line.number, Message("time {time} cannot be read, and other lines say other labels", time=line.time))
        for line, at in moments
        if at is None
    ]
    if unread:
        return unread
    latest = max(at for _, at in moments if at is not None)
    last = [line for line, at in moments if at == latest]
    if len({line.label for line in last}) > 1:
        return _contradictions(last, _at_one_time)
    return Verdict(best, last[0].label, len(lines) - 1, is_last_of_several=True)


def _moment(line: Line) -> datetime | None:
    return None if line.time is None else moment(line.time)


def _contradictions(lines: Sequence[Line], sentence: Callable[[str, int, str], Message]) -> list[Problem]:
    first = lines[0]
    return [
        (line.number, sentence(line.label, first.number, first.label))
        for line in lines
        if line.label != first.label
    ]


def _without_time(label: str, line: int, other: str) -> Message:
    return Message(
        "{label}, but line {line} says {other} of the same post, and no column says which came last",
        label=label,
        line=line,
        other=other,
    )


def _with_few_times(label: str, line: int, other: str) -> Message:
    return Message(
        "{label}, but line {line} says {other} of the same post, and a line about it has no time",
        label=label,
        line=line,
        other=other,
    )


def _at_one_time(label: str, line: int, other: str) -> Message:
    return Message(
        "{label}, but line {line} says {other} of the same post at the same time",
        label=label,
        line=line,
        other=other,
    )


def _of_annotators(label: str, line: int, other: str) -> Message:
    return Message(
        "{label}, but another annotator says {other} of the same post on line {line}; settle it there, and export again",
        label=label,
        line=line,
        other=other,
    )
