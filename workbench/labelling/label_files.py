"""Import of labels given elsewhere: an annotated file, or a forum's moderation log.

The whole file is checked before anything is written: a missing or unknown label is an error with its line,
never `normal`. A line belongs to the post with its id, else with its text; an unknown text becomes a post.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from db.queries.standing import is_current
from db.tables import Annotation, Post, PostGroup
from trainer.chunks import in_chunks
from trainer.reading.columns import Columns
from trainer.reading.rejects import Reject
from trainer.reading.rows import Row
from workbench.accounts import Account, Right, acting, reading
from workbench.audit import record
from workbench.imports.intake import Receipt, alone, take_in
from workbench.imports.storing import store_waiting
from workbench.labelling.files.checking import CHUNK, Checked, check
from workbench.labelling.files.matching import posts_of
from workbench.labelling.files.rows import LabelledRow, Names
from workbench.labelling.files.source import LabelFile
from workbench.project import LABEL_SET_ID, Project
from workbench.queue.claims import note_answers

UNPREPARED, SET_ASIDE, TRAIN = "unprepared", "set_aside", "train"


@dataclass(frozen=True)
class LabelReceipt:
    """Labels saved, posts that had the label before, posts added; then lines without a label of their own.

    `places` counts the posts of the file by split, with those not prepared yet. `rejects` are the lines that were
    passed over, of which `not_found` name no post.
    """

    labelled: int
    unchanged: int
    new_posts: int
    left_out: int = 0
    repeated: int = 0
    superseded: int = 0
    places: Mapping[str, int] = field(default_factory=dict, compare=False)
    rejects: Receipt | None = field(default=None, compare=False)
    not_found: int = 0

    @property
    def held_out(self) -> int:
        return sum(self.places.get(split, 0) for split in ("validation", "test", "audit"))


def import_labels(
    project: Project,
    account: Account,
    path: Path,
    *,
    label_column: str | None = None,
    text_column: str | None = None,
    id_column: str | None = None,
    encoding: str | None = None,
    is_quoted: bool | None = None,
    sheet: str | None = None,
    mapping: Mapping[str, str],
    source: str | None = None,
    name: str | None = None,
    is_partial: bool = False,
) -> LabelReceipt:
    """Import the labels of a file of posts, in any format that an import takes, as answers of `account`.

    `name` is what lists and messages call the file, if that is not the name of its path.

    `source` names the origin of selected labels, such as `modlog`: they train, but stay out of validation and
    test. Without it they count as careful human labels, except those of our own export that have a source. Importing a file again changes nothing; another label
    for a post supersedes the imported one. Raises InputError for an unreadable file or unusable lines, before
    anything is written.

    With `is_partial`, for a table or plain objects of ids and labels, the unusable lines are kept as the unreadable
    rows of an import, and the labels of the others are saved.
    """
    with reading(project, account, Right.IMPORT):
        pass
    file = LabelFile(
        path, Names(label_column or "label", text_column, id_column), encoding, mapping, is_quoted, sheet
    )
    shown = name or path.name
    next(iter(file.entries()), None)  # a file that cannot be opened fails first
    # Exclusive: a post imported between the check of the ids and the labels could get a label of another.
    with alone(project):
        store_waiting(project)
        checked = check(project, file, is_partial=is_partial)
        rejects = _keep_rejects(project, account, file, checked, shown)
        new_posts = _import_unknown(project, account, file, checked, shown)
        labelled, places = 0, Counter[str]()
        for chunk in in_chunks(_chosen(file, checked), CHUNK):
            for origin, rows in _by_source(chunk, source).items():
                labelled += _annotate(project, account, rows, origin, places)
    receipt = LabelReceipt(
        labelled,
        len(checked.labels) - labelled,
        new_posts,
        checked.left_out,
        checked.repeated,
        checked.superseded,
        dict(places),
        rejects,
        checked.not_found,
    )
    _record(project, account, shown, source, receipt)
    return receipt


def _record(project: Project, account: Account, name: str, source: str | None, receipt: LabelReceipt) -> None:
    counts = {"labelled": receipt.labelled, "left_out": receipt.left_out}
    with acting(project, account, Right.IMPORT) as session:
        record(session, project, account.id, "import labels", name, source=source, **counts)


def _chosen(file: LabelFile, checked: Checked) -> Iterator[LabelledRow]:
    """One row for each post, with the label that holds."""
    for entry in file.rows():
        if (label := checked.labels.get(entry.row.line)) is not None:
            yield entry._replace(label=label)


@dataclass
class _Rows:
    """A source of rows for an import."""

    path: Path
    encoding: str
    columns: Columns
    rows: Iterator[Row | Reject]
    bytes_read: int = 0

    def __iter__(self) -> Iterator[Row | Reject]:
        return self.rows


def _import_unknown(project: Project, account: Account, file: LabelFile, checked: Checked, name: str) -> int:
    unknown = _unknown(project, _chosen(file, checked))
    first = next(unknown, None)
    if first is None:
        return 0
    receipt = _take_in(project, account, file, chain([first], unknown), name)
    store_waiting(project)
    return receipt.accepted


def _keep_rejects(
    project: Project, account: Account, file: LabelFile, checked: Checked, name: str
) -> Receipt | None:
    if not checked.problems:
        return None
    return _take_in(project, account, file, file.rejects(checked.problems), name)


def _take_in(
    project: Project, account: Account, file: LabelFile, rows: Iterator[Row | Reject], name: str
) -> Receipt:
    columns = Columns(("id", "text"), "text", None)
    return take_in(project, account, _Rows(Path(name), file.encoding or "utf-8", columns, rows))


def _unknown(project: Project, entries: Iterator[LabelledRow]) -> Iterator[Row]:
    for chunk in in_chunks(entries, CHUNK):
        with project.database.read() as session:
            posts = posts_of(session, [entry.row for entry in chunk])
        yield from (entry.row for entry, post in zip(chunk, posts, strict=True) if post is None)


def _by_source(chunk: Sequence[LabelledRow], source: str | None) -> dict[str | None, list[LabelledRow]]:
    """The rows by the source of their labels: the given one, else the row's own."""
    rows: defaultdict[str | None, list[LabelledRow]] = defaultdict(list)
    for entry in chunk:
        rows[source or entry.source].append(entry)
    return rows


def _annotate(
    project: Project,
    account: Account,
    chunk: Sequence[LabelledRow],
    source: str | None,
    places: Counter[str],
) -> int:
    with acting(project, account, Right.IMPORT) as session:
        posts = posts_of(session, [entry.row for entry in chunk])
        wanted = {post: entry.label for post, entry in zip(posts, chunk, strict=True) if post is not None}
        standing = _standing(session, wanted, account, source)
        new = [
            _annotation(project, account, post, label, source, standing.get(post))
            for post, label in wanted.items()
            if post not in standing or standing[post].label != label
        ]
        if new:
            session.execute(insert(Annotation), new)
            note_answers(session, list(wanted))
        places.update(_places(session, wanted))
        return len(new)


def _standing(
    session: Session, wanted: Mapping[int, str], account: Account, source: str | None
) -> dict[int, Annotation]:
    """Earlier imports with an equal source, which alone are superseded: neither labels given here by hand, nor
    careful labels by a moderation log.
    """
    query = select(Annotation).where(
        Annotation.post_id.in_(wanted),
        Annotation.person_id == account.id,
        Annotation.origin == "import",
        Annotation.source == source,
        is_current(),
    )
    return {annotation.post_id: annotation for annotation in session.scalars(query)}


def _annotation(
    project: Project, account: Account, post: int, label: str, source: str | None, before: Annotation | None
) -> dict[str, Any]:
    return {
        "post_id": post,
        "person_id": account.id,
        "action": "label",
        "label_set_id": LABEL_SET_ID,
        "label": label,
        "supersedes_id": None if before is None else before.id,
        "origin": "import",
        "source": source,
        "lane": None,
        "saved_at": project.now(),
    }


def _places(session: Session, posts: Mapping[int, str]) -> Counter[str]:
    """Posts by split."""
    query = (
        select(PostGroup.split, Post.is_quarantined, func.count())
        .select_from(Post)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(Post.id.in_(posts))
        .group_by(PostGroup.split, Post.is_quarantined)
    )
    places: Counter[str] = Counter()
    for split, is_set_aside, count in session.execute(query):
        places[_place(split, is_set_aside)] += count
    return places


def _place(split: str | None, is_set_aside: bool) -> str:
    if is_set_aside:
        return SET_ASIDE
    if split is None:
        return UNPREPARED
    return TRAIN if split == "pool" else split
