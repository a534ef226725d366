"""Import of labels given elsewhere: an annotated file, or a forum's moderation log.

The whole file is checked before anything is written: a missing or unknown label is an error with its line,
never `normal`. A line belongs to the post with its id, else with its text; an unknown text becomes a post.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from db.queries.standing import is_current
from db.tables import Annotation, Post, PostGroup, PostText
from trainer.chunks import in_chunks
from trainer.labels import LABELS
from trainer.messages import Message
from trainer.texts.normalisation import group_key
from workbench.accounts import Account, Right, acting, reading, record
from workbench.errors import InputError
from workbench.exports.jsonl import read_objects
from workbench.imports.incoming import text_hash
from workbench.imports.intake import alone, take_in
from workbench.imports.rejects import Reject
from workbench.imports.storing import store_waiting
from workbench.imports.tsv import Columns, Row, open_tsv
from workbench.project import LABEL_SET_ID, Project
from workbench.queue.claims import note_answers

CHINESE = dict(zip(("正常", "疑似", "违规"), LABELS, strict=True))
PROBLEMS_SHOWN = 3
LEFT_OUT = "-"
"""Target in a label map for lines to leave out."""
CHUNK = 2_000


@dataclass(frozen=True)
class LabelledRow:
    row: Row
    label: str


@dataclass(frozen=True)
class LabelReceipt:
    labelled: int
    unchanged: int
    new_posts: int
    left_out: int = 0


def parse_map(text: str | None) -> dict[str, str]:
    """A map such as `删除=violation,通过=normal,警告=-` to our label names; `-` leaves such lines out.

    Raises InputError for anything else.
    """
    mapping = dict(zip(LABELS, LABELS, strict=True)) | CHINESE
    for pair in filter(None, (text or "").split(",")):
        theirs, separator, ours = (part.strip() for part in pair.partition("="))
        if not separator or not theirs or ours not in {*mapping, LEFT_OUT}:
            raise InputError(
                "--map {pair}: write theirs=ours, where ours is one of {labels}, or - to leave such lines out.",
                pair=pair,
                labels=", ".join(LABELS),
            )
        mapping[theirs] = mapping.get(ours, LEFT_OUT)
    return mapping


def import_labels(
    project: Project,
    account: Account,
    path: Path,
    *,
    label_column: str = "label",
    text_column: str | None = None,
    id_column: str | None = None,
    encoding: str | None = None,
    mapping: Mapping[str, str],
    source: str | None = None,
) -> LabelReceipt:
    """Import the labels of a JSONL or TSV file as answers of `account`.

    `source` names the origin of selected labels, such as `modlog`: they train, but stay out of validation and
    test. Without it they count as careful human labels. Importing a file again changes nothing; another label
    for a post supersedes the imported one. Raises InputError for an unreadable file or unusable lines, before
    anything is written.
    """
    file = _LabelFile(path, label_column, text_column, id_column, encoding, mapping)
    next(iter(file.entries()), None)  # a file that cannot be opened fails first
    with reading(project, account, Right.IMPORT):
        pass
    # Exclusive: a post imported between the check of the ids and the labels could get a label of another.
    with alone(project):
        store_waiting(project)
        left_out = _refuse_problems(project, file)
        new_posts = _import_unknown(project, account, file)
        labelled = unchanged = 0
        for chunk in in_chunks(file.rows(), CHUNK):
            changed = _annotate(project, account, chunk, source)
            labelled, unchanged = labelled + changed, unchanged + len(chunk) - changed
    with acting(project, account, Right.IMPORT) as session:
        record(
            session,
            project,
            account.id,
            "import labels",
            path.name,
            labelled=labelled,
            source=source,
            left_out=left_out,
        )
    return LabelReceipt(labelled, unchanged, new_posts, left_out)


@dataclass(frozen=True)
class _LabelFile:
    path: Path
    label_column: str
    text_column: str | None
    id_column: str | None
    encoding: str | None
    mapping: Mapping[str, str]

    def entries(self) -> Iterator[tuple[int, LabelledRow | Message | None]]:
        """Line number, with the row, the problem, or None for a line to leave out."""
        is_jsonl = self.path.suffix in {".jsonl", ".ndjson", ".json"}
        return self._from_jsonl() if is_jsonl else self._from_tsv()

    def rows(self) -> Iterator[LabelledRow]:
        return (entry for _, entry in self.entries() if isinstance(entry, LabelledRow))

    def _from_tsv(self) -> Iterator[tuple[int, LabelledRow | Message | None]]:
        with open_tsv(
            self.path,
            text_column=self.text_column,
            id_column=self.id_column,
            encoding=self.encoding,
            must_have=self.label_column,
            is_text_needed=False,
        ) as source:
            for entry in source:
                if isinstance(entry, Reject):
                    yield entry.line, entry.reason
                    continue
                facts = dict(entry.facts)
                label = facts.pop(self.label_column, None)
                yield entry.line, self._labelled(Row(entry.line, entry.id, entry.text, facts), label)

    def _from_jsonl(self) -> Iterator[tuple[int, LabelledRow | Message | None]]:
        if self.path.is_dir():
            raise InputError("{file} is a folder. Name a file in it.", file=self.path)
        if not self.path.is_file():
            raise InputError("There is no file {file}.", file=self.path)
        try:
            for line, value in read_objects(self.path):
                yield line, self._from_object(line, value)
        except UnicodeDecodeError as error:
            raise InputError("{file} is not UTF-8. Save it as UTF-8.", file=self.path) from error

    def _from_object(self, line: int, value: object) -> LabelledRow | Message | None:
        if not isinstance(value, dict):
            return Message("not a JSON object")
        text, identity = value.get(self.text_column or "text"), value.get(self.id_column or "id")
        if not isinstance(text, str) or not text.strip():
            return Message("no text")
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            return Message("half of a surrogate pair in the text")
        if identity is not None and not isinstance(identity, str | int):
            return Message("the id is neither text nor a number")
        label = value.get(self.label_column)
        row = Row(line, None if identity is None else str(identity), text, {})
        return self._labelled(row, label if isinstance(label, str) else None)

    def _labelled(self, row: Row, label: str | None) -> LabelledRow | Message | None:
        if label is None or not label.strip():
            return Message("no label")
        ours = self.mapping.get(label.strip())
        if ours == LEFT_OUT:
            return None
        if ours:
            return LabelledRow(row, ours)
        return Message("unknown label {label}", label=repr(label.strip()[:40]))


@dataclass
class _UnknownPosts:
    path: Path
    encoding: str
    columns: Columns
    rows: Iterable[LabelledRow]
    project: Project
    bytes_read: int = 0

    def __iter__(self) -> Iterator[Row | Reject]:
        for chunk in in_chunks(self.rows, CHUNK):
            with self.project.database.read() as session:
                posts = _posts_of(session, [entry.row for entry in chunk])
            yield from (entry.row for entry, post in zip(chunk, posts, strict=True) if post is None)


def _refuse_problems(project: Project, file: _LabelFile) -> int:
    """Raises InputError for unusable lines; returns the number of lines to leave out."""
    problems: list[tuple[int, Message]] = []
    count = left_out = 0
    first_labels: dict[object, tuple[int, str]] = {}
    for chunk in in_chunks(file.entries(), CHUNK):
        rows = [entry for _, entry in chunk if isinstance(entry, LabelledRow)]
        left_out += sum(entry is None for _, entry in chunk)
        unusable = [
            *_unusable(chunk),
            *_contradicting(rows, first_labels),
            *_without_post(project, [entry.row for entry in rows]),
        ]
        count += len(unusable)
        problems = sorted([*problems, *unusable], key=lambda problem: (problem[0], str(problem[1])))[
            :PROBLEMS_SHOWN
        ]
    if count:
        raise InputError(
            "{file}: {count} of its lines cannot be used: {examples}. "
            "Nothing was imported; correct them, or name their labels with --map (theirs=ours, theirs=- leaves them out).",
            file=file.path,
            count=count,
            examples=[
                Message("line {line}: {problem}", line=line, problem=problem) for line, problem in problems
            ],
        )
    return left_out


def _unusable(chunk: Sequence[tuple[int, LabelledRow | Message | None]]) -> list[tuple[int, Message]]:
    return [(line, entry) for line, entry in chunk if isinstance(entry, Message)]


def _contradicting(
    rows: Sequence[LabelledRow], first_labels: dict[object, tuple[int, str]]
) -> list[tuple[int, Message]]:
    problems = []
    for entry in rows:
        key = entry.row.id if entry.row.id is not None else group_key(entry.row.text)
        line, label = first_labels.setdefault(key, (entry.row.line, entry.label))
        if label != entry.label:
            problem = Message(
                "{label}, but line {line} says {other} of the same post",
                label=entry.label,
                line=line,
                other=label,
            )
            problems.append((entry.row.line, problem))
    return problems


def _without_post(project: Project, rows: Sequence[Row]) -> list[tuple[int, Message]]:
    with project.database.read() as session:
        texts = select(Post.external_id, PostText.text).join(PostText, PostText.post_id == Post.id)
        text_of = dict(
            session.execute(texts.where(Post.external_id.in_({row.id for row in rows if row.id}))).all()
        )
    problems = []
    for row in rows:
        if not row.text and row.id not in text_of:
            problems.append((row.line, Message("no text, and no post has the id {id}", id=row.id)))
        elif row.text and row.id in text_of and group_key(row.text) != group_key(text_of[row.id]):
            problems.append((row.line, Message("id {id} is already known with another text", id=row.id)))
    return problems


def _import_unknown(project: Project, account: Account, file: _LabelFile) -> int:
    def unknown() -> _UnknownPosts:
        columns = Columns(("id", "text"), "text", None)
        return _UnknownPosts(file.path, file.encoding or "utf-8", columns, file.rows(), project)

    if next(iter(unknown()), None) is None:
        return 0
    receipt = take_in(project, account, unknown())
    store_waiting(project)
    return receipt.accepted


def _annotate(project: Project, account: Account, chunk: Sequence[LabelledRow], source: str | None) -> int:
    with acting(project, account, Right.IMPORT) as session:
        posts = _posts_of(session, [entry.row for entry in chunk])
        wanted = {post: entry.label for post, entry in zip(posts, chunk, strict=True) if post is not None}
        standing = {
            annotation.post_id: annotation
            for annotation in session.scalars(
                # Only an earlier import with an equal source is superseded: neither labels given here by hand,
                # nor careful labels by a moderation log.
                select(Annotation).where(
                    Annotation.post_id.in_(wanted),
                    Annotation.person_id == account.id,
                    Annotation.origin == "import",
                    Annotation.source == source,
                    is_current(),
                )
            )
        }
        new = [
            {
                "post_id": post,
                "person_id": account.id,
                "action": "label",
                "label_set_id": LABEL_SET_ID,
                "label": label,
                "supersedes_id": standing[post].id if post in standing else None,
                "origin": "import",
                "source": source,
                "lane": None,
                "saved_at": project.now(),
            }
            for post, label in wanted.items()
            if post not in standing or standing[post].label != label
        ]
        if new:
            session.execute(insert(Annotation), new)
            note_answers(session, list(wanted))
        return len(new)


def _posts_of(session: Session, rows: Sequence[Row]) -> list[int | None]:
    """The post of each row by id, else by exact text, else by normalised text; None if unknown."""
    ids = {row.id for row in rows if row.id is not None}
    by_id = dict(session.execute(select(Post.external_id, Post.id).where(Post.external_id.in_(ids))).all())
    hashes = {text_hash(row.text) for row in rows if row.text}
    by_hash = dict(
        session.execute(
            select(Post.text_hash, func.min(Post.id))
            .where(Post.text_hash.in_(hashes))
            .group_by(Post.text_hash)
        ).all()
    )
    keys = {group_key(row.text) for row in rows if row.text}
    by_key = dict(
        session.execute(
            select(PostGroup.key, func.min(Post.id))
            .join(Post, Post.group_id == PostGroup.id)
            .where(PostGroup.key.in_(keys))
            .group_by(PostGroup.key)
        ).all()
    )

    def find(row: Row) -> int | None:
        if row.id is not None and row.id in by_id:
            return by_id[row.id]
        if not row.text:
            return None
        return by_hash.get(text_hash(row.text)) or by_key.get(group_key(row.text))

    return [find(row) for row in rows]
