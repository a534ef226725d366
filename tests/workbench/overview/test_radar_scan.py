"""After an import the worker writes what is new in a bounded sample, and pages read that file."""

import numpy as np
import pytest
from sqlalchemy import select

from db.queries.training import newest_pool_labels
from db.tables import Post, PostGroup
from tests.conftest import Clock
from tests.workbench.making import different_texts, import_texts, make_champion, write_tsv
from trainer.texts.contexts import LEAST_EVIDENCE
from workbench.accounts import Account
from workbench.errors import NotAllowedError
from workbench.imports.preparing import prepare
from workbench.labelling.files.mapping import parse_map
from workbench.labelling.label_files import import_labels
from workbench.overview import radar_scan
from workbench.overview.radar import radar_file, read_radar
from workbench.overview.radar_scan import watch
from workbench.project import Project
from workbench.review import resolutions

OLD = [f"今天的天气不错，{text}" for text in different_texts(120)]
NEW = [f"加我薇信领红包，{text}" for text in different_texts(160)[120:]]


@pytest.fixture
def filled(project: Project, lead: Account, clock: Clock) -> Project:
    """A quiet week, then one of adverts; some older adverts are labelled."""
    import_texts(project, lead, OLD)
    labelled = [
        {"id": f"l{at}", "text": f"加我微信看图 {text}", "label": "violation"}
        for at, text in enumerate(different_texts(200)[170:])
    ]
    labelled += [
        {"id": f"n{at}", "text": f"天气预报说{text}", "label": "normal"}
        for at, text in enumerate(different_texts(240)[210:])
    ]
    import_labels(
        project,
        lead,
        write_tsv(project.home / "l.tsv", labelled),
        mapping=parse_map(None),
        text_column="text",
    )
    clock.move(days=7)
    import_texts(project, lead, NEW, start=1_000)
    prepare(project)
    return project


def pool(project: Project) -> set[str]:
    with project.database.read() as session:
        return set(
            session.scalars(
                select(Post.external_id)
                .join(PostGroup, PostGroup.id == Post.group_id)
                .where(PostGroup.split == "pool")
            )
        )


def test_rising_words_and_disguises_are_told_with_counts_and_examples(filled: Project, lead: Account) -> None:
    assert read_radar(filled, lead) is None
    watch(filled)
    radar = read_radar(filled, lead)
    assert radar is not None
    assert "微信" in radar.known
    newest, week = radar.periods
    assert (newest.kind, newest.name, week.kind, week.name) == (
        "import",
        "posts-1000.tsv",
        "week",
        "2026-W03",
    )
    of_pool = sum(number.startswith("p1") and int(number[1:]) >= 1_000 for number in pool(filled))
    assert newest.posts == week.posts == of_pool
    risen = {one.word: one for one in newest.rising}
    assert (risen["红包"].count, risen["红包"].before) == (of_pool, 0)
    assert len(risen["红包"].examples) == 1
    assert risen["红包"].rates == [0.0, 1.0]
    assert all("红包" in text for text in risen["红包"].examples)
    assert "天气" not in risen
    disguises = {one.written: one for one in newest.disguises}
    assert (disguises["薇信"].word, disguises["薇信"].how, disguises["薇信"].count) == (
        "微信",
        "sound",
        of_pool,
    )
    assert disguises["薇信"].evidence >= LEAST_EVIDENCE
    assert newest.drifts == []


def test_a_spelling_that_sounds_alike_in_other_contexts_is_not_listed(
    filled: Project, lead: Account, clock: Clock
) -> None:
    clock.move(days=7)
    texts = [f"{text}他在部队里很有威信" for text in different_texts(300)[260:]]
    import_texts(filled, lead, texts, start=2_000)
    prepare(filled)
    newest = watch(filled).periods[0]
    assert all(one.written != "威信" for one in newest.disguises)


def test_a_models_drift_is_the_stability_index_of_its_scores(filled: Project, lead: Account) -> None:
    with filled.database.read() as session:
        posts = len(session.scalars(select(Post.id)).all())
    violation = np.where(np.arange(posts) >= posts - len(NEW), 0.85, 0.05)
    make_champion(filled, lead, np.stack([(1 - violation) * 0.9, (1 - violation) * 0.1, violation], axis=1))
    newest = watch(filled).periods[0]
    drift = next(one for one in newest.drifts if one.score == "violation")
    assert drift.now[8] == 1
    assert drift.before[0] == 1
    assert sum(drift.now) == pytest.approx(1)
    assert sum(drift.before) == pytest.approx(1)
    assert drift.psi > 1
    assert set(drift.examples) <= set(NEW)
    ours = (np.array([0] * 8 + [newest.posts, 0]) + 0.5) / (newest.posts + 5)
    theirs = (np.array([newest.posts_before] + [0] * 9) + 0.5) / (newest.posts_before + 5)
    assert drift.psi == pytest.approx(float(np.sum((ours - theirs) * np.log(ours / theirs))), abs=1e-4)


def test_the_scores_of_one_new_post_are_no_drift(filled: Project, lead: Account) -> None:
    import_texts(filled, lead, ["又一条晚到的帖子，说的是别的事"], start=9_000)
    prepare(filled)
    with filled.database.write() as session:
        for group in session.scalars(select(PostGroup)):
            group.split = "pool"
        posts = len(session.scalars(select(Post.id)).all())
    probabilities = np.full((posts, 3), (0.9, 0.05, 0.05))
    probabilities[-1] = (0.1, 0.1, 0.8)
    make_champion(filled, lead, probabilities)
    newest = watch(filled).periods[0]
    assert newest.posts == 1
    assert all(drift.is_chance for drift in newest.drifts)


def test_held_out_posts_are_never_shown(filled: Project, lead: Account) -> None:
    with filled.database.write() as session:
        for group in session.scalars(select(PostGroup)):
            group.split = "test"
    assert [(period.posts, list(period.rising)) for period in watch(filled).periods] == [(0, []), (0, [])]


def test_a_sample_is_bounded_and_the_same_twice(
    filled: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(radar_scan, "SAMPLE", 10)
    first = watch(filled)
    assert first.periods[0].posts == 10
    assert first.periods[0].posts_before <= 10
    assert watch(filled) == first
    assert radar_file(filled).stat().st_size < 100_000


def test_an_empty_project_and_a_first_import_have_nothing_to_compare_with(
    project: Project, lead: Account
) -> None:
    assert watch(project).periods == []
    import_texts(project, lead, OLD)
    prepare(project)
    assert all(not period.rising and not period.drifts for period in watch(project).periods)


def test_only_leads_may_look(filled: Project, ann: Account) -> None:
    with pytest.raises(NotAllowedError):
        read_radar(filled, ann)


def test_words_are_learned_from_decisions_first_and_never_from_held_out_posts(
    filled: Project, lead: Account
) -> None:
    with filled.database.read() as session:
        assert "微信" in watch(filled).known
        rows = session.execute(
            select(Post.id, Post.external_id, PostGroup.split)
            .join(PostGroup, PostGroup.id == Post.group_id)
            .where(Post.external_id.like("l%") | Post.external_id.like("n%"))
        ).all()
    in_pool = [row for row in rows if row.split == "pool"]
    assert 0 < len(in_pool) < len(rows)
    with filled.database.read() as session:
        texts = [text for _label, text in session.execute(newest_pool_labels(1_000))]
    assert len(texts) == len(in_pool)
    for row in in_pool:
        resolutions.resolve(filled, lead, row.id, "normal" if row.external_id[0] == "l" else "violation")
    words = watch(filled).known
    assert "微信" not in words
    assert "天气预报" in words
