"""Daily verdicts: a file with pass, human or flag for each imported post, for the forum's own systems.

Labels by people take precedence over the model. Imports are covered in order and once each; without new imports the
last file is written again, so repeating the command gives the same file. A file of only what is new covers every import,
and holds the posts whose verdict differs from the one last given (`given.py`).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from db.queries.preparing import posts_of_import
from db.tables import AuditEntry, Champion, Import, Policy, Post
from trainer.files import new_file, write_json
from trainer.labels import LABELS, Label
from trainer.statistics.proportions import Interval, weighted_share
from trainer.statistics.thresholds import VERDICTS, Rows, Thresholds, Verdict
from workbench.accounts import Account, Right, acting, reading
from workbench.audit import read_head, record
from workbench.errors import InputError, RoundError
from workbench.exports.spreadsheet import FORMULA_STARTS
from workbench.project import Project
from workbench.scores.round_scores import RoundScores, Scores
from workbench.thresholds import policy as thresholds_policy
from workbench.thresholds.by_people import VERDICT_OF_LABEL, labels_by_people
from workbench.thresholds.given import Given, remember, verdicts_given
from workbench.thresholds.held_out import held_out_rows

COLUMNS = ("id", "verdict", "label", "certainty", "round", "policy")
BEFORE = "before"
"""One more column of a file of only what is new: the verdict last given, empty for a post without one."""
HIDDEN = ("", "", "")
"""Label, certainty and round of a held-out post without a label, which is labelled blind."""
UNKNOWN: tuple[Verdict, tuple[str, str, str]] = ("human", HIDDEN)
"""A post without a score, on a machine too slow for all posts (docs/big-pools.md). It goes to people, as neither they nor
the model have judged it."""
CHUNK = 5_000
SCHEMA = 1
"""Of the receipt."""
DECIDED = "decide"
ESCAPES = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
    | {line_end: f"\\u{ord(line_end):04x}" for line_end in "\v\f\x1c\x1d\x1e\x85\u2028\u2029"}
)
_NUMBER = re.compile(r"[-+]?[0-9]+")


@dataclass(frozen=True)
class Missed:
    """Violations among the posts that the model lets pass, estimated from blind test posts below the same threshold.

    `estimate` and `interval` (95%) are numbers of posts, None without such a test post.
    """

    estimate: float | None
    interval: Interval | None
    test_posts: int


@dataclass(frozen=True)
class VerdictFile:
    """Counts of a file, which covers the imports `first_import` to `last_import`.

    `by_people` rows have a label by a person; `waiting` posts are left for the next file. `chosen_for` is the round on
    whose scores the policy was chosen. `unscored` rows have neither label nor score and go to people; `missed` is then
    empty, because the scored posts are not a random sample. `new` rows had no verdict before, `changed` ones another;
    with `is_new_only` the file holds no others.
    """

    file: Path
    rows: int
    verdicts: Mapping[str, int]
    by_people: int
    missed: Missed
    round_number: int
    policy: int
    chosen_for: int | None
    first_import: int
    last_import: int
    waiting: int
    unscored: int = 0
    new: int = 0
    changed: int = 0
    is_new_only: bool = False
    audit_head: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "file": str(self.file)}


@dataclass(frozen=True)
class _Rule:
    round_number: int
    policy: int
    chosen_for: int | None
    thresholds: Thresholds
    scores: RoundScores


class _Kind(NamedTuple):
    """Rows are counted by it. Unscored: neither label nor score."""

    verdict: Verdict
    is_by_person: bool
    is_unscored: bool


class _Row(NamedTuple):
    """`cells` without the column BEFORE; `before` is the verdict last given."""

    post_id: int
    cells: tuple[str, ...]
    kind: _Kind
    before: str | None

    @property
    def is_new(self) -> bool:
        return self.kind.verdict != self.before


def decide(
    project: Project,
    account: Account,
    *,
    since: date | datetime | None = None,
    version: int | None = None,
    out: Path | None = None,
    is_new_only: bool = False,
) -> VerdictFile:
    """Write the verdicts on the imports since the last call, or since a moment, to a TSV file.

    With `is_new_only` on all imports, or those since the moment, but only the verdicts that differ from those last
    given. The defaults are the newest policy and a file in `data/verdicts/`; its receipt is written beside it. The first
    import that is not prepared and scored, and all after it, wait for the next call. Raises RoundError without a
    champion, InputError without a policy or posts, or if `out` holds what would not be written again, NotAllowedError
    without the right to export.
    """
    if is_new_only and out is not None and out.exists():
        raise InputError(
            "{file} exists already, and its posts would not come again. Move it away, or name another file.",
            file=out,
        )
    with reading(project, account, Right.EXPORT) as session:
        rule = _rule(session, project, version)
        ready = _ready(session, rule.scores.last_scored())
        numbers = _wanted(session, ready, since, is_new_only)
        if not numbers:
            raise InputError(
                "There are no posts to decide on: nothing was imported, or nothing is scored yet."
            )
        file = out or project.data / "verdicts" / _file_name(project, numbers, is_new_only)
        counts, given = Counter[_Kind](), Given()
        rows = _rows(session, rule, numbers)
        if is_new_only:
            rows = (row for row in rows if row.is_new)
        _write(file, _counted(rows, counts, given), is_new_only)
        unscored = _sum(counts, lambda kind: kind.is_unscored)
        passed = _sum(counts, lambda kind: kind.verdict == "pass" and not kind.is_by_person)
        decided = VerdictFile(
            file=file,
            rows=counts.total(),
            verdicts=_by_verdict(counts),
            by_people=_sum(counts, lambda kind: kind.is_by_person),
            missed=Missed(None, None, 0)
            if unscored
            else missed(held_out_rows(session, project, rule.round_number)["test"], rule.thresholds, passed),
            round_number=rule.round_number,
            policy=rule.policy,
            chosen_for=rule.chosen_for,
            first_import=numbers[0],
            last_import=numbers[-1],
            waiting=_waiting(session, ready),
            unscored=unscored,
            new=given.new,
            changed=given.changed,
            is_new_only=is_new_only,
            audit_head=str(read_head(session)),
        )
    _write_receipt(project, account, decided)
    remember(project, given, rule.policy)
    action = f"{DECIDED} new" if is_new_only else DECIDED if since is None else f"{DECIDED} since"
    _record(project, account, action, decided)
    return decided


def receipt_of(file: Path) -> Path:
    return file.with_name(f"{file.stem}.receipt.json")


def _write_receipt(project: Project, account: Account, decided: VerdictFile) -> None:
    """The counts are those of the file as it is written: a purge removes lines later, and leaves the receipt."""
    counts = {name: value for name, value in decided.to_dict().items() if name != "missed"}
    receipt = {"schema": SCHEMA, "created": project.now().isoformat(), "by": account.name}
    with new_file(receipt_of(decided.file)) as part:
        write_json(part, {**receipt, **counts, "file": decided.file.name})


def _record(project: Project, account: Account, action: str, decided: VerdictFile) -> None:
    imports, subject = [decided.first_import, decided.last_import], f"round {decided.round_number}"
    with acting(project, account, Right.EXPORT) as session:
        record(session, project, account.id, action, subject, imports=imports, policy=decided.policy)


def _by_verdict(counts: Counter[_Kind]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for kind, count in counts.items():
        totals[kind.verdict] += count
    return {name: totals[name] for name in VERDICTS}


def _sum(counts: Counter[_Kind], is_counted: Callable[[_Kind], bool]) -> int:
    return sum(count for kind, count in counts.items() if is_counted(kind))


def escaped(external_id: str) -> str:
    """The id on one line, and with a backslash before what a spreadsheet would run as a formula."""
    text = external_id.translate(ESCAPES)
    return f"\\{text}" if text.startswith(FORMULA_STARTS) and not _NUMBER.fullmatch(text) else text


def missed(rows: Rows, thresholds: Thresholds, passed: int) -> Missed:
    is_passed = thresholds.verdicts(rows.scores) == 0
    groups = [group for group, is_one in zip(rows.groups, is_passed, strict=True) if is_one]
    share = weighted_share(rows.is_violation[is_passed], rows.weights[is_passed], groups)
    if share is None:
        return Missed(None, None, 0)
    low, high = share.interval
    return Missed(passed * share.mean, (passed * low, passed * high), share.rows)


def _rule(session: Session, project: Project, version: int | None) -> _Rule:
    champion = session.get(Champion, 1)
    if champion is None:
        raise RoundError(
            "No round is in use yet, so there is nothing to decide by. Start one on the Rounds page, or with `workbench round start --wait`."
        )
    policy: Policy | None = (
        thresholds_policy.in_force(session) if version is None else thresholds_policy.find(session, version)
    )
    if policy is None:
        raise InputError(
            "No thresholds are in force. Set them on the Thresholds page, or by what mistakes cost: `workbench policy set --missed 20 --false-alarm 5 --look 1`."
        )
    number = champion.round_number
    return _Rule(
        number,
        policy.version,
        policy.round_number,
        Thresholds(policy.pass_below, policy.flag_from),
        RoundScores.of(project, number),
    )


def _ready(session: Session, scored: int) -> list[int]:
    """Imports before the first that is not prepared and scored, without failed ones."""
    ready: list[int] = []
    for number, state in session.execute(
        select(Import.id, Import.state).where(Import.state != "failed").order_by(Import.id)
    ):
        last = session.scalar(select(func.max(Post.id)).where(Post.import_id == number)) or 0
        if state != "prepared" or last > scored:
            break
        ready.append(number)
    return ready


def _file_name(project: Project, numbers: list[int], is_new_only: bool) -> str:
    if is_new_only:
        return f"new-{project.now():%Y%m%dT%H%M%S%f}.tsv"  # one a call: its posts do not come again
    return f"imports-{numbers[0]:04d}-{numbers[-1]:04d}.tsv"


def _wanted(
    session: Session, ready: list[int], since: date | datetime | None, is_new_only: bool
) -> list[int]:
    """The imports to cover. Those without new posts are left out: their file would be empty."""
    holds_posts = exists().where(Post.import_id == Import.id)
    if since is not None:
        begun = select(Import.id).where(
            Import.started_at >= _moment(since), Import.id.in_(ready), holds_posts
        )
        return sorted(session.scalars(begun))
    if is_new_only:
        return sorted(session.scalars(select(Import.id).where(Import.id.in_(ready), holds_posts)))
    last = session.scalar(
        select(AuditEntry.detail).where(AuditEntry.action == DECIDED).order_by(AuditEntry.id.desc()).limit(1)
    )
    first, newest = (0, 0) if last is None else last["imports"]
    new = select(Import.id).where(Import.id > newest, Import.id.in_(ready), holds_posts)
    return sorted(session.scalars(new)) or [number for number in ready if first <= number <= newest]


def _moment(since: date | datetime) -> datetime:
    """Days begin at midnight, local time."""
    begin = since if isinstance(since, datetime) else datetime.combine(since, time())
    return begin if begin.tzinfo else begin.astimezone()


def _waiting(session: Session, ready: list[int]) -> int:
    accepted = select(func.sum(Import.accepted)).where(
        Import.state.in_(("stored", "prepared")), Import.id > max(ready, default=0)
    )
    return session.scalar(accepted) or 0


def _rows(session: Session, rule: _Rule, numbers: Iterable[int]) -> Iterator[_Row]:
    """Each post of the imports; CHUNK posts are in memory at once."""
    for number in numbers:
        after = 0
        while posts := session.execute(posts_of_import(number, after).limit(CHUNK)).all():
            ids = [post.id for post in posts]
            labels, before = labels_by_people(session, ids), verdicts_given(session, ids[0], ids[-1])
            scores = rule.scores.read_of(np.array(ids, dtype=np.int64))
            by_model = dict(zip(scores.post_ids.tolist(), _by_model(scores, rule), strict=True))
            after = ids[-1]
            for post in posts:
                yield _row(post, rule, labels.get(post.id), by_model.get(post.id), before.get(post.id))


def _row(
    post: Any,
    rule: _Rule,
    label: str | None,
    by_model: tuple[Verdict, tuple[str, str, str]] | None,
    before: str | None,
) -> _Row:
    if label is not None:
        verdict, cells = VERDICT_OF_LABEL[label], (label, "", "")
    else:
        verdict, cells = by_model or UNKNOWN
        if post.split not in {None, "pool"}:
            cells = HIDDEN
    name = escaped(post.external_id)
    kind = _Kind(verdict, label is not None, label is None and by_model is None)
    return _Row(post.id, (name, verdict, *cells, str(rule.policy)), kind, before)


def _by_model(scores: Scores, rule: _Rule) -> Iterator[tuple[Verdict, tuple[str, str, str]]]:
    verdicts = rule.thresholds.verdicts(scores.probabilities[:, Label.VIOLATION.position])
    tops, labels = scores.probabilities.max(axis=1), scores.probabilities.argmax(axis=1)
    for verdict, top, label in zip(verdicts, tops, labels, strict=True):
        yield VERDICTS[verdict], (LABELS[label], f"{top:.4f}", str(rule.round_number))


def _counted(rows: Iterable[_Row], counts: Counter[_Kind], given: Given) -> Iterator[_Row]:
    for row in rows:
        counts[row.kind] += 1
        if row.is_new:
            given.add(row.post_id, row.kind.verdict, row.before)
        yield row


def _write(file: Path, rows: Iterable[_Row], has_before: bool) -> None:
    """Atomic. Ids are those of the forum, `escaped`."""
    if file.is_dir():
        raise InputError("{file} is a folder. Name a file.", file=file)
    file.parent.mkdir(parents=True, exist_ok=True)
    with new_file(file) as part, part.open("w", encoding="utf-8", newline="\n") as lines:
        lines.write("\t".join((*COLUMNS, BEFORE) if has_before else COLUMNS) + "\n")
        for row in rows:
            cells = (*row.cells, row.before or "") if has_before else row.cells
            lines.write("\t".join(cells) + "\n")
