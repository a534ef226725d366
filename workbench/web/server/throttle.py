"""Rate limit for wrong passphrases: a few tries at once, then one every few seconds; no lasting lock-out."""

import time
from collections.abc import Callable
from dataclasses import dataclass

TRIES_AT_ONCE = 5
SECONDS_A_TRY = 3.0
MOST_REMEMBERED = 10_000


@dataclass
class _Bucket:
    tries: float
    at: float


class Throttle:
    """A token bucket of wrong tries per address; it refills over time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def seconds_to_wait(self, address: str) -> float:
        return max(0.0, (1 - self._fill(address).tries) * SECONDS_A_TRY)

    def count_wrong(self, address: str) -> None:
        self._fill(address).tries -= 1

    def _fill(self, address: str) -> _Bucket:
        now = self._clock()
        if len(self._buckets) >= MOST_REMEMBERED and address not in self._buckets:
            self._buckets.clear()
        bucket = self._buckets.setdefault(address, _Bucket(TRIES_AT_ONCE, now))
        bucket.tries = min(TRIES_AT_ONCE, bucket.tries + (now - bucket.at) / SECONDS_A_TRY)
        bucket.at = now
        return bucket
