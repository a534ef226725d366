"""Search results in another order than the newest first, among so many of the newest that fit."""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Any

from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.posts.search import COUNTED, LISTED, Filter, ListedPost, SearchPage, find
from workbench.project import Project


class Order(StrEnum):
    NEWEST = "newest"
    SURE = "sure"
    UNSURE = "unsure"
    SEVERE = "severe"
    MILD = "mild"
    BOARD = "board"


def find_sorted(
    project: Project,
    account: Account,
    wanted: Filter,
    order: Order,
    *,
    start: int = 0,
    most: int = LISTED,
    among: int = COUNTED,
) -> tuple[SearchPage, int]:
    """A page of the newest hits, up to `among`, in their order, and how many these are.

    `after` of the page is the place at which the next one starts. Raises NotAllowedError as `find` does.
    """
    page = find(project, account, wanted, most=among)
    posts = sorted(page.posts, key=_KEYS[order])
    end = start + most
    return replace(page, posts=posts[start:end], after=end if end < len(posts) else None), len(posts)


def _certainty(post: ListedPost) -> float | None:
    return max(post.probabilities) if post.probabilities else None


def _severity(post: ListedPost) -> int | None:
    return max(map(LABELS.index, post.standing), default=None)


def _by(
    value: Callable[[ListedPost], float | None], *, is_greatest_first: bool
) -> Callable[[ListedPost], Any]:
    """Posts without the value come last."""
    sign = -1 if is_greatest_first else 1

    def key(post: ListedPost) -> tuple[bool, float]:
        of_post = value(post)
        return of_post is None, 0 if of_post is None else sign * of_post

    return key


_KEYS: dict[Order, Callable[[ListedPost], Any]] = {
    Order.NEWEST: lambda post: -post.post_id,
    Order.SURE: _by(_certainty, is_greatest_first=True),
    Order.UNSURE: _by(_certainty, is_greatest_first=False),
    Order.SEVERE: _by(_severity, is_greatest_first=True),
    Order.MILD: _by(_severity, is_greatest_first=False),
    Order.BOARD: lambda post: (post.board is None, post.board or ""),
}
