"""Computes the influential words of suggestions while no job runs.

A post is explained as soon as it is claimed, so that the words are stored when the annotator has answered. The caller
passes the model, which keeps torch out of this process.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import delete

from db.queries.serving import unexplained_posts
from db.tables import Explanation
from workbench.labelling.explanations import Word
from workbench.project import Project
from workbench.rounds.champion import champion_number

LOOK_SECONDS = 1.0
AFTER_FAILURE_SECONDS = 60.0
AT_ONCE = 8
"""Posts explained together: a job that starts meanwhile shares the processor for one batch at most."""

Explain = Callable[[Sequence[str]], Sequence[Sequence[Word]]]
"""Texts in, the words of each out, largest drop first."""


class Explainer:
    """Keeps the current adapter loaded until another is promoted. `load` takes an adapter folder."""

    def __init__(self, project: Project, load: Callable[[Path], Explain]) -> None:
        self._project, self._load = project, load
        self._number: int | None = None
        self._explain: Explain | None = None

    def keep_explaining(self, stop: threading.Event, at_work: threading.Event) -> None:
        """Poll until `stop`, pausing while `at_work`. Errors are logged and retried."""
        pause = LOOK_SECONDS
        while not stop.wait(pause):
            pause = LOOK_SECONDS
            try:
                while not (stop.is_set() or at_work.is_set()) and self.explain_some():
                    pass
            except Exception:
                logging.exception("explaining failed; again in %.0f s", AFTER_FAILURE_SECONDS)
                pause = AFTER_FAILURE_SECONDS

    def explain_some(self) -> int:
        now = self._project.now()
        with self._project.database.read() as session:
            number = champion_number(session)
            posts = (
                [] if number is None else session.execute(unexplained_posts(number, now).limit(AT_ONCE)).all()
            )
        if number != self._number:
            self._switch_to(number)
        if number is None or not posts:
            return 0
        self._explain = self._explain or self._load(self._project.round_folder(number))
        words = self._explain([post.text for post in posts])
        self._store(number, dict(zip((post.post_id for post in posts), words, strict=True)))
        return len(posts)

    def _switch_to(self, number: int | None) -> None:
        """Unload the previous adapter and delete its explanations."""
        self._explain = None
        with self._project.database.write() as session:
            session.execute(delete(Explanation).where(Explanation.round_number.is_distinct_from(number)))
        self._number = number

    def _store(self, number: int, words: dict[int, Sequence[Word]]) -> None:
        with self._project.database.write() as session:
            if champion_number(session) != number:
                return  # superseded: explanations by this adapter are deleted
            session.add_all(
                Explanation(post_id=post_id, round_number=number, words=[[*word] for word in post_words])
                for post_id, post_words in words.items()
            )
