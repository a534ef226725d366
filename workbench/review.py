"""The lead's list: posts somebody asked about, and posts people judge differently."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select

from db.queries import disagreements, flagged_answers, is_current
from db.tables import Annotation, Person
from workbench.accounts import Account, Right, acting
from workbench.project import Project

LISTED = 200


@dataclass(frozen=True)
class Opinion:
    """What one person said; `label` is None where they asked instead of answering."""

    name: str
    label: str | None
    note: str | None
    said_at: datetime


@dataclass(frozen=True)
class OpenCase:
    """A post a lead should look at. `is_flagged`: somebody asked; else its opinions differ."""

    post_id: int
    external_id: str
    text: str
    is_flagged: bool
    opinions: Sequence[Opinion]

    def to_dict(self) -> dict[str, Any]:
        values = asdict(self)
        for opinion in values["opinions"]:
            opinion["said_at"] = opinion["said_at"].isoformat()
        return values


def open_cases(project: Project, account: Account) -> list[OpenCase]:
    """Flagged posts first, then disagreements, the newest of each first; at most 200 of each.

    Raises NotAllowedError for somebody who is no lead.
    """
    with acting(project, account, Right.REVIEW) as session:
        flagged = {
            annotation.post_id: (external_id, text)
            for annotation, _person, external_id, text in session.execute(flagged_answers().limit(LISTED))
        }
        split = {
            row.id: (row.external_id, row.text) for row in session.execute(disagreements().limit(LISTED))
        }
        posts = {**flagged, **{post: row for post, row in split.items() if post not in flagged}}
        opinions: dict[int, list[Opinion]] = {post: [] for post in posts}
        rows = session.execute(
            select(Annotation, Person.name)
            .join(Person, Person.id == Annotation.person_id)
            .where(
                Annotation.post_id.in_(posts),
                or_(Annotation.action == "label", Annotation.is_flagged & (Annotation.action != "undo")),
                is_current(),
            )
            .order_by(Annotation.id)
        )
        for annotation, name in rows:
            opinions[annotation.post_id].append(
                Opinion(name, annotation.label, annotation.note, annotation.saved_at)
            )
        return [
            OpenCase(post, external_id, text, post in flagged, opinions[post])
            for post, (external_id, text) in posts.items()
        ]
