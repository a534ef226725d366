"""Scoring by a real adapter: posts are tokenised once, only missing ones are scored, a killed pass resumes."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sqlalchemy import update

from db.tables import Import
from tests.encoders import make_tiny_encoder
from tests.made_once import made_once
from tests.trainer.toy import toy_examples, write_examples
from tests.workbench.making import add_round, different_texts, import_texts
from trainer.adapters.folders import WEIGHTS, resolve_base
from trainer.config import TrainConfig
from trainer.errors import AdapterError
from trainer.running.progress import Silent
from trainer.scoring import sweep as sweep_module
from trainer.scoring.scorer import Scorer, StoppedError
from trainer.train import train
from workbench.accounts import Account
from workbench.imports.preparing import prepare
from workbench.project import Project
from workbench.purging.criterion import Criterion
from workbench.purging.purge import purge
from workbench.scores import round_scores as scores_module
from workbench.scores.round_scores import RoundScores
from workbench.worker import scoring
from workbench.worker.scoring import Scored, score_missing, tokenise_posts

TEXTS = different_texts(30)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "adapter-of-different-texts", _train) / "round"


def _train(folder: Path) -> None:
    base = make_tiny_encoder(folder / "base", TEXTS)
    config = TrainConfig(base=str(base), max_epochs=1, min_steps=1, calibration_folds=0)
    rows = [write_examples(folder / f"{size}.jsonl", toy_examples(size, size)) for size in (40, 20)]
    train(rows[0], rows[1], folder / "round", config, Silent())


@pytest.fixture
def scored(project: Project, lead: Account, adapter: Path) -> Project:
    shutil.copytree(adapter, project.round_folder(1))
    add_round(project, lead)
    import_texts(project, lead, TEXTS[:20])
    prepare(project)
    return project


def scores_of(project: Project) -> dict[int, list[float]]:
    scores = RoundScores.of(project, 1).read()
    return dict(zip(scores.post_ids.tolist(), scores.probabilities.tolist(), strict=True))


def test_every_prepared_post_is_scored_and_later_ones_alone_afterwards(
    scored: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores_module, "SEGMENT", 7)
    reports = []
    first = score_missing(scored, 1, on_progress=reports.append)
    assert (first.n, first.distinct, first.precision) == (20, 20, "fp32")
    assert (reports[-1].posts, reports[-1].total) == (20, 20)
    expected = Scorer.load(scored.round_folder(1)).probabilities(TEXTS)
    np.testing.assert_allclose(list(scores_of(scored).values()), expected[:20], atol=1e-5)
    assert score_missing(scored, 1) == Scored(0, 0.0)
    import_texts(scored, lead, TEXTS[20:], start=21)
    assert score_missing(scored, 1).n == 0  # they are not prepared
    prepare(scored)
    assert score_missing(scored, 1).n == 10
    assert list(scores_of(scored)) == list(range(1, 31))
    np.testing.assert_allclose(list(scores_of(scored).values()), expected, atol=1e-5)
    assert not (scored.round_folder(1) / "scores" / "pass").exists()


def test_an_adapter_that_cannot_score_is_refused_even_where_nothing_is_left_to_score(scored: Project) -> None:
    score_missing(scored, 1)
    weights = scored.round_folder(1) / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(AdapterError, match="truncated or changed"):
        score_missing(scored, 1)


def test_posts_with_the_same_text_are_scored_once(scored: Project, lead: Account) -> None:
    import_texts(scored, lead, [TEXTS[25]] * 4, start=21)
    prepare(scored)
    scored_again = score_missing(scored, 1)
    assert (scored_again.n, scored_again.distinct) == (24, 21)
    assert len({tuple(scores_of(scored)[number]) for number in range(21, 25)}) == 1


def test_a_stopped_pass_is_taken_up_again(scored: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "PART_TOKENS", {"cpu": 100})
    reports = []
    with pytest.raises(StoppedError):
        score_missing(
            scored,
            1,
            on_progress=reports.append,
            should_stop=lambda: bool(reports) and reports[-1].share > 0.4,
        )
    assert scores_of(scored) == {}
    again = []
    assert score_missing(scored, 1, on_progress=again.append).n == 20
    assert again[0].posts > reports[0].posts
    assert len(scores_of(scored)) == 20


def test_tokens_made_after_an_import_serve_the_first_adapter(
    scored: Project, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = adapter.parent / "base"
    monkeypatch.setattr(scoring, "resolve_base", lambda _name: resolve_base(str(base)))
    tokenise_posts(scored)
    seen: list[str] = []
    monkeypatch.setattr(Scorer, "tokenise", lambda _self, texts: seen.extend(texts))
    assert score_missing(scored, 1).n == 20
    assert seen == []


@pytest.fixture
def without_eight_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speed is measured; an export to 8 bits takes seconds, and `tests/trainer/scoring/test_sweep.py` has it."""

    def refuse(*_: object) -> None:
        raise ValueError("no export")

    monkeypatch.setattr(sweep_module, "quantise", refuse)


@pytest.mark.usefixtures("without_eight_bits")
def test_where_there_is_no_time_for_all_some_are_scored_and_the_rest_is_left_out(
    scored: Project, lead: Account, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = different_texts(240)[100:]
    import_texts(scored, lead, later[:100], start=21)
    prepare(scored)
    monkeypatch.setattr(sweep_module, "TRIED_FROM", 50)
    monkeypatch.setattr(sweep_module, "TRIED", 30)
    monkeypatch.setattr(sweep_module, "PART_TOKENS", {"cpu": 400})
    monkeypatch.setattr(scoring, "posts_in_time", lambda _project, speed: 60 if speed > 0 else 0)
    reports = []
    with pytest.raises(StoppedError):
        score_missing(scored, 1, on_progress=reports.append, should_stop=lambda: bool(reports))
    # A faster machine has time for all, but a started pass keeps its choice; later posts follow.
    monkeypatch.setattr(scoring, "posts_in_time", lambda _project, _speed: 1_000)
    import_texts(scored, lead, later[100:], start=121)
    prepare(scored)
    result = score_missing(scored, 1)
    (covered,) = RoundScores.of(scored, 1).coverage()
    assert (covered.first, covered.last, covered.posts) == (1, 120, 120)
    assert covered.scored <= 60
    assert covered.hours == scored.settings.scoring_hours
    assert result.n == covered.scored + 40 == len(scores_of(scored))
    assert score_missing(scored, 1) == Scored(0, 0.0)
    texts = {**dict(enumerate(TEXTS[:20], start=1)), **dict(enumerate(later, start=21))}
    expected = Scorer.load(adapter).probabilities([texts[number] for number in scores_of(scored)])
    np.testing.assert_allclose(list(scores_of(scored).values()), expected, atol=1e-5)


def test_a_number_that_a_purge_made_free_is_scored_anew(scored: Project, lead: Account) -> None:
    score_missing(scored, 1)
    before = scores_of(scored)
    for name in ("p19", "p20"):
        purge(scored, lead, Criterion(post=name), is_dry=False)
    with scored.database.write() as session:  # as in imports from before they recorded their numbers
        session.execute(update(Import).values(first_post=None))
    import_texts(scored, lead, TEXTS[20:25], start=21)
    prepare(scored)
    assert score_missing(scored, 1).n == 5
    after = scores_of(scored)
    assert list(after) == list(range(1, 24))
    assert {number: after[number] for number in range(1, 19)} == {n: before[n] for n in range(1, 19)}
    expected = Scorer.load(scored.round_folder(1)).probabilities(TEXTS[20:25])
    np.testing.assert_allclose([after[number] for number in range(19, 24)], expected, atol=1e-5)


@pytest.mark.usefixtures("without_eight_bits")
def test_a_pass_killed_before_it_tidied_up_is_not_told_of_twice(
    scored: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_texts(scored, lead, different_texts(200)[100:], start=21)
    prepare(scored)
    monkeypatch.setattr(sweep_module, "TRIED_FROM", 50)
    monkeypatch.setattr(sweep_module, "TRIED", 30)
    monkeypatch.setattr(scoring, "posts_in_time", lambda _project, _speed: 60)

    def die(_folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(scoring, "shutil", SimpleNamespace(rmtree=die))
        with pytest.raises(KeyboardInterrupt):
            score_missing(scored, 1)
    before = RoundScores.of(scored, 1).coverage()
    assert len(before) == 1
    import_texts(scored, lead, different_texts(240)[200:], start=121)
    prepare(scored)
    assert score_missing(scored, 1).n == 40
    assert RoundScores.of(scored, 1).coverage() == before


def test_a_pass_killed_when_all_is_scored_does_nothing_again(
    scored: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RoundScores, "append", die)
    with pytest.raises(KeyboardInterrupt):
        score_missing(scored, 1)
    monkeypatch.undo()
    monkeypatch.setattr(Scorer, "logits", die)
    assert score_missing(scored, 1).n == 20
    assert len(scores_of(scored)) == 20
