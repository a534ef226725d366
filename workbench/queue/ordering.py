"""Has a quick model order the queue again as labels come, while no job runs.

The caller passes what learns and orders, which keeps scikit-learn and torch out of this process.
"""

import logging
import threading
import time
from collections.abc import Callable

from filelock import Timeout
from sqlalchemy.orm import Session

from db.tables import QueueState
from workbench.locks import WORK, hold
from workbench.project import Project
from workbench.queue.quick_order import Newest, is_due

LOOK_SECONDS = 1.0
AFTER_FAILURE_SECONDS = 60.0
REST = 2.0
"""Seconds of rest per second of work: a large pool takes longer, and the machine is left to people for most of the time."""

Seen = tuple[object, Newest]


class QuickOrderer:
    """`order_queue` returns the number of labels learned from, 0 if the queue was left as it was."""

    def __init__(self, project: Project, order_queue: Callable[[], int]) -> None:
        self._project, self._order_queue = project, order_queue
        self._seen: Seen | None = None

    def keep_ordering(self, stop: threading.Event, at_work: threading.Event) -> None:
        """Poll until `stop`, pausing while `at_work`. Errors are logged and retried."""
        pause = LOOK_SECONDS
        while not stop.wait(pause):
            began = time.monotonic()
            try:
                if not at_work.is_set():
                    self.order_if_due()
            except Exception:
                logging.exception("the quick model failed; again in %.0f s", AFTER_FAILURE_SECONDS)
                pause = AFTER_FAILURE_SECONDS
                continue
            pause = max(LOOK_SECONDS, REST * (time.monotonic() - began))

    def order_if_due(self) -> bool:
        """False if no new order is due, or a job or a purge is running."""
        with self._project.database.read() as session:
            seen = _seen(session)
            if seen == self._seen:
                return False  # nothing is new: the labels need not be counted again
            if not is_due(self._project, session):
                self._seen = seen
                return False
        try:
            with hold(self._project.data / WORK, seconds=0):
                return self._order_queue() > 0
        except Timeout:
            return False


def _seen(session: Session) -> Seen:
    state = session.get(QueueState, 1)
    return None if state is None else state.built_at, Newest.of(session)
