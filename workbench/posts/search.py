"""Search of posts by text, labels, model scores and origin.

Candidates come from one index, newest post first, and are compared one by one until the page is full.
Conditions without an index (an exact text, a confidence, a board besides a label) are checked there. A page
looks at no more than `LOOKED_THROUGH` candidates, so that a rare match ends too; a cursor continues from there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from db.queries.listing import judged_posts, listed_posts, newest_posts, standing_answers
from db.queries.review import decisions
from db.queries.rounds import rounds_by_number
from db.search import frequencies, last_indexed, matching
from db.tables import Import, Person, Round
from trainer.labels import LABELS
from trainer.messages import Message
from workbench.accounts import Account, Right, reading
from workbench.errors import InputError
from workbench.imports import search_index
from workbench.imports.facts import fact_of
from workbench.imports.incoming import is_anything_waiting
from workbench.posts.blindness import still_blind
from workbench.posts.query import contains, words_of
from workbench.project import Project
from workbench.rounds.champion import champion_number
from workbench.scores.round_scores import RoundScores

LISTED = 25
COUNTED = 1_000
"""Hits up to which they are counted."""
IMPORTS_LISTED = 50
LOOKED_THROUGH = 20_000
"""Candidates for one page: reading and comparing them takes about a second."""
STEPS = (100, 1_000)
"""Candidates in the first chunk and in the later ones: the first page of a common word needs few."""
UNLABELLED = "none"
BOARDS_LISTED = 100


@dataclass(frozen=True)
class Filter:
    """Conditions of a search; None and an empty text are no condition.

    `label` is a label or "none"; `certainty` is a closed interval of the probability of the most likely label.
    `round_number` is the round whose suggestion was stored with the answer or in the queue.
    """

    text: str = ""
    label: str | None = None
    board: str | None = None
    certainty: tuple[float, float] | None = None
    lane: str | None = None
    round_number: int | None = None
    annotator: int | None = None

    def __post_init__(self) -> None:
        if self.label not in {None, UNLABELLED, *LABELS}:
            raise InputError(
                "There is no label {label}. Use one of: {labels}.",
                label=self.label,
                labels=", ".join((*LABELS, UNLABELLED)),
            )

    @property
    def is_for_leads(self) -> bool:
        return any(
            value is not None for value in (self.certainty, self.lane, self.round_number, self.annotator)
        )

    @property
    def words(self) -> Sequence[str]:
        """The normalised words of the text."""
        return words_of(self.text)

    def to_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}


@dataclass(frozen=True)
class ListedPost:
    """A post with its distinct standing labels and the lead's decision.

    Only leads get `people`, `lane` and `probabilities` (in the order of LABELS). People and probabilities are
    also hidden while the post is blind.
    """

    post_id: int
    external_id: str
    text: str
    board: str | None
    labels: Sequence[str]
    decided: str | None
    people: Sequence[str] = ()
    lane: str | None = None
    probabilities: Sequence[float] | None = None
    is_held_out: bool = False
    is_blind: bool = False
    """Held out, with a blind judgement outstanding."""

    @property
    def standing(self) -> Sequence[str]:
        return [self.decided] if self.decided else self.labels

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.external_id,
            "number": self.post_id,
            "text": self.text,
            "board": self.board,
            "labels": list(self.standing),
            "people": list(self.people),
            "lane": self.lane,
            "probabilities": None
            if self.probabilities is None
            else dict(zip(LABELS, self.probabilities, strict=True)),
        }


@dataclass(frozen=True)
class SearchPage:
    """Matching posts, newest first.

    `after` is the cursor of the next page, None at the end. `is_cut`: the limit of candidates was reached
    before the page was full. `is_partial`: some posts are not stored or not indexed yet. `is_short`: all words are
    single characters, which have no index, so only the newest posts were compared.
    """

    posts: Sequence[ListedPost]
    after: int | None = None
    looked_at: int = 0
    is_cut: bool = False
    is_partial: bool = False
    is_short: bool = False


@dataclass(frozen=True)
class Hits:
    """The number of matching posts; there may be more of them unless `is_exact`."""

    posts: int
    is_exact: bool


@dataclass(frozen=True)
class Board:
    name: str
    posts: int


@dataclass(frozen=True)
class Choices:
    boards: Sequence[Board] = ()
    people: Mapping[int, str] = field(default_factory=dict)
    rounds: Sequence[int] = ()


@dataclass(frozen=True)
class ListedImport:
    id: int
    file_name: str
    state: str
    accepted: int
    duplicates: int
    rejected: int
    started_at: datetime
    by: str | None
    failure: Message | None


def find(
    project: Project,
    account: Account,
    wanted: Filter,
    *,
    before: int | None = None,
    most: int = LISTED,
    look_through: int = LOOKED_THROUGH,
) -> SearchPage:
    """The next `most` matching posts with a number below `before`.

    Raises NotAllowedError if a condition is for leads and `account` is not a lead.
    """
    with reading(project, account, Right.REVIEW if wanted.is_for_leads else Right.LABEL) as session:
        scan = _Scan(session, project, account, wanted)
        posts: list[ListedPost] = []
        looked_at, last = 0, before
        for chunk in _chunks(session, _candidates(wanted, before, look_through)):
            for post in scan.fitting(chunk):
                if len(posts) == most:
                    return scan.page(posts, posts[-1].post_id, looked_at)
                posts.append(post)
            looked_at, last = looked_at + len(chunk), chunk[-1]
        is_cut = looked_at == look_through
        return scan.page(posts, last if is_cut else None, looked_at, is_cut=is_cut)


def count(
    project: Project,
    account: Account,
    wanted: Filter,
    *,
    most: int = COUNTED,
    look_through: int = LOOKED_THROUGH,
) -> Hits:
    """Raises NotAllowedError as `find` does."""
    page = find(project, account, wanted, most=most, look_through=look_through)
    return Hits(len(page.posts), page.after is None)


def posts_of(project: Project, account: Account, post_ids: Sequence[int]) -> list[ListedPost]:
    """The given posts as a search lists them, in the order given; those that are not stored are left out."""
    with reading(project, account, Right.LABEL) as session:
        found = {post.post_id: post for post in _Scan(session, project, account, Filter()).fitting(post_ids)}
    return [found[post_id] for post_id in post_ids if post_id in found]


def choices(project: Project, account: Account) -> Choices:
    with reading(project, account, Right.LABEL) as session:
        boards = _boards(session)
        if not account.may(Right.REVIEW):
            return Choices(boards)
        people = session.execute(select(Person.id, Person.name).order_by(Person.name)).all()
        used = rounds_by_number().where(Round.state == "promoted").with_only_columns(Round.number)
        return Choices(boards, {row.id: row.name for row in people}, session.scalars(used).all())


def imports_by_date(session: Session) -> list[ListedImport]:
    rows = session.execute(_imports().order_by(Import.id.desc()).limit(IMPORTS_LISTED))
    return [_listed_import(row, name) for row, name in rows]


def import_of(session: Session, import_id: int) -> ListedImport:
    row, name = session.execute(_imports().where(Import.id == import_id)).one()
    return _listed_import(row, name)


def _imports() -> Select[Import, str]:
    return select(Import, Person.name).outerjoin(Person, Person.id == Import.person_id)


def _listed_import(row: Import, name: str | None) -> ListedImport:
    return ListedImport(
        row.id,
        row.file_name,
        row.state,
        row.accepted,
        row.duplicates,
        row.rejected,
        row.started_at,
        name,
        Message.from_dict(row.failure) if row.failure else None,
    )


class _Scan:
    def __init__(self, session: Session, project: Project, account: Account, wanted: Filter) -> None:
        is_lead = account.may(Right.REVIEW)
        self._session, self._wanted, self._is_lead, self._viewer = session, wanted, is_lead, account.id
        self._words = wanted.words
        self._board = search_index.board_term(wanted.board) if wanted.board else None
        champion = champion_number(session) if is_lead else None
        self._scores = None if champion is None else RoundScores.of(project, champion)

    def page(
        self, posts: Sequence[ListedPost], after: int | None, looked_at: int, *, is_cut: bool = False
    ) -> SearchPage:
        return SearchPage(
            posts,
            after,
            looked_at,
            is_cut,
            is_partial=is_anything_waiting(self._session)
            or (bool(self._words or self._board) and search_index.is_behind(self._session)),
            is_short=bool(self._words) and not _pairs(self._words),
        )

    def fitting(self, post_ids: Sequence[int]) -> Iterator[ListedPost]:
        """Matching candidates in their order. The expensive comparisons come last."""
        rows = [
            row for row in self._session.execute(listed_posts(post_ids)) if self._says(row.text, row.facts)
        ]
        posts = [
            post
            for post in self._listed(rows)
            # As a result of a search by annotator, a blind post would reveal who labelled it.
            if self._is_labelled_so(post) and not (post.is_blind and self._wanted.annotator is not None)
        ]
        probabilities = self._probabilities(posts)
        for post in posts:
            shown = None if post.is_blind else probabilities.get(post.post_id)
            if self._is_so_certain(shown):
                yield replace(post, probabilities=shown)

    def _says(self, text: str, facts: Mapping[str, Any] | None) -> bool:
        if self._board is not None:
            board = fact_of(facts or {}, "board")
            if board is None or search_index.board_term(board) != self._board:
                return False
        return not self._words or contains(text, self._words)

    def _is_labelled_so(self, post: ListedPost) -> bool:
        match self._wanted.label:
            case None:
                return True
            case "none":
                return not post.standing
            case label:
                # With an annotator in the filter, that person's answer counts, not the lead's decision.
                return self._wanted.annotator is not None or label in post.standing

    def _is_so_certain(self, shown: Sequence[float] | None) -> bool:
        if self._wanted.certainty is None:
            return True
        low, high = self._wanted.certainty
        return shown is not None and low <= max(shown) <= high

    def _listed(self, rows: Sequence[Any]) -> list[ListedPost]:
        ids = [row.id for row in rows]
        labels: dict[int, list[str]] = {}
        people: dict[int, list[str]] = {}
        lanes: dict[int, str] = {}
        for answer, name in self._session.execute(standing_answers(ids)):
            if answer.label is not None and answer.label not in labels.setdefault(answer.post_id, []):
                labels[answer.post_id].append(answer.label)
            if name not in people.setdefault(answer.post_id, []):
                people[answer.post_id].append(name)
            if answer.lane is not None:
                lanes.setdefault(answer.post_id, answer.lane)
        decided = {one.post_id: one.label for one, _name in self._session.execute(decisions(ids))}
        held_out = {row.id for row in rows if row.split not in {None, "pool"}}
        blind = still_blind(self._session, held_out, self._viewer)
        return [
            ListedPost(
                row.id,
                row.external_id,
                row.text,
                fact_of(row.facts or {}, "board"),
                labels.get(row.id, []),
                decided.get(row.id),
                people.get(row.id, []) if self._is_lead and row.id not in blind else [],
                lanes.get(row.id) if self._is_lead else None,
                is_held_out=row.id in held_out,
                is_blind=row.id in blind,
            )
            for row in rows
        ]

    def _probabilities(self, posts: Sequence[ListedPost]) -> Mapping[int, Sequence[float]]:
        if self._scores is None or not posts:
            return {}
        scores = self._scores.read_of(np.array(sorted(post.post_id for post in posts), dtype=np.int64))
        return dict(zip(scores.post_ids.tolist(), scores.probabilities.tolist(), strict=True))


def _candidates(wanted: Filter, before: int | None, most: int) -> Select[int]:
    """Numbers of posts from the most selective index, newest first.

    There are fewer answers than posts, so answers come before words, and words before all posts.
    """
    label = None if wanted.label == UNLABELLED else wanted.label
    if any(one is not None for one in (label, wanted.annotator, wanted.lane, wanted.round_number)):
        return judged_posts(
            label=label,
            person_id=wanted.annotator,
            lane=wanted.lane,
            round_number=wanted.round_number,
            before=before,
            most=most,
        )
    terms = _pairs(wanted.words)
    if wanted.board:
        terms.add(search_index.board_term(wanted.board))
    return (matching(sorted(terms), before) if terms else newest_posts(before)).limit(most)


def _pairs(words: Iterable[str]) -> set[str]:
    return {pair for word in words for pair in search_index.pairs(word)}


def _chunks(session: Session, posts: Select[int]) -> Iterator[list[int]]:
    """Few rows in the first chunk, more in the others; rows are fetched only on demand."""
    rows = session.execute(posts)
    size, then = STEPS
    while chunk := [row[0] for row in rows.fetchmany(size)]:
        yield chunk
        size = then


def _boards(session: Session) -> list[Board]:
    if not last_indexed(session):
        return []
    boards = []
    for term, count in session.execute(
        frequencies(search_index.BOARD, search_index.AFTER_BOARD).limit(BOARDS_LISTED)
    ):
        newest = session.scalar(matching([term]).limit(1))
        row = session.execute(listed_posts([newest] if newest is not None else [])).first()
        name = fact_of(row.facts or {}, "board") if row is not None else None
        if name is not None and search_index.board_term(name) == term:
            boards.append(Board(name, count))
    return boards
