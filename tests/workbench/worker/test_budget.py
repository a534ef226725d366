"""A pool too large for the machine: some posts are scored, and estimates for all stay unbiased."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from db.tables import Champion, Post, PostGroup, PostText, QueueEntry, Round
from tests.workbench.making import add_policy, add_round, different_texts, import_texts, label_row
from trainer.selection.budget import is_drawn
from trainer.selection.strata import DRAWN
from workbench.accounts import Account
from workbench.cli import app
from workbench.imports.preparing import prepare
from workbench.overview import weeks
from workbench.project import Project
from workbench.queue import strata, swap
from workbench.rounds import comparison
from workbench.scores.picks import Pick, load_pick, save_pick
from workbench.scores.round_scores import RoundScores, Scores
from workbench.thresholds import verdicts as thresholds_verdicts
from workbench.worker import budget

POSTS = 1_500


def adapter(texts: Sequence[str]) -> np.ndarray:
    """(n, labels) fixed scores: 违禁 is a violation, 疑惑 is uncertain."""
    probabilities = np.tile(np.float32([0.95, 0.03, 0.02]), (len(texts), 1))
    for at, text in enumerate(texts):
        if "违禁" in text:
            probabilities[at] = [0.05, 0.05, 0.9]
        elif "疑惑" in text:
            probabilities[at] = [0.45, 0.1, 0.45]
    return probabilities


@pytest.fixture
def pool(project: Project, lead: Account) -> Project:
    marks = ["违禁", "疑惑", *[""] * 18]
    texts = [text + marks[at % 20] for at, text in enumerate(different_texts(POSTS))]
    import_texts(project, lead, texts)
    prepare(project)
    add_round(project, lead)
    with project.database.write() as session:
        session.add(Champion(id=1, round_number=1, since=project.now()))
    return project


def texts_of(project: Project, numbers: np.ndarray) -> list[str]:
    with project.database.read() as session:
        text_by_post = dict(session.execute(select(PostText.post_id, PostText.text)).all())
    return [text_by_post[int(number)] for number in numbers]


def splits(project: Project) -> dict[int, str]:
    with project.database.read() as session:
        query = select(Post.id, PostGroup.split).join(PostGroup, PostGroup.id == Post.group_id)
        return dict(session.execute(query).all())


def score(project: Project, most: int) -> Pick:
    scores = RoundScores.of(project, 1)
    after = scores.last_scored()
    missing = np.array([number for number in sorted(splits(project)) if number > after])
    pick = Pick(missing, None)
    if most < len(missing):
        picked = budget.pick(project, after, most, teach=adapter)
        assert picked is not None
        pick = picked
    scores.append(Scores(pick.numbers, adapter(texts_of(project, pick.numbers))), pick.coverage)
    return pick


def test_from_a_pool_too_big_to_the_lanes_that_are_served(
    pool: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strata, "CHUNK", 20)  # many chunks contain no drawn post
    pick = score(pool, 450)
    assert len(pick.numbers) == 450
    assert pick.coverage is not None
    assert pick.coverage.rate == 0.05
    by_post, scores = splits(pool), RoundScores.of(pool, 1)
    drawn = np.array([number for number in by_post if is_drawn(np.array([number]), 0.05)[0]])
    assert np.isin(drawn, pick.numbers).all()
    chosen = np.setdiff1d(pick.numbers, drawn)
    assert {by_post[int(number)] for number in chosen} == {"pool"}
    partly = scores.partly_scored()
    assert partly is not None
    assert (partly.posts, partly.scored, partly.rate) == (POSTS, 450, 0.05)
    assert scores.last_scored() == POSTS

    strata.give_strata(pool, 1)
    swap.rebuild(pool)
    lanes: dict[str, list[QueueEntry]] = {}
    with pool.database.read() as session:
        for entry in session.scalars(select(QueueEntry)):
            lanes.setdefault(entry.lane, []).append(entry)
        stratum_of = dict(session.execute(select(PostGroup.id, PostGroup.stratum)).all())
        firsts = dict(session.execute(select(Post.id, Post.group_id)).all())
    everything = sum(split == "pool" for split in by_post.values())
    random = [entry.post_id for entry in lanes["random"]]
    fair = [number for number in drawn.tolist() if by_post[number] == "pool"]
    assert set(random) <= set(fair)
    assert {entry.inclusion_probability for entry in lanes["random"]} == {len(random) / everything}
    served = [entry.post_id for entry in [*lanes["uncertain"], *lanes["violation"]]]
    assert not set(served) & set(fair)
    texts = texts_of(pool, np.array(served))
    marks = Counter("违" if "违禁" in text else "疑" if "疑惑" in text else "" for text in texts)
    wanted = [at for at in by_post if by_post[at] == "pool" and at not in fair]
    unsure = sum("疑惑" in text for text in texts_of(pool, np.array(wanted)))
    assert marks["疑"] == unsure  # the cheap model omits none of the uncertain posts
    assert lanes["uncertain"][0].suspicious == pytest.approx(0.1)
    has_stratum = {number for number, group in firsts.items() if stratum_of[group] is not None}
    assert has_stratum == {number for number in drawn.tolist() if by_post[number] != "pool"}
    assert all(kind >= DRAWN for kind in stratum_of.values() if kind is not None)


def test_all_are_scored_where_they_fit(pool: Project) -> None:
    pick = score(pool, POSTS)
    assert pick.coverage is None
    assert pick.numbers.tolist() == sorted(splits(pool))
    assert RoundScores.of(pool, 1).coverage() == []
    assert RoundScores.of(pool, 1).partly_scored() is None


def test_what_was_picked_is_kept_for_whoever_goes_on_with_it(pool: Project, tmp_path: Path) -> None:
    assert load_pick(tmp_path / "pass") is None
    picked = budget.pick(pool, 0, 300, teach=adapter)
    assert picked is not None
    for pick in (picked, Pick(picked.numbers, None)):
        save_pick(tmp_path / "pass", pick)
        again = load_pick(tmp_path / "pass")
        assert again is not None
        assert again.numbers.tolist() == pick.numbers.tolist()
        assert again.coverage == pick.coverage


def test_later_posts_that_fit_are_scored_one_and_all(pool: Project, lead: Account) -> None:
    score(pool, 300)
    import_texts(pool, lead, different_texts(POSTS + 40)[POSTS:], start=POSTS + 1)
    prepare(pool)
    pick = score(pool, 300)
    assert pick.numbers.tolist() == list(range(POSTS + 1, POSTS + 41))
    partly = RoundScores.of(pool, 1).partly_scored()
    assert partly is not None
    assert (partly.posts, partly.scored) == (POSTS + 40, 340)


def test_labelled_held_out_posts_are_scored_but_get_no_stratum_for_it(pool: Project, lead: Account) -> None:
    undrawn = [
        number
        for number, split in splits(pool).items()
        if split == "test" and not is_drawn(np.array([number]), 0.05)[0]
    ][:20]
    with pool.database.write() as session:
        for number in undrawn:
            session.add(label_row(pool, lead, number, "normal", lane="held_out"))
    assert np.isin(undrawn, score(pool, 450).numbers).all()
    strata.give_strata(pool, 1)
    with pool.database.read() as session:
        query = (
            select(PostGroup.stratum).join(Post, Post.group_id == PostGroup.id).where(Post.id.in_(undrawn))
        )
        assert set(session.scalars(query)) == {None}


def test_it_stops_when_asked(pool: Project) -> None:
    assert budget.pick(pool, 0, 300, teach=adapter, should_stop=lambda: True) is None


def test_a_post_without_a_score_is_for_people_and_is_counted(pool: Project, lead: Account) -> None:
    score(pool, 450)
    add_policy(pool, lead, round_number=1, pass_below=0.3, flag_from=0.8)
    decided = thresholds_verdicts.decide(pool, lead)
    rows = [line.split("\t") for line in decided.file.read_text(encoding="utf-8").splitlines()[1:]]
    scores = RoundScores.of(pool, 1).read()
    verdicts = dict(zip(scores.post_ids.tolist(), scores.probabilities[:, 2].tolist(), strict=True))
    assert (decided.rows, decided.unscored) == (POSTS, POSTS - 450)
    for row in rows:
        violation = verdicts.get(int(row[0][1:]))
        expected = (
            "human" if violation is None or 0.3 <= violation < 0.8 else "flag" if violation > 0.8 else "pass"
        )
        assert row[1] == expected
        assert violation is not None or row[2:5] == ["", "", ""]
    assert decided.missed.estimate is None
    output = CliRunner().invoke(app, ["decide", "--home", str(pool.home)]).stdout
    assert f"{POSTS - 450:,} of them have no score" in output


def test_figures_about_all_posts_are_made_from_those_nobody_chose(pool: Project) -> None:
    score(pool, 450)
    drawn = sum(is_drawn(np.arange(1, POSTS + 1), 0.05))
    with pool.database.read() as session:
        (spread,) = weeks._spreads(session, pool, 1).values()
    assert spread.sum() == 20 * drawn
    chosen = RoundScores.of(pool, 1).read().probabilities[:, 2]
    assert spread[900:].sum() / spread.sum() < 0.5 * (chosen >= 0.9).mean()


def test_two_rounds_are_compared_on_posts_that_both_drew(pool: Project, lead: Account) -> None:
    score(pool, 450)
    ids = np.arange(1, POSTS + 1)
    with pool.database.write() as session:
        first = session.get_one(Round, 1)
        names = {column.name: getattr(first, column.name) for column in Round.__table__.columns}
        session.add(Round(**{**names, "number": 2}))
    RoundScores.of(pool, 2).append(Scores(ids, adapter([""] * POSTS)))
    compared = comparison.compare_rounds(pool, lead, 1, 2)
    assert compared.is_sample
    assert compared.flips is not None
    assert compared.flips.posts == is_drawn(ids, 0.05).sum()


def test_commands_say_plainly_what_was_scored(pool: Project) -> None:
    def output_of(*command: str) -> str:
        return " ".join(CliRunner().invoke(app, [*command, "--home", str(pool.home)]).stdout.split())

    assert json.loads(output_of("status", "--json"))["partly_scored"] is None
    assert "too slow" not in output_of("status")
    score(pool, 450)
    expected = {"posts": POSTS, "scored": 450, "rate": 0.05, "hours": 12.0}
    assert json.loads(output_of("status", "--json"))["partly_scored"] == expected
    assert json.loads(output_of("round", "show", "1", "--json"))["partly_scored"] == expected
    assert json.loads(output_of("overview", "--json"))["partly_scored"] == expected
    line = "450 of 1,500 posts were scored: this machine is too slow for all in 12 hours."
    for command in (("status",), ("overview",), ("round", "show", "1")):
        assert line in output_of(*command)
        assert "5% of all were drawn at random" in output_of(*command)


def test_the_budget_is_the_hours_times_the_speed(project: Project) -> None:
    assert budget.posts_in_time(project, 10) == 12 * 3600 * 10
    assert budget.posts_in_time(project, 0.001) == budget.SMALLEST_BUDGET
