"""What there is: the newest posts with their labels, and the files they came from."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.queries import current_labels
from db.tables import Annotation, Import, Person, Post, PostText


@dataclass(frozen=True)
class ListedPost:
    """A post and the standing labels people gave it, each once."""

    external_id: str
    text: str
    labels: Sequence[str]


@dataclass(frozen=True)
class ListedImport:
    """One file brought in."""

    id: int
    file_name: str
    state: str
    accepted: int
    duplicates: int
    rejected: int
    started_at: datetime
    by: str | None


def newest_posts(session: Session, *, most: int = 200) -> list[ListedPost]:
    """The posts that came last, newest first; unfinished imports left out."""
    rows = session.execute(
        select(Post.id, Post.external_id, PostText.text)
        .join(PostText, PostText.post_id == Post.id)
        .where(Post.import_id.not_in(select(Import.id).where(Import.state == "storing")))
        .order_by(Post.id.desc())
        .limit(most)
    ).all()
    labels: dict[int, list[str]] = defaultdict(list)
    for annotation in session.scalars(
        current_labels().where(Annotation.post_id.in_([row.id for row in rows]))
    ):
        if annotation.label is not None and annotation.label not in labels[annotation.post_id]:
            labels[annotation.post_id].append(annotation.label)
    return [ListedPost(row.external_id, row.text, labels[row.id]) for row in rows]


def imports_by_date(session: Session, *, most: int = 50) -> list[ListedImport]:
    """The imports, newest first."""
    rows = session.execute(
        select(Import, Person.name)
        .outerjoin(Person, Person.id == Import.person_id)
        .order_by(Import.id.desc())
        .limit(most)
    )
    return [
        ListedImport(
            row.id, row.file_name, row.state, row.accepted, row.duplicates, row.rejected, row.started_at, name
        )
        for row, name in rows
    ]
