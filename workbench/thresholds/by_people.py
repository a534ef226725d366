"""Labels by people and the verdicts that follow from them, which take precedence over the model's."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from db.queries.standing import labels_of, newest_resolutions
from trainer.labels import Label, majority
from trainer.statistics.thresholds import Verdict

VERDICT_OF_LABEL: Mapping[str, Verdict] = {
    Label.NORMAL: "pass",
    Label.SUSPICIOUS: "human",
    Label.VIOLATION: "flag",
}
"""The verdict for a person's label; a suspicious post needs a review."""


def labels_by_people(session: Session, post_ids: Sequence[int]) -> dict[int, str]:
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
