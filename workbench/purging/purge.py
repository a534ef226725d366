"""Purging: removal of posts with all their labels, scores and traces.

Files are purged first, the database last, so that an interrupted purge can select the posts again. An audit
entry with counts and the hash of the criterion stays, and so do adapters trained with the posts.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db import search
from db.bulk import IDS_AT_ONCE
from db.tables import Import
from trainer.chunks import in_chunks
from workbench import jobs
from workbench.accounts import Account, Right, acting, reading
from workbench.audit import read_head, record
from workbench.errors import RoundError, WorkbenchError
from workbench.imports.intake import alone
from workbench.imports.storing import store_waiting
from workbench.locks import STEP, WORK, hold
from workbench.project import Project
from workbench.purging.adapted import encoders_with, mark_encoders
from workbench.purging.criterion import Criterion, posts_of
from workbench.purging.files import PurgedPosts, remove_leftovers, remove_what_is_made_again
from workbench.purging.rows import count, delete_posts, delete_rejected
from workbench.rounds import lifecycle


@dataclass(frozen=True)
class Purge:
    """The result of a purge, or of its dry run.

    `rounds` were trained with some of the posts and keep their adapters; `adaptations` have read some and keep their
    encoders; `copies` are database backups that still contain them.
    """

    criterion: str
    counts: Mapping[str, int]
    rounds: Sequence[int]
    adaptations: Sequence[int]
    copies: Sequence[str]
    is_done: bool
    audit_head: str | None = None
    """The entry of the purge."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def purge(project: Project, account: Account, criterion: Criterion, *, is_dry: bool = True) -> Purge:
    """Remove the posts everywhere, or only count them. Safe to repeat after an interruption.

    Rows that an import has left waiting are stored first, in a dry run too, as only stored posts can be
    selected. Raises NotAllowedError if `account` is not a lead, RoundError while a round or an import is in
    progress, WorkbenchError if the database's file still holds traces of the posts.
    """
    if is_dry:
        purged = _find(project, account, criterion)
        counts = count(project, purged.posts, criterion) | purged.count_in_files()
        mark, trained = criterion.mark(project), purged.rounds_with_lines()
        adapted = encoders_with(project, purged.posts)
        return Purge(mark, counts, trained, adapted, _copies(project), is_done=False)
    # Selected under the locks: a freed number could belong to another post by then.
    with _exclusive_access(project):
        purged = _find(project, account, criterion)
        return _remove(project, account, criterion, purged.posts, purged)


def _find(project: Project, account: Account, criterion: Criterion) -> PurgedPosts:
    with reading(project, account, Right.PURGE) as session:
        _refuse_work(project, session)
    store_waiting(project)  # posts waiting in files must be selected as well
    # In a snapshot: annotators continue to label while ten million posts are read.
    with reading(project, account, Right.PURGE) as session:
        return PurgedPosts(project, list(posts_of(session, criterion)), criterion)


def _remove(
    project: Project, account: Account, criterion: Criterion, posts: Sequence[int], purged: PurgedPosts
) -> Purge:
    mark = criterion.mark(project)
    with acting(project, account, Right.PURGE) as session:
        _refuse_work(project, session)
        record(session, project, account.id, "begin purge", mark, posts=len(posts))
    remove_leftovers(project)
    counts, adapted = purged.remove_from_files(), mark_encoders(project, posts)
    for some in in_chunks(posts, IDS_AT_ONCE):
        with project.database.write() as session:
            lifecycle.refuse_second(session)
            counts.update(delete_posts(session, some))
    # These steps run every time: after an interruption past the last post the selection is empty.
    with project.database.write() as session:
        search.settle(session)
    remove_what_is_made_again(project)
    counts.update(delete_rejected(project, criterion))
    trained = purged.rounds_that_lost_lines()
    with acting(project, account, Right.PURGE) as session:
        detail = {"counts": dict(counts), "rounds": trained, "adaptations": adapted}
        record(session, project, account.id, "purge", mark, **detail)
        head = str(read_head(session))
        job_id = f"purge-{project.now().isoformat()}"  # rebuilds the queue and its counts
        jobs.enqueue(project.database.engine, session, jobs.Job.PREPARE, 0, job_id=job_id)
    _write_anew(project)
    return Purge(mark, dict(counts), trained, adapted, _copies(project), is_done=True, audit_head=head)


@contextmanager
def _exclusive_access(project: Project) -> Iterator[None]:
    """Locks out the worker and imports, whose data must not change while they run.

    Raises RoundError or InputError if one is active.
    """
    preparing = RoundError("Posts are being prepared. Wait until they are, then purge.")
    with (
        hold(project.data / WORK, seconds=0, refusal=preparing),
        hold(project.data / STEP, seconds=0, refusal=preparing),
        alone(project),
    ):
        yield


def _write_anew(project: Project) -> None:
    """Rewrite the database's file without deleted content, and empty its log. Raises WorkbenchError if that fails."""
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
            "it is being read, or the disk is full. Run it again."
        )


def _refuse_work(project: Project, session: Session) -> None:
    lifecycle.refuse_second(session)
    importing = session.scalar(select(Import.id).where(Import.state == "stored").limit(1))
    if importing is not None and lifecycle.is_worker_running(project):
        raise RoundError("Posts are being prepared. Wait until they are, then purge.")


def _copies(project: Project) -> list[str]:
    return sorted(str(file) for name in ("*.before-*", "*.db.part") for file in project.data.glob(name))
