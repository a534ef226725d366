"""The words that carried a suggestion: pages read them here, the worker writes them while nobody waits.

A post is explained as soon as somebody holds it, so that the words are there when they have answered. The
model comes in from outside, which keeps torch and the dictionary of words out of the pages.
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
"""Posts scored together: a round that begins meanwhile shares the processor for no longer than these take."""

Explain = Callable[[Sequence[str]], Sequence[Sequence[Word]]]
"""Texts in, the words of each out, the weightiest first."""


class Explainer:
    """Explains what people hold by the adapter in use, which it keeps loaded until there is another.

    `load` makes an `Explain` of an adapter folder.
    """

    def __init__(self, project: Project, load: Callable[[Path], Explain]) -> None:
        self._project, self._load = project, load
        self._number: int | None = None
        self._explain: Explain | None = None

    def keep_explaining(self, stop: threading.Event, at_work: threading.Event) -> None:
        """Look again and again until `stop`, never while `at_work`. What goes wrong is logged and tried later."""
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
        """Explain the newest claims. Returns how many posts were looked at, 0 when there is nothing to do."""
        now = self._project.now()
        with self._project.database.read() as session:
            number = champion_number(session)
            posts = (
                [] if number is None else session.execute(unexplained_posts(number, now).limit(AT_ONCE)).all()
            )
        if number != self._number:
            self._follow(number)
        if number is None or not posts:
            return 0
        self._explain = self._explain or self._load(self._project.round_folder(number))
        words = self._explain([post.text for post in posts])
        self._keep(number, dict(zip((post.post_id for post in posts), words, strict=True)))
        return len(posts)

    def _follow(self, number: int | None) -> None:
        """Another adapter is in use: let go of the one before, and of what it said."""
        self._explain = None
        with self._project.database.write() as session:
            session.execute(delete(Explanation).where(Explanation.round_number.is_distinct_from(number)))
        self._number = number

    def _keep(self, number: int, words: dict[int, Sequence[Word]]) -> None:
        with self._project.database.write() as session:
            if champion_number(session) != number:
                return  # it changed meanwhile, and its explanations are gone
            session.add_all(
                Explanation(post_id=post_id, round_number=number, words=[[*word] for word in post_words])
                for post_id, post_words in words.items()
            )
