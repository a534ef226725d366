"""The one next action of a lead: what moves the model most now, of everything that waits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select, union
from sqlalchemy.orm import Session

from db.queries.checks import asked_in_checks
from db.queries.review import asked_of_lead, disagreements
from db.queries.serving import test_posts_left
from db.tables import Post, Round
from trainer.labels import LABELS, Label
from workbench.overview.weeks import A_DAY
from workbench.posts.counting import count_posts
from workbench.rounds import lifecycle
from workbench.rounds.gate import FEWEST_POSTS
from workbench.rounds.new_labels import NewLabels
from workbench.rounds.outlook import Outlook

FEW = 50
"""Training labels of one kind below which more of that kind are advised."""
FEWEST_NEW = 100
NEW_SHARE = 0.1
"""A new round is advised after this share of new training labels, and at least FEWEST_NEW."""

Step = Literal[
    "import",
    "label",
    "start",
    "decide",
    "settle",
    "held out",
    "wait",
    "import more",
    "more of",
    "watch",
    "go on",
]


@dataclass(frozen=True)
class Advice:
    """`count` is of posts or labels, for "decide" and "wait" the number of the round."""

    step: Step
    count: int = 0
    label: str | None = None


@dataclass(frozen=True)
class Standing:
    """`labels` counts posts by label and split; `unlabelled` counts all posts without a label."""

    labels: Mapping[str, Mapping[str, int]]
    in_use: Round | None
    ahead: Outlook | None
    new_labels: NewLabels
    unlabelled: int

    @property
    def kinds(self) -> dict[str, int]:
        """Labels to learn from, those of posts that are still being prepared included."""
        return {
            label: counts.get("pool", 0) + counts.get("unprepared", 0)
            for label, counts in self.labels.items()
        }

    @property
    def test_posts(self) -> int:
        return sum(counts.get("test", 0) for counts in self.labels.values())

    @property
    def learned(self) -> int:
        report = (self.in_use.report or {}) if self.in_use else {}
        return int(report.get("card", {}).get("data", {}).get("train", {}).get("rows") or 0)


def advise(session: Session, standing: Standing) -> Advice:
    """A finished round comes first, then the people's open cases, as the next round learns from both."""
    running = lifecycle.running(session)
    awaiting = select(func.max(Round.number)).where(Round.state == "awaiting")
    if running is None and (waiting := session.scalar(awaiting)):
        return Advice("decide", waiting)
    if cases := count_cases(session):
        return Advice("settle", cases)
    if running is not None:
        return Advice("wait", running.number)
    return _before_first(session, standing) if standing.in_use is None else _between_rounds(session, standing)


def count_cases(session: Session) -> int:
    """Posts in the list of open cases of the Review page."""
    posts = union(
        asked_of_lead(), asked_in_checks(), disagreements().with_only_columns(Post.id).order_by(None)
    )
    return session.scalar(select(func.count()).select_from(posts.subquery())) or 0


def _before_first(session: Session, standing: Standing) -> Advice:
    if not count_posts(session):
        return Advice("import")
    total = sum(standing.kinds.values())
    if total >= lifecycle.FEWEST_LABELS and sum(map(bool, standing.kinds.values())) > 1:
        return Advice("start", standing.new_labels.count)
    more = Advice("label", max(lifecycle.FEWEST_LABELS - total, 1))
    return more if standing.unlabelled > 0 else Advice("import more")


def _between_rounds(session: Session, standing: Standing) -> Advice:
    if standing.ahead is not None and standing.ahead.hint.is_reached:
        return Advice("watch", A_DAY)
    # Without enough test posts the gate proves nothing, and the lead would have to guess.
    missing = min(FEWEST_POSTS - standing.test_posts, session.scalar(test_posts_left()) or 0)
    if missing > 0:
        return Advice("held out", missing)
    if standing.new_labels.to_learn >= max(FEWEST_NEW, NEW_SHARE * standing.learned):
        return Advice("start", standing.new_labels.count)
    if standing.unlabelled <= 0:
        return Advice("import more")
    if standing.ahead is None:
        return Advice("go on")
    # A project may lack any label except violations.
    kinds = standing.kinds
    wanted = [label for label in LABELS if kinds[label] or label == Label.VIOLATION]
    rarest = min(wanted, key=kinds.__getitem__)
    return Advice("more of", kinds[rarest], rarest) if kinds[rarest] < FEW else Advice("go on")
