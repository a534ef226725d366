"""Scores and explains posts with a round's adapter. Loads torch: only `scoring_steps` and `torch_tasks` import it."""

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from db.bulk import IDS_AT_ONCE
from db.tables import PostText
from trainer.adapters.encoder import load_tokenizer
from trainer.adapters.folders import resolve_base
from trainer.chunks import in_chunks
from trainer.config import TrainConfig
from trainer.errors import EncoderError
from trainer.scoring.embeddings import Embedder
from trainer.scoring.occlusion import influential_spans
from trainer.scoring.scorer import Scorer, StoppedError
from trainer.scoring.sweep import Precision, Progress, load_precision, save_precision, sweep, try_out
from trainer.texts.tokens import fingerprint, tokenise
from workbench.project import Project
from workbench.rounds.base import next_base, place_of
from workbench.scores.picks import Pick, load_pick, save_pick
from workbench.scores.round_scores import RoundScores, Scores
from workbench.scores.tokens import bring_up_to_date
from workbench.worker.budget import pick as pick_posts
from workbench.worker.budget import posts_in_time
from workbench.worker.explaining import Explain

VECTORS_KEPT = 50_000


class PostVectors:
    """Embeddings of posts by the frozen base encoder, with a cache of VECTORS_KEPT."""

    def __init__(self, project: Project, embedder: Embedder) -> None:
        self._project, self._embedder = project, embedder
        self._known: dict[int, NDArray[np.float32]] = {}

    def __call__(self, post_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, width), in the order of `post_ids`."""
        wanted = [int(post_id) for post_id in post_ids]
        missing = [post_id for post_id in wanted if post_id not in self._known]
        if len(self._known) + len(missing) > VECTORS_KEPT:
            self._known, missing = {}, wanted
        vectors = self._embedder.vectors(self._texts(missing))
        self._known |= dict(zip(missing, vectors, strict=True))
        return np.stack([self._known[post_id] for post_id in wanted]) if wanted else vectors

    def _texts(self, post_ids: list[int]) -> list[str]:
        texts: dict[int, str] = {}
        with self._project.database.read() as session:
            for some in in_chunks(post_ids, IDS_AT_ONCE):
                query = select(PostText.post_id, PostText.text).where(PostText.post_id.in_(some))
                texts |= dict(session.execute(query).all())
        return [texts[post_id] for post_id in post_ids]


def vectors_of_posts(project: Project) -> PostVectors | None:
    base = _next_base(project)
    try:
        return PostVectors(project, Embedder.load(base))
    except EncoderError:
        logging.warning("no vectors: the base encoder %s is not here", base)
        return None


def _next_base(project: Project) -> str:
    with project.database.read() as session:
        return place_of(project, next_base(project, session))


def explain_with(folder: Path) -> Explain:
    # Stays loaded while the returned function is referenced.
    scorer = Scorer.load(folder)
    return lambda texts: influential_spans(texts, scorer.probabilities)


@dataclass(frozen=True)
class Scored:
    """`n` posts with `distinct` texts; `agreement` is the share of labels equal to those of fp32."""

    n: int
    seconds: float
    distinct: int = 0
    precision: str = "fp32"
    agreement: float | None = None


def score_missing(
    project: Project,
    number: int,
    *,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Scored:
    """Score the prepared posts that the round's adapter has not scored yet, or as many as `scoring_hours` allow.

    A killed pass resumes with its picked posts, after the parts on disk. Raises StoppedError between batches if
    `should_stop`.
    """
    # Loaded even when nothing is missing: an adapter that cannot score must not be put in use.
    scorer = Scorer.load(project.round_folder(number))
    done = Scored(0, 0.0)
    # Repeated, because posts may have been imported since a resumed pass picked its posts.
    while some := _one_pass(project, number, scorer, on_progress, should_stop):
        done = Scored(
            done.n + some.n,
            done.seconds + some.seconds,
            done.distinct + some.distinct,
            some.precision,
            some.agreement,
        )
    return done


def _one_pass(
    project: Project,
    number: int,
    scorer: Scorer,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> Scored | None:
    """None if no score is missing."""
    folder = project.round_folder(number)
    scores = RoundScores.of(project, number)
    under_way = scores.folder / "pass"
    store = bring_up_to_date(project, scorer.tokens_name, scorer.tokenise, should_stop=should_stop)
    files, post_ids, places = store.after(scores.last_scored())
    pick, precision = load_pick(under_way), load_precision(under_way, folder)
    if pick is not None and len(pick.numbers) and pick.numbers[0] <= scores.last_scored():
        pick = None  # already appended: the process was killed before it removed the folder
    if pick is None or precision is None:
        if not len(post_ids):
            return None
        precision = try_out(scorer, files, places, under_way, should_stop=should_stop)
        pick = _posts_to_score(project, scores, scorer, post_ids, precision, should_stop)
        save_precision(under_way, folder, precision)
        save_pick(under_way, pick)
    is_picked = np.isin(post_ids, pick.numbers)
    post_ids, places = post_ids[is_picked], places[is_picked]
    swept = sweep(
        folder,
        scorer,
        files,
        places,
        under_way / "sweep",
        precision=precision,
        on_progress=on_progress,
        should_stop=should_stop,
    )
    scores.append(Scores(post_ids, swept.probabilities), pick.coverage)
    shutil.rmtree(under_way)
    return Scored(len(post_ids), swept.seconds, swept.distinct, precision.name, precision.agreement)


def _posts_to_score(
    project: Project,
    scores: RoundScores,
    scorer: Scorer,
    missing: NDArray[np.int64],
    precision: Precision,
    should_stop: Callable[[], bool],
) -> Pick:
    """All missing posts, or as many as this machine scores in `scoring_hours`."""
    if precision.posts_per_second is None:
        return Pick(missing, None)
    budget = posts_in_time(project, precision.posts_per_second)
    if budget >= len(missing):
        return Pick(missing, None)

    def teach(texts: Sequence[str]) -> NDArray[np.float32]:
        return scorer.probabilities(texts, should_stop=should_stop)

    picked = pick_posts(project, scores.last_scored(), budget, teach=teach, should_stop=should_stop)
    if picked is None:
        raise StoppedError("scoring stopped before its posts were picked")
    return picked


def tokenise_posts(project: Project) -> None:
    try:
        folder = resolve_base(_next_base(project))
    except EncoderError:
        return  # logged by `vectors_of_posts`
    # Stored ahead of the first adapter, which needs them.
    tokenizer, longest = load_tokenizer(folder), TrainConfig().max_length
    name = fingerprint(tokenizer, longest)
    bring_up_to_date(project, name, lambda texts: tokenise(tokenizer, texts, longest))
