"""Agreement between annotators who judged the same posts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """`share` is the share of equal pairs of judgements, over the `posts` with two or more annotators.

    `alpha` is None where it is undefined: every judgement has one label, so chance agreement is certain.
    """

    posts: int
    pairs: int
    share: float
    alpha: float | None


def agreement(judged: Iterable[Sequence[str]]) -> Agreement | None:
    """`judged` holds the labels of each post, one per annotator. Returns None if no post has two.

    alpha = 1 - (n - 1) * disagreeing / (n^2 - sum of squared label counts), where a post of m labels
    contributes its disagreeing ordered pairs, 1 / (m - 1) each, and n is the number of labels of posts with
    two or more (Krippendorff 2011, "Computing Krippendorff's alpha-reliability", for nominal data with
    missing judgements).
    """
    posts = [Counter(labels) for labels in judged if len(labels) > 1]
    if not posts:
        return None
    totals = sum(posts, Counter[str]())
    n, pairs, same, disagreeing = totals.total(), 0, 0, 0.0
    for votes in posts:
        m = votes.total()
        alike = sum(count * (count - 1) for count in votes.values())
        pairs, same = pairs + m * (m - 1) // 2, same + alike // 2
        disagreeing += (m * (m - 1) - alike) / (m - 1)
    by_chance = n**2 - sum(count**2 for count in totals.values())
    alpha = 1 - (n - 1) * disagreeing / by_chance if by_chance else None
    return Agreement(len(posts), pairs, same / pairs, alpha)
