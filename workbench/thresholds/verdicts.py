"""Daily verdicts: a file with pass, human or flag for each imported post, for the forum's own systems.

Labels by people take precedence over the model. Imports are covered in order and once each; without new imports the
last file is written again, so repeating the command gives the same file.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from db.queries.preparing import posts_of_import
from db.queries.standing import labels_of, newest_resolutions
from db.tables import AuditEntry, Champion, Import, Policy, Post
from trainer.files import new_file
from trainer.labels import LABELS, Label, majority
from trainer.statistics.proportions import Interval, weighted_share
from trainer.statistics.thresholds import VERDICTS, Rows, Thresholds, Verdict
from workbench.accounts import Account, Right, acting, reading, record
from workbench.errors import InputError, RoundError
from workbench.project import Project
from workbench.scores.round_scores import RoundScores, Scores
from workbench.thresholds import policy as thresholds_policy
from workbench.thresholds.held_out import held_out_rows

COLUMNS = ("id", "verdict", "label", "certainty", "round", "policy")
VERDICT_OF_LABEL: Mapping[str, Verdict] = {
    Label.NORMAL: "pass",
    Label.SUSPICIOUS: "human",
    Label.VIOLATION: "flag",
}
"""The verdict for a person's label; a suspicious post needs a review."""
HIDDEN = ("", "", "")
"""Label, certainty and round of a held-out post without a label, which is labelled blind."""
UNKNOWN: tuple[Verdict, tuple[str, str, str]] = ("human", HIDDEN)
"""A post without a score, on a machine too slow for all posts (docs/big-pools.md). It goes to people, as neither they nor
the model have judged it."""
CHUNK = 5_000
DECIDED = "decide"
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


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
    empty, because the scored posts are not a random sample.
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

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "file": str(self.file)}


@dataclass(frozen=True)
class _Rule:
    round_number: int
    policy: int
    chosen_for: int | None
    thresholds: Thresholds
    scores: RoundScores


def decide(
    project: Project,
    account: Account,
    *,
    since: date | datetime | None = None,
    version: int | None = None,
    out: Path | None = None,
) -> VerdictFile:
    """Write the verdicts on the imports since the last call, or since a moment, to a TSV file.

    The defaults are the newest policy and a file in `data/verdicts/`. The first import that is not prepared and scored,
    and all after it, wait for the next call. Raises RoundError without a champion, InputError without a policy or
    posts, NotAllowedError without the right to export.
    """
    with reading(project, account, Right.EXPORT) as session:
        rule = _rule(session, project, version)
        ready = _ready(session, rule.scores.last_scored())
        numbers = _wanted(session, ready, since)
        if not numbers:
            raise InputError(
                "There are no posts to decide on: nothing was imported, or nothing is scored yet."
            )
        file = out or project.data / "verdicts" / f"imports-{numbers[0]:04d}-{numbers[-1]:04d}.tsv"
        counts: Counter[tuple[Verdict, bool]] = Counter()
        unscored: Counter[int] = Counter()
        _write(file, _counted(_rows(session, rule, numbers, unscored), counts))
        passed = counts["pass", False]
        decided = VerdictFile(
            file=file,
            rows=counts.total(),
            verdicts={name: counts[name, False] + counts[name, True] for name in VERDICTS},
            by_people=sum(count for (_verdict, is_by_person), count in counts.items() if is_by_person),
            missed=Missed(None, None, 0)
            if unscored.total()
            else missed(held_out_rows(session, project, rule.round_number)["test"], rule.thresholds, passed),
            round_number=rule.round_number,
            policy=rule.policy,
            chosen_for=rule.chosen_for,
            first_import=numbers[0],
            last_import=numbers[-1],
            waiting=_waiting(session, ready),
            unscored=unscored.total(),
        )
    with acting(project, account, Right.EXPORT) as session:
        action = DECIDED if since is None else f"{DECIDED} since"
        imports = [decided.first_import, decided.last_import]
        record(
            session,
            project,
            account.id,
            action,
            f"round {rule.round_number}",
            imports=imports,
            policy=rule.policy,
        )
    return decided


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
        raise RoundError("No round is in use yet, so there is nothing to decide by. Start one first.")
    policy: Policy | None = (
        thresholds_policy.in_force(session) if version is None else thresholds_policy.find(session, version)
    )
    if policy is None:
        raise InputError("No thresholds are in force. Set them with `workbench policy set`.")
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


def _wanted(session: Session, ready: list[int], since: date | datetime | None) -> list[int]:
    """The imports to cover. Those without new posts are left out: their file would be empty."""
    holds_posts = exists().where(Post.import_id == Import.id)
    if since is not None:
        begun = select(Import.id).where(
            Import.started_at >= _moment(since), Import.id.in_(ready), holds_posts
        )
        return sorted(session.scalars(begun))
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


def _rows(
    session: Session, rule: _Rule, numbers: Iterable[int], unscored: Counter[int]
) -> Iterator[tuple[tuple[str, ...], Verdict, bool]]:
    """Cells, verdict, and whether it is by a person, of each post; CHUNK posts are in memory at once.

    `unscored` counts, by import, posts with neither a label nor a score.
    """
    for number in numbers:
        after = 0
        while posts := session.execute(posts_of_import(number, after).limit(CHUNK)).all():
            after = posts[-1].id
            ids = [post.id for post in posts]
            labels = _labels_by_people(session, ids)
            scores = rule.scores.read_of(np.array(ids, dtype=np.int64))
            by_model = dict(zip(scores.post_ids.tolist(), _by_model(scores, rule), strict=True))
            for post in posts:
                label = labels.get(post.id)
                if label is not None:
                    verdict, cells = VERDICT_OF_LABEL[label], (label, "", "")
                else:
                    verdict, cells = by_model.get(post.id, UNKNOWN)
                    unscored[number] += post.id not in by_model
                    if post.split not in {None, "pool"}:
                        cells = HIDDEN
                name = post.external_id.translate(ESCAPES)
                yield (name, verdict, *cells, str(rule.policy)), verdict, label is not None


def _by_model(scores: Scores, rule: _Rule) -> Iterator[tuple[Verdict, tuple[str, str, str]]]:
    verdicts = rule.thresholds.verdicts(scores.probabilities[:, Label.VIOLATION.position])
    tops, labels = scores.probabilities.max(axis=1), scores.probabilities.argmax(axis=1)
    for verdict, top, label in zip(verdicts, tops, labels, strict=True):
        yield VERDICTS[verdict], (LABELS[label], f"{top:.4f}", str(rule.round_number))


def _labels_by_people(session: Session, post_ids: list[int]) -> dict[int, str]:
    """Labels by post: the resolution, else the majority of annotators, else that of a log.

    Ties go to the more severe label, as in training.
    """
    careful: defaultdict[int, Counter[str]] = defaultdict(Counter)
    logged: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for post, label, source in session.execute(labels_of(post_ids)):
        (careful if source is None else logged)[post][str(label)] += 1
    labels = {post: majority(votes) for post, votes in (logged | careful).items()}
    resolved = {post: label for post, label in session.execute(newest_resolutions(post_ids)) if label}
    return labels | resolved


def _counted(
    rows: Iterable[tuple[tuple[str, ...], Verdict, bool]], counts: Counter[tuple[Verdict, bool]]
) -> Iterator[tuple[str, ...]]:
    for cells, verdict, is_by_person in rows:
        counts[verdict, is_by_person] += 1
        yield cells


def _write(file: Path, rows: Iterable[tuple[str, ...]]) -> None:
    """Atomic. Ids are those of the forum, with tabs and line ends escaped."""
    if file.is_dir():
        raise InputError("{file} is a folder. Name a file.", file=file)
    file.parent.mkdir(parents=True, exist_ok=True)
    with new_file(file) as part, part.open("w", encoding="utf-8", newline="\n") as lines:
        lines.write("\t".join(COLUMNS) + "\n")
        lines.writelines("\t".join(cells) + "\n" for cells in rows)
