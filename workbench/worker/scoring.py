"""Score posts with a round's adapter, and explain it. Only `scoring_steps` and `torch_tasks` import this: it loads torch."""

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.bulk import IDS_AT_ONCE
from db.queries.standing import current_labels, is_of_pool, standing_resolutions
from db.tables import Annotation, Post, PostGroup, PostText, Resolution
from trainer.adapters.encoder import load_tokenizer
from trainer.adapters.folders import resolve_base
from trainer.chunks import in_chunks
from trainer.config import TrainConfig
from trainer.errors import EncoderError
from trainer.linear.frozen import FrozenClassifier
from trainer.scoring.embeddings import Embedder
from trainer.scoring.occlusion import influential_spans
from trainer.scoring.scorer import Scorer, StoppedError
from trainer.scoring.sweep import Precision, Progress, load_precision, save_precision, sweep, try_out
from trainer.texts.tokens import fingerprint, tokenise
from workbench.project import Project
from workbench.scores.picks import Pick, load_pick, save_pick
from workbench.scores.round_scores import RoundScores, Scores
from workbench.scores.tokens import bring_up_to_date
from workbench.worker.budget import pick as pick_posts
from workbench.worker.budget import posts_in_time
from workbench.worker.explaining import Explain

COLD_LABELS = 20
"""Labels of the pool from which a simple model orders what is left, until the first round does it better."""
COLD_EACH = 3
"""And of at least two kinds so many: with fewer it would only guess."""
COLD_SAMPLE = 5_000
DRAWN_FOR_ONE = 4
"""Numbers drawn for each post wanted: some are held out, some not prepared, some were purged."""
VECTORS_KEPT = 50_000


class PostVectors:
    """Frozen vectors of posts by the project's base encoder, made when they are asked for and kept for a while."""

    def __init__(self, project: Project, embedder: Embedder) -> None:
        self._project, self._embedder = project, embedder
        self._known: dict[int, NDArray[np.float32]] = {}

    def __call__(self, post_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, width)."""
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
    """None where the base encoder cannot be had: the queue then does without."""
    try:
        return PostVectors(project, Embedder.load(project.settings.base_model))
    except EncoderError:
        logging.warning("no vectors: the base encoder %s is not here", project.settings.base_model)
        return None


def cold_scores(project: Project, vectors: PostVectors) -> Scores | None:
    """Scores of a sample of the pool by logistic regression over frozen vectors; None with too few labels."""
    with project.database.read() as session:
        labelled = _pool_labels(session)
        counts = Counter(labelled.values())
        if len(labelled) < COLD_LABELS or sum(count >= COLD_EACH for count in counts.values()) < 2:
            return None
        posts = _some_of_pool(session)
    model = FrozenClassifier.learn(vectors(np.array(list(labelled))), list(labelled.values()))
    return Scores(posts, model.probabilities(vectors(posts)).astype(np.float32))


def _some_of_pool(session: Session) -> NDArray[np.int64]:
    """COLD_SAMPLE posts of the pool, drawn by number; fewer where many numbers are not the pool's."""
    last = session.scalar(select(func.max(Post.id))) or 0
    rng = np.random.default_rng()
    drawn = rng.choice(last, min(DRAWN_FOR_ONE * COLD_SAMPLE, last), replace=False) + 1
    numbers: list[int] = []
    pool = select(Post.id).join(PostGroup, PostGroup.id == Post.group_id).where(is_of_pool())
    for some in in_chunks(drawn.tolist(), IDS_AT_ONCE):
        numbers += session.scalars(pool.where(Post.id.in_(some)))
    return np.sort(rng.permutation(np.array(numbers, dtype=np.int64))[:COLD_SAMPLE])


def _pool_labels(session: Session) -> dict[int, str]:
    """The resolved label of each labelled pool post, else the newest standing one."""
    is_pool = is_of_pool(), Post.is_quarantined.is_(False)
    labels = current_labels().join(Post, Post.id == Annotation.post_id).order_by(Annotation.id)
    decided = standing_resolutions().join(Post, Post.id == Resolution.post_id)
    rows = [
        *session.scalars(labels.join(PostGroup, PostGroup.id == Post.group_id).where(*is_pool)),
        *session.scalars(decided.join(PostGroup, PostGroup.id == Post.group_id).where(*is_pool)),
    ]
    return {row.post_id: str(row.label) for row in rows}


def explain_with(folder: Path) -> Explain:
    """Explains by a round's adapter, which stays loaded for as long as what is returned is kept."""
    scorer = Scorer.load(folder)
    return lambda texts: influential_spans(texts, scorer.probabilities)


@dataclass(frozen=True)
class Scored:
    """How much was scored and how fast; `distinct` texts, in what precision, and how often its label was fp32's."""

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
    """Score every prepared post that the round's adapter has not scored yet, or as many as there is time for.

    Killed, it goes on with what it had picked and after the parts that are on disk. Raises StoppedError, between
    batches, when `should_stop` says so.
    """
    # Loaded even when nothing is missing: an adapter that cannot score must not be put in use.
    scorer = Scorer.load(project.round_folder(number))
    done = Scored(0, 0.0)
    # Again, as posts may have come while a killed pass was finished.
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
    """None where nothing is missing."""
    folder = project.round_folder(number)
    scores = RoundScores.of(project, number)
    under_way = scores.folder / "pass"
    store = bring_up_to_date(project, scorer.tokens_name, scorer.tokenise, should_stop=should_stop)
    files, post_ids, places = store.after(scores.last_scored())
    pick, precision = load_pick(under_way), load_precision(under_way, folder)
    if pick is not None and len(pick.numbers) and pick.numbers[0] <= scores.last_scored():
        pick = None  # its scores are in: who put them there was killed before it could tidy up
    if pick is None or precision is None:
        if not len(post_ids):
            return None
        precision = try_out(scorer, files, places, under_way, should_stop=should_stop)
        pick = _picked(project, scores, scorer, post_ids, precision, should_stop)
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


def _picked(
    project: Project,
    scores: RoundScores,
    scorer: Scorer,
    missing: NDArray[np.int64],
    precision: Precision,
    should_stop: Callable[[], bool],
) -> Pick:
    """All that is missing, or as much as this machine can score in the time that a pass may take."""
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
    """Make the token ids of new posts with the project's base encoder, before there is an adapter to ask for them."""
    try:
        folder = resolve_base(project.settings.base_model)
    except EncoderError:
        return  # told elsewhere
    tokenizer, longest = load_tokenizer(folder), TrainConfig().max_length
    name = fingerprint(tokenizer, longest)
    bring_up_to_date(project, name, lambda texts: tokenise(tokenizer, texts, longest))
