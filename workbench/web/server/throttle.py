"""Rate limit for wrong passphrases: a few tries at once, then one every few seconds; no lasting lock-out.

The network address of a client is not counted: behind a proxy all clients may share one, and an attacker has many.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from workbench.accounts import LONGEST_NAME

TRIES_AT_ONCE, SECONDS_A_TRY = 5, 3.0
"""For each account."""
ALL_TRIES_AT_ONCE, SECONDS_A_TRY_OF_ALL = 20, 1.0
"""For all accounts together, so that a guess for each of many names is no way around."""
MOST_REMEMBERED = 10_000


@dataclass
class _Bucket:
    """A token bucket: `tries` are left, and it refills over time."""

    most: float
    seconds_a_try: float
    tries: float
    at: float

    def fill(self, now: float) -> None:
        self.tries = min(self.most, self.tries + (now - self.at) / self.seconds_a_try)
        self.at = now

    @property
    def wait(self) -> float:
        return max(0.0, (1 - self.tries) * self.seconds_a_try)


class Throttle:
    """Wrong tries by the name of the account, and of all together."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._all = _Bucket(ALL_TRIES_AT_ONCE, SECONDS_A_TRY_OF_ALL, ALL_TRIES_AT_ONCE, clock())
        self._buckets: dict[str, _Bucket] = {}

    def seconds_to_wait(self, name: str) -> float:
        return max(bucket.wait for bucket in self._buckets_of(name))

    def count_wrong(self, name: str) -> None:
        for bucket in self._buckets_of(name):
            bucket.tries -= 1

    def _buckets_of(self, name: str) -> tuple[_Bucket, _Bucket]:
        now, key = self._clock(), " ".join(name.split()).casefold()[:LONGEST_NAME]
        if len(self._buckets) >= MOST_REMEMBERED and key not in self._buckets:
            self._buckets.clear()
        own = self._buckets.setdefault(key, _Bucket(TRIES_AT_ONCE, SECONDS_A_TRY, TRIES_AT_ONCE, now))
        for bucket in (own, self._all):
            bucket.fill(now)
        return own, self._all
