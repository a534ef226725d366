"""The right to be forgotten: posts go, with all that was ever said of them.

Files first, the database last: as long as a post stands in the database, whoever was interrupted finds it again. What
stays is an audit entry with counts and the hash of the criterion, and adapters that were trained with the posts.
"""

import hmac
import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import ColumnElement, String, cast, delete, exists, func, insert, select, tuple_, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from db import search
from db.queries import rounds_by_number
from db.tables import (
    Annotation,
    Base,
    Claim,
    Draft,
    Explanation,
    Import,
    LapsedClaim,
    NearCopyKey,
    Post,
    PostFacts,
    PostGroup,
    PostText,
    QueueEntry,
    RejectedRow,
    Resolution,
)
from trainer.duplicates import band_keys, group_key
from workbench import doubts, jobs, redaction, rounds, scores, tokens
from workbench.accounts import Account, Right, acting, reading, record
from workbench.adoption import ADOPTING
from workbench.bundles import PACKING
from workbench.counting import set_aside_file
from workbench.deciding import ESCAPES
from workbench.errors import InputError, RoundError, WorkbenchError
from workbench.facts import day_of, has_fact
from workbench.imports import alone, known_otherwise
from workbench.incoming import store_waiting, text_hash
from workbench.locks import WORK, hold
from workbench.project import Project, cookie_secret
from workbench.radar import radar_file

CHUNK = 500
CHECKED = Path("evaluation") / "test_probabilities.parquet"
"""In a round's folder: what its adapter makes of each test post."""
OF_POST: Sequence[tuple[str, type[Base], InstrumentedAttribute[int]]] = (
    ("claims", Claim, Claim.post_id),
    ("lapsed claims", LapsedClaim, LapsedClaim.post_id),
    ("drafts", Draft, Draft.post_id),
    ("explanations", Explanation, Explanation.post_id),
    ("queue entries", QueueEntry, QueueEntry.post_id),
    ("resolutions", Resolution, Resolution.post_id),
    ("annotations", Annotation, Annotation.post_id),
    ("facts", PostFacts, PostFacts.post_id),
    ("texts", PostText, PostText.post_id),
    ("posts", Post, Post.id),
)
"""What hangs on a post, in the order in which it can go."""


@dataclass(frozen=True)
class Criterion:
    """Which posts go: those of an author, one by its id, or those from before a day.

    Raises InputError unless exactly one is given, and not blank.
    """

    author: str | None = None
    post: str | None = None
    before: date | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.author, self.post, self.before) if value is not None]
        if len(given) != 1 or not str(given[0]).strip():
            raise InputError("Name one of --author, --post and --before.")

    @property
    def kind(self) -> str:
        return "author" if self.author else "post" if self.post else "before"

    def mark(self, project: Project) -> str:
        """What is written down of it: equal for the same criterion, and nobody without the project's key can try names."""
        told = f"{self.kind}:{self.author or self.post or self.before}"
        return hmac.new(cookie_secret(project).encode(), told.encode(), "sha256").hexdigest()


@dataclass(frozen=True)
class Purge:
    """What goes, or went.

    `rounds` were trained with some of the posts, and keep their adapters; `copies` of the database hold them still.
    """

    criterion: str
    counts: Mapping[str, int]
    rounds: Sequence[int]
    copies: Sequence[str]
    is_done: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def purge(project: Project, account: Account, criterion: Criterion, *, is_dry: bool = True) -> Purge:
    """Remove the posts everywhere, or only say what would go. Interrupted, it is run again; twice is once.

    Posts that an import has left waiting are stored first, either way: only what is stored can be looked through.

    Raises NotAllowedError for somebody who is no lead, RoundError while a round or an import is worked on,
    WorkbenchError where the posts went but the database's file holds traces of them still.
    """
    if is_dry:
        gone = _find(project, account, criterion)
        counts = _count(project, gone.posts, criterion) | gone.count_in_files()
        mark, trained = criterion.mark(project), gone.rounds_with_lines()
        return Purge(mark, counts, trained, _copies(project), is_done=False)
    # Found under the locks: a number that somebody else has made free may be another post's by then.
    with _nobody_at_work(project):
        gone = _find(project, account, criterion)
        return _remove(project, account, criterion, gone.posts, gone)


def _find(project: Project, account: Account, criterion: Criterion) -> "_Gone":
    with reading(project, account, Right.PURGE) as session:
        _refuse_work(project, session)
    store_waiting(project)  # posts that an import has left in files are looked for as well
    # A snapshot: people go on labelling while ten million posts are read.
    with reading(project, account, Right.PURGE) as session:
        return _Gone(project, list(_posts(session, criterion)), criterion)


def _remove(
    project: Project, account: Account, criterion: Criterion, posts: Sequence[int], gone: "_Gone"
) -> Purge:
    mark = criterion.mark(project)
    with acting(project, account, Right.PURGE) as session:
        _refuse_work(project, session)
        record(session, project, account.id, "begin purge", mark, posts=len(posts))
    _remove_leftovers(project)
    counts = gone.remove_from_files()
    for start in range(0, len(posts), CHUNK):
        with project.database.write() as session:
            rounds.refuse_second(session)
            counts.update(_delete_posts(session, posts[start : start + CHUNK]))
    # Whoever was interrupted after the last post finds none now: what follows is done every time.
    with project.database.write() as session:
        search.settle(session)
    _remove_what_is_made_again(project)
    counts.update(_delete_rejected(project, criterion))
    trained = gone.rounds_that_lost_lines()
    with acting(project, account, Right.PURGE) as session:
        record(session, project, account.id, "purge", mark, counts=dict(counts), rounds=trained)
        job_id = f"purge-{project.now().isoformat()}"  # the queue and its counts are made anew
        jobs.enqueue(project.database.engine, session, jobs.Job.PREPARE, 0, job_id=job_id)
    _write_anew(project)
    return Purge(mark, dict(counts), trained, _copies(project), is_done=True)


@contextmanager
def _nobody_at_work(project: Project) -> Iterator[None]:
    """Neither the worker nor an import: what they have read must not go under them.

    Raises RoundError or InputError where one is.
    """
    with ExitStack() as held:
        try:
            held.enter_context(hold(project.data / WORK, waits=False))
        except BlockingIOError:
            raise RoundError("Posts are being prepared. Wait until they are, then purge.") from None
        held.enter_context(alone(project))
        yield


@dataclass(frozen=True)
class _Gone:
    """The posts as files know them."""

    project: Project
    posts: Sequence[int]
    criterion: Criterion

    def count_in_files(self) -> dict[str, int]:
        known = self._known()
        lines = sum(sum(redaction.count_lines(folder, known.is_gone).values()) for folder in self._exports())
        found = [self.project.round_folder(number) for number in self._rounds()]
        ids = np.array(self.posts, dtype=np.int64)
        return {
            "exported lines": lines,
            "scores": sum(scores.count_of(folder / "scores", ids) for folder in found),
            "token ids": tokens.count_of(self.project, ids),
            "doubts": sum(doubts.count_of(folder, known.ids) for folder in found),
            "checked posts": sum(_checked(folder, known.ids) for folder in found),
            "verdicts": sum(_verdicts_on(file, known.ids) for file in self._verdicts()),
        }

    def remove_from_files(self) -> Counter[str]:
        known, at = self._known(), self.project.now().isoformat()
        counts: Counter[str] = Counter()
        for folder in self._exports():
            counts["exported lines"] += redaction.redact(
                folder, known.is_gone, criterion=self.criterion.mark(self.project), at=at
            )
        for number in self._rounds():
            counts["doubts"] += doubts.forget(self.project.round_folder(number), known.ids)
            counts["checked posts"] += _without_checked(self.project.round_folder(number), known.ids)
        counts["scores"] += self.remove_scores()
        counts["token ids"] += tokens.forget(self.project, self.posts)
        counts["verdicts"] += sum(_without_verdicts(file, known.ids) for file in self._verdicts())
        _remove_what_is_made_again(self.project)
        return counts

    def _verdicts(self) -> list[Path]:
        return sorted((self.project.data / "verdicts").glob("*.tsv"))

    def remove_scores(self) -> int:
        ids = np.array(self.posts, dtype=np.int64)
        folders = [self.project.round_folder(number) / "scores" for number in self._rounds()]
        return sum(scores.forget(folder, ids) for folder in folders)

    def rounds_with_lines(self) -> list[int]:
        """Rounds that learned from one of the posts or were chosen by it."""
        known = self._known()
        return [
            number
            for number in self._rounds()
            if redaction.count_lines(_export(self.project, number), known.is_gone).keys() - {"test.jsonl"}
        ]

    def rounds_that_lost_lines(self) -> list[int]:
        """The same afterwards, by what the receipts say: those of an interrupted run too."""
        return [
            number
            for number in self._rounds()
            if redaction.has_lost_lines(_export(self.project, number), self.criterion.mark(self.project))
        ]

    def _known(self) -> "_Known":
        ids, texts = set(), set()
        with self.project.database.read() as session:
            for some in _chunks(self.posts):
                rows = session.execute(
                    select(Post.external_id, Post.text_hash).where(Post.id.in_(some))
                ).all()
                ids |= {row.external_id for row in rows}
                texts |= {row.text_hash for row in rows}
            kept = set(self.posts)
            for some in _chunks(list(texts)):
                same = session.execute(select(Post.id, Post.text_hash).where(Post.text_hash.in_(some)))
                texts -= {row.text_hash for row in same if row.id not in kept}
        return _Known(ids, texts)

    def _rounds(self) -> list[int]:
        with self.project.database.read() as session:
            return sorted(row.number for row in session.scalars(rounds_by_number()))

    def _exports(self) -> Iterator[Path]:
        """Every folder with exported rows: of rounds, the newest ones, and those that were sent away."""
        yield from sorted(
            {
                file.parent
                for root in (self.project.annotations, self.project.data / "bundles")
                for file in root.rglob("*.jsonl")
                if not any(part.startswith(".") for part in file.relative_to(root).parts)
            }
        )


@dataclass(frozen=True)
class _Known:
    """Ids of the posts that go, and hashes of texts that no other post has."""

    ids: Collection[str]
    texts: Collection[bytes]

    def is_gone(self, line: Mapping[str, Any]) -> bool:
        """Rows that were sent away carry no id: they are known by their text."""
        if "id" in line:
            return line["id"] in self.ids
        return text_hash(line["text"]) in self.texts


def _verdicts_on(file: Path, ids: Collection[str]) -> int:
    """How many of these posts a morning's file has a verdict on."""
    written = _as_written(ids)
    with file.open(encoding="utf-8", newline="\n") as lines:
        return sum(line.rstrip("\n").partition("\t")[0] in written for line in lines)


def _without_verdicts(file: Path, ids: Collection[str]) -> int:
    """Take the verdicts on these posts out of a morning's file; returns how many went."""
    gone = _verdicts_on(file, ids)
    if gone:
        written, part = _as_written(ids), file.with_name(f".{file.name}.part")
        with (
            file.open(encoding="utf-8", newline="\n") as lines,
            part.open("w", encoding="utf-8", newline="\n") as kept,
        ):
            kept.writelines(line for line in lines if line.rstrip("\n").partition("\t")[0] not in written)
        part.replace(file)
    return gone


def _as_written(ids: Collection[str]) -> Collection[str]:
    """The ids as they stand in files of verdicts."""
    return {name.translate(ESCAPES) for name in ids}


def _checked(folder: Path, ids: Collection[str]) -> int:
    """How many of these posts a round's adapter was checked on."""
    file = folder / CHECKED
    return sum(name in ids for name in pq.read_table(file)["id"].to_pylist()) if file.exists() else 0


def _without_checked(folder: Path, ids: Collection[str]) -> int:
    """Take these posts out of what a round's adapter was checked on; returns how many went."""
    gone = _checked(folder, ids)
    if gone:
        file = folder / CHECKED
        table = pq.read_table(file)
        part = file.with_name(f".{file.name}.part")
        pq.write_table(table.filter(pa.array([name not in ids for name in table["id"].to_pylist()])), part)
        part.replace(file)
    return gone


def _remove_what_is_made_again(project: Project) -> None:
    """When it is asked for: the radar and a count of posts by the worker, exports on the page."""
    radar_file(project).unlink(missing_ok=True)
    set_aside_file(project).unlink(missing_ok=True)
    shutil.rmtree(project.data / "exports", ignore_errors=True)


def _remove_leftovers(project: Project) -> None:
    """What killed work left behind holds texts too, and nobody reads it again."""
    bundles = project.data / "bundles"
    for root, pattern in (
        (bundles, f"{PACKING}*"),
        (project.annotations, f"{ADOPTING}*"),
        (project.models, f"{ADOPTING}*"),
        (project.models, ".round-*-attempt-*"),
    ):
        for folder in root.glob(pattern):
            shutil.rmtree(folder)
    for root in (project.annotations, bundles, project.data / "verdicts", project.models):
        for left in sorted(root.rglob(".*.part"), reverse=True):  # what is in a folder before the folder
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()


def _write_anew(project: Project) -> None:
    """Write the database's file without what was deleted, and empty its log. Raises WorkbenchError where it can't."""
    with project.database.engine.connect() as connection:
        try:
            connection.exec_driver_sql("PRAGMA temp_store=FILE")  # it may be larger than the memory
            connection.exec_driver_sql("VACUUM")
            is_busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        except OperationalError:
            is_busy = True
        finally:
            connection.exec_driver_sql("PRAGMA temp_store=MEMORY")
    if is_busy:
        raise WorkbenchError(
            "The posts are gone, but the database's file still holds traces: "
            "somebody is reading it, or the disk is full. Run it again."
        )


def _refuse_work(project: Project, session: Session) -> None:
    rounds.refuse_second(session)
    importing = session.scalar(select(Import.id).where(Import.state == "stored").limit(1))
    if importing is not None and rounds.is_worker_running(project):
        raise RoundError("Posts are being prepared. Wait until they are, then purge.")


def _posts(session: Session, criterion: Criterion) -> Iterator[int]:
    """The numbers of the posts that go, in order."""
    if criterion.post:
        yield from session.scalars(select(Post.id).where(Post.external_id == criterion.post))
        return
    facts = select(Post.id, PostFacts.facts, Import.started_at).join(Import, Import.id == Post.import_id)
    if criterion.author:
        # As it stands in the JSON: a name is looked for in ten million rows without reading them.
        needle = json.dumps(criterion.author.strip())[1:-1]
        facts = facts.join(PostFacts, PostFacts.post_id == Post.id).where(
            func.instr(cast(PostFacts.facts, String), needle) > 0
        )
    else:
        facts = facts.outerjoin(PostFacts, PostFacts.post_id == Post.id)
    for row in session.execute(facts.order_by(Post.id).execution_options(yield_per=5_000)):
        told = row.facts or {}
        if criterion.author:
            if has_fact(told, "author", criterion.author.strip()):
                yield row.id
        elif criterion.before and (day_of(told) or row.started_at.date()) < criterion.before:
            yield row.id


def _count(project: Project, posts: Sequence[int], criterion: Criterion) -> dict[str, int]:
    """What would go from the database."""
    counts: Counter[str] = Counter()
    with project.database.read() as session:
        for some in _chunks(posts):
            for name, table, column in OF_POST:
                query = select(func.count()).select_from(table).where(column.in_(some))
                counts[name] += session.scalar(query) or 0
            counts["near-copy keys"] += (
                session.scalar(select(func.count()).select_from(NearCopyKey).where(_is_key_of(session, some)))
                or 0
            )
        found = set(_rejected(session, criterion))
        for some in _chunks(posts):
            rows = select(RejectedRow.import_id, RejectedRow.line).where(_says_another_text(session, some))
            found |= {(row.import_id, row.line) for row in session.execute(rows)}
    return {**counts, "unreadable rows": len(found)}


def _delete_posts(session: Session, posts: Sequence[int]) -> Counter[str]:
    """Everything about some posts, in the caller's transaction."""
    counts: Counter[str] = Counter()
    groups = set(session.scalars(select(Post.group_id).where(Post.id.in_(posts))))
    counts["near-copy keys"] += _delete_keys(session, posts)
    counts["unreadable rows"] += _run_delete(session, RejectedRow, _says_another_text(session, posts))
    search.forget(session, posts)
    brought = select(Post.import_id, func.count()).where(Post.id.in_(posts)).group_by(Post.import_id)
    for number, count in session.execute(brought).all():
        rest = func.max(0, Import.accepted - count)
        session.execute(update(Import).where(Import.id == number).values(accepted=rest))
    with _history_open(session):
        source = aliased(Annotation)
        from_gone = select(source.id).where(source.post_id.in_(posts))
        # What near-copies were given stays theirs, without where it came from.
        session.execute(
            update(Annotation)
            .where(Annotation.propagated_from_id.in_(from_gone), Annotation.post_id.not_in(posts))
            .values(propagated_from_id=None),
            execution_options={"synchronize_session": False},
        )
        for name, table, column in OF_POST:
            counts[name] += _run_delete(session, table, column.in_(posts))
    is_empty = ~exists().where(Post.group_id == PostGroup.id)
    _run_delete(session, PostGroup, PostGroup.id.in_(groups - {None}), is_empty)
    return counts


def _run_delete(session: Session, table: type[Base], *where: ColumnElement[bool]) -> int:
    deleted = session.execute(delete(table).where(*where), execution_options={"synchronize_session": False})
    return int(deleted.rowcount)  # type: ignore[attr-defined]


class _history_open:  # noqa: N801 - reads as what it is in a with statement
    """The triggers that keep answers from being deleted are gone for a moment of this one transaction."""

    def __init__(self, session: Session) -> None:
        self._connection = session.connection()

    def __enter__(self) -> None:
        found = self._connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ('annotation', 'resolution')"
        ).all()
        self._triggers = [row.sql for row in found]
        for row in found:
            self._connection.exec_driver_sql(f'DROP TRIGGER "{row.name}"')

    def __exit__(self, *_: object) -> None:
        for sql in self._triggers:
            self._connection.exec_driver_sql(sql)


def _is_key_of(session: Session, posts: Sequence[int]) -> ColumnElement[bool]:
    """The stored keys of these posts, looked up by what their texts hash to: the table has no index by post."""
    texts = dict(
        session.execute(select(PostText.post_id, PostText.text).where(PostText.post_id.in_(posts))).all()
    )
    keys = {int(key) for row in band_keys(list(texts.values())) for key in row} if texts else set()
    return NearCopyKey.key.in_(keys) & NearCopyKey.post_id.in_(posts)


def _delete_keys(session: Session, posts: Sequence[int]) -> int:
    """Remove the posts from the near-copy index; an equal text that stays takes the place, so that copies are found."""
    is_theirs = _is_key_of(session, posts)
    stored = session.execute(select(NearCopyKey.key, NearCopyKey.post_id).where(is_theirs)).all()
    heirs = _heirs(session, {row.post_id for row in stored})
    _run_delete(session, NearCopyKey, is_theirs)
    inherited = {(row.key, heirs[row.post_id]) for row in stored if row.post_id in heirs}
    pairs = tuple_(NearCopyKey.key, NearCopyKey.post_id)
    if inherited:
        there = set(session.execute(select(NearCopyKey.key, NearCopyKey.post_id).where(pairs.in_(inherited))))
        new = [
            {"key": key, "post_id": post} for key, post in sorted(inherited - {tuple(row) for row in there})
        ]
        if new:
            session.connection().execute(insert(NearCopyKey), new)
    return len(stored)


def _heirs(session: Session, posts: Collection[int]) -> dict[int, int]:
    """For each post another of its group that stays and reads the same, where there is one."""
    mine = dict(
        session.execute(select(PostText.post_id, PostText.text).where(PostText.post_id.in_(posts))).all()
    )
    groups = select(Post.group_id).where(Post.id.in_(posts))
    others = session.execute(
        select(PostText.post_id, PostText.text)
        .join(Post, Post.id == PostText.post_id)
        .where(Post.group_id.in_(groups), Post.id.not_in(posts), Post.is_quarantined.is_(False))
        .order_by(Post.id.desc())
    )
    readers = {group_key(row.text): row.post_id for row in others}
    return {post: readers[key] for post, text in mine.items() if (key := group_key(text)) in readers}


def _says_another_text(session: Session, posts: Sequence[int]) -> ColumnElement[bool]:
    """Rows that were refused because one of these posts has their id."""
    names = session.scalars(select(Post.external_id).where(Post.id.in_(posts)))
    return RejectedRow.reason.in_([known_otherwise(name) for name in names])


def _rejected(session: Session, criterion: Criterion) -> list[tuple[int, int]]:
    """Unreadable rows that hold the author or the id in a cell, or came before the day."""
    rows = select(RejectedRow.import_id, RejectedRow.line, RejectedRow.content)
    if criterion.before:
        early = select(Import.id, Import.started_at)
        imports = {row.id for row in session.execute(early) if row.started_at.date() < criterion.before}
        return [(row.import_id, row.line) for row in session.execute(rows) if row.import_id in imports]
    wanted = (criterion.author or criterion.post or "").strip()
    likely = session.execute(rows.where(func.instr(RejectedRow.content, wanted) > 0))
    return [
        (row.import_id, row.line)
        for row in likely
        if wanted in {cell.strip() for cell in row.content.split("\t")}
    ]


def _delete_rejected(project: Project, criterion: Criterion) -> Counter[str]:
    with project.database.read() as session:
        rows = _rejected(session, criterion)
    for some in _chunks(rows):
        with project.database.write() as session:
            _run_delete(session, RejectedRow, tuple_(RejectedRow.import_id, RejectedRow.line).in_(some))
    return Counter({"unreadable rows": len(rows)})


def _copies(project: Project) -> list[str]:
    """Copies of the database that were kept before it was changed: they hold everything still."""
    return sorted(str(file) for name in ("*.before-*", "*.db.part") for file in project.data.glob(name))


def _export(project: Project, number: int) -> Path:
    return project.annotations / f"round-{number:04d}"


def _chunks(values: Sequence[Any]) -> Iterator[list[Any]]:
    entries = iter(values)
    while some := list(islice(entries, CHUNK)):
        yield some
