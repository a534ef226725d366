"""The check of a whole label file, before anything is written."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from trainer.chunks import in_chunks
from trainer.labels import LABELS
from trainer.messages import Message
from trainer.reading.rows import Row
from trainer.texts.normalisation import group_key
from workbench.errors import InputError
from workbench.labelling.files.mapping import quoted
from workbench.labelling.files.matching import posts_of, texts_by_id
from workbench.labelling.files.rows import LabelledRow, Unknown
from workbench.labelling.files.source import LabelFile
from workbench.labelling.files.verdicts import Line, Problem, Verdict, by_subject, other_texts, verdict_of
from workbench.project import Project

PROBLEMS_SHOWN = 3
LONGEST_ID_SHOWN = 200
UNKNOWN_SHOWN = 10
CHUNK = 2_000
WITHOUT_VERDICT = Message("another line about the same post cannot be used")


@dataclass(frozen=True)
class Checked:
    """Counts of lines; `labels` are the labels to save, by the line that names their post.

    `problems` are the lines that cannot be used; `not_found` of them name no post.
    """

    labels: Mapping[int, str]
    left_out: int
    repeated: int
    superseded: int
    problems: Mapping[int, Message]
    not_found: int


@dataclass
class _Reading:
    lines: list[Line] = field(default_factory=list)
    problems: dict[int, Message] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    left_out: int = 0


def check(project: Project, file: LabelFile, *, is_partial: bool = False) -> Checked:
    """Raises InputError for a file without labels, and for unusable lines unless `is_partial`."""
    reading = _read(project, file)
    if not (reading.lines or reading.problems or reading.left_out):
        raise InputError("{file} has no rows: it holds no labels.", file=file.path)
    nameless = list(_nameless(reading.lines))
    for line, problem in (*other_texts(reading.lines), *nameless):
        reading.problems.setdefault(line, problem)
    verdicts = []
    for lines in by_subject([line for line in reading.lines if line.number not in reading.problems]):
        verdict = verdict_of(lines)
        if isinstance(verdict, Verdict):
            verdicts.append(verdict)
        else:
            reading.problems.update(verdict)
            if is_partial:
                reading.problems = {line.number: WITHOUT_VERDICT for line in lines} | reading.problems
    if reading.problems and not is_partial:
        raise _refusal(file, reading)
    return Checked(
        {verdict.line: verdict.label for verdict in verdicts},
        reading.left_out,
        sum(verdict.others for verdict in verdicts if not verdict.is_last_of_several),
        sum(verdict.others for verdict in verdicts if verdict.is_last_of_several),
        reading.problems,
        len(nameless),
    )


def _read(project: Project, file: LabelFile) -> _Reading:
    reading = _Reading()
    for chunk in in_chunks(file.entries(), CHUNK):
        for number, entry in chunk:
            if entry is None:
                reading.left_out += 1
            elif isinstance(entry, Message):
                reading.problems[number] = entry
            elif isinstance(entry, Unknown):
                reading.unknown[entry.label] += 1
                reading.problems[number] = Message("unknown label {label}", label=quoted(entry.label))
        rows = [entry for _, entry in chunk if isinstance(entry, LabelledRow)]
        reading.lines += _lines(project, rows)
        reading.problems |= _with_other_text(project, [entry.row for entry in rows])
    return reading


def _lines(project: Project, entries: Sequence[LabelledRow]) -> Iterator[Line]:
    with project.database.read() as session:
        posts = posts_of(session, [entry.row for entry in entries])
    for entry, post in zip(entries, posts, strict=True):
        row = entry.row
        key = group_key(row.text) if row.text else None
        yield Line(row.line, entry.label, post, row.id, key, entry.time, entry.annotator)


def _with_other_text(project: Project, rows: Sequence[Row]) -> dict[int, Message]:
    with project.database.read() as session:
        texts = texts_by_id(session, rows)
    return {
        row.line: Message("id {id} is already known with another text", id=row.id)
        for row in rows
        if row.text and row.id in texts and group_key(row.text) != group_key(texts[row.id])
    }


def _nameless(lines: Sequence[Line]) -> Iterator[Problem]:
    """Lines without a text, whose id is neither that of a post nor of a line with a text."""
    with_text = {line.id for line in lines if line.key is not None}
    for line in lines:
        if line.post is None and line.key is None and line.id not in with_text:
            yield (
                line.number,
                Message("no text, and no post has the id {id}", id=(line.id or "")[:LONGEST_ID_SHOWN]),
            )


def _refusal(file: LabelFile, reading: _Reading) -> InputError:
    first = sorted(reading.problems.items())[:PROBLEMS_SHOWN]
    return InputError(
        "{file}: {count} of its lines cannot be used: {examples}. {advice}",
        file=file.path,
        count=len(reading.problems),
        examples=[file.place(number, problem) for number, problem in first],
        advice=_advice(reading.unknown),
    )


def _advice(unknown: Counter[str]) -> Message:
    if not unknown:
        return Message("Nothing was imported; correct them.")
    names = [name for name, _ in unknown.most_common(UNKNOWN_SHOWN)]
    return Message(
        "Nothing was imported; its unknown labels are {labels}. Correct them, or name each: "
        "--map {map}, where ours is {ours}, or - to leave its lines out.",
        labels=", ".join(f"{quoted(name)} ({unknown[name]})" for name in names),
        map=",".join(f"{name[:40]}=ours" for name in names if "," not in name) or "theirs=ours",
        ours=", ".join(LABELS),
    )
