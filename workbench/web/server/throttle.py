"""Rate limit for passwords: a few tries at once, then one every few seconds; no lasting lock-out.

Tries for an account from browsers that have not signed in to it yet share a bucket, and those of all accounts another. A
browser that has signed in to the account keeps a cookie that says so and has a bucket of its own: a guesser elsewhere
does not lock its owner out (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"). The network address of a
client is not counted: behind a proxy all clients may share one, and an attacker has many.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

TRIES_AT_ONCE, SECONDS_A_TRY = 5, 3.0
"""For each account, and for each browser that knows one."""
ALL_TRIES_AT_ONCE, SECONDS_A_TRY_OF_ALL = 20, 1.0
"""For all accounts together, so that a guess for each of many names is no way around."""
MOST_REMEMBERED = 10_000
TELL_SECONDS = 60.0
"""Between two entries of the audit about tries that had to wait, so that guessing does not fill it."""


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
    """A try is taken before the password is looked at, so that tries at the same time are counted one by one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._all = _Bucket(ALL_TRIES_AT_ONCE, SECONDS_A_TRY_OF_ALL, ALL_TRIES_AT_ONCE, clock())
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._refused, self._told_at = 0, clock() - TELL_SECONDS

    def take(self, key: str, device: str | None) -> float:
        """Takes a try and returns 0, or returns the seconds to wait for one.

        Args:
            key: of the account's name.
            device: the number of a browser that has signed in to this account, None of another.
        """
        buckets = self._buckets_of(key, device)
        wait = max(bucket.wait for bucket in buckets)
        if wait == 0:
            for bucket in buckets:
                bucket.tries -= 1
        return wait

    def count_refused(self) -> int:
        """Counts a try that had to wait. Returns how many since the last return of a number, once a minute, and else 0."""
        self._refused += 1
        if self._clock() - self._told_at < TELL_SECONDS:
            return 0
        count, self._refused, self._told_at = self._refused, 0, self._clock()
        return count

    def give_back(self, key: str, device: str | None) -> None:
        """After the right password."""
        for bucket in self._buckets_of(key, device):
            bucket.tries += 1

    def _buckets_of(self, key: str, device: str | None) -> list[_Bucket]:
        now, place = self._clock(), (key, device or "")
        if len(self._buckets) >= MOST_REMEMBERED and place not in self._buckets:
            self._buckets.clear()
        own = self._buckets.setdefault(place, _Bucket(TRIES_AT_ONCE, SECONDS_A_TRY, TRIES_AT_ONCE, now))
        buckets = [own] if device else [own, self._all]
        for bucket in buckets:
            bucket.fill(now)
        return buckets
