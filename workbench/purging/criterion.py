"""The criterion of a purge: the posts of an author, one post, or the posts before a day."""

import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session

from db.tables import Import, Post, PostFacts, RejectedRow
from trainer.reading.rows import plain_id
from workbench.errors import InputError
from workbench.imports.facts import day_of, has_fact
from workbench.project import Project, cookie_secret


@dataclass(frozen=True)
class Criterion:
    """Raises InputError unless exactly one field is given and not blank."""

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
        """A keyed hash for the records: equal for equal criteria, and useless for guessing names without the key."""
        written = f"{self.kind}:{self.author or self.post or self.before}"
        return hmac.new(cookie_secret(project).encode(), written.encode(), "sha256").hexdigest()


def posts_of(session: Session, criterion: Criterion) -> Iterator[int]:
    if criterion.post:
        names = {criterion.post, plain_id(criterion.post)}
        yield from session.scalars(select(Post.id).where(Post.external_id.in_(names)))
        return
    facts = select(Post.id, PostFacts.facts, Import.started_at).join(Import, Import.id == Post.import_id)
    if criterion.author:
        # As escaped in the JSON, so that the database can search for the name.
        needle = json.dumps(criterion.author.strip())[1:-1]
        facts = facts.join(PostFacts, PostFacts.post_id == Post.id).where(
            func.instr(cast(PostFacts.facts, String), needle) > 0
        )
    else:
        facts = facts.outerjoin(PostFacts, PostFacts.post_id == Post.id)
    for row in session.execute(facts.order_by(Post.id).execution_options(yield_per=5_000)):
        post_facts = row.facts or {}
        if criterion.author:
            if has_fact(post_facts, "author", criterion.author.strip()):
                yield row.id
        elif criterion.before and (day_of(post_facts) or row.started_at.date()) < criterion.before:
            yield row.id


def rejected_rows(session: Session, criterion: Criterion) -> list[tuple[int, int]]:
    """(import, line) of matching unreadable rows: by id, by author anywhere, by id in any cell, or by the import's day.

    A row may be broken, so that the author is part of a cell; a longer name that contains it is another.
    """
    rows = select(
        RejectedRow.import_id, RejectedRow.line, RejectedRow.external_id, RejectedRow.content
    ).order_by(RejectedRow.import_id, RejectedRow.line)
    if criterion.before:
        early = select(Import.id, Import.started_at)
        imports = {row.id for row in session.execute(early) if row.started_at.date() < criterion.before}
        return [(row.import_id, row.line) for row in session.execute(rows) if row.import_id in imports]
    wanted = (criterion.author or criterion.post or "").strip()
    around = (r"(?<!\w)", r"(?!\w)") if criterion.author else (r"(?:^|\t)\s*", r"\s*(?:\t|$)")
    named = re.compile(re.escape(wanted).join(around))
    is_likely = func.instr(RejectedRow.content, wanted) > 0
    if criterion.post:
        is_likely |= RejectedRow.external_id == criterion.post
    return [
        (row.import_id, row.line)
        for row in session.execute(rows.where(is_likely))
        if (criterion.post and row.external_id == criterion.post) or named.search(row.content)
    ]
