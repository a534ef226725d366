"""The queue holds the band and all below it, most uncertain first, and held-out posts apart."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import event, select

from db.tables import Annotation, Import, Post, PostGroup, QueueEntry, QueueState
from tests.workbench.making import different_texts, import_texts, make_champion, ready_queue
from workbench.accounts import Account
from workbench.imports.preparing import prepare
from workbench.labelling import answers
from workbench.project import LABEL_SET_ID, Project
from workbench.queue import plan
from workbench.scores.round_scores import Scores


def entries(project: Project, lane: str) -> list[QueueEntry]:
    with project.database.read() as session:
        return list(
            session.scalars(select(QueueEntry).where(QueueEntry.lane == lane).order_by(QueueEntry.position))
        )


def splits(project: Project) -> dict[int, str]:
    with project.database.read() as session:
        return dict(
            session.execute(
                select(Post.id, PostGroup.split).join(PostGroup, PostGroup.id == Post.group_id)
            ).all()
        )


def test_without_a_model_the_pool_is_served_at_random(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 100)
    pool = [number for number, split in splits(project).items() if split == "pool"]
    served = [entry.post_id for entry in entries(project, "random")]
    assert sorted(served) == pool
    assert served != pool
    assert {entry.inclusion_probability for entry in entries(project, "random")} == {1.0}


def test_the_band_comes_first_by_margin_then_what_widens_it(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 60)
    top = np.linspace(0.34, 0.99, 60)
    make_champion(project, lead, np.stack([top, (1 - top) / 2, (1 - top) / 2], axis=1))
    served = entries(project, "uncertain")
    margins = [float(entry.normal or 0) - float(entry.suspicious or 0) for entry in served]
    assert margins == sorted(margins)
    with project.database.read() as session:
        counts = plan.band_counts(session, project)
    pool = [number for number, split in splits(project).items() if split == "pool"]
    expected = np.array([top[number - 1] for number in pool])
    assert counts.below_band == int((expected < 0.4).sum())
    assert counts.in_band == int(((expected >= 0.4) & (expected <= 0.6)).sum())
    drawn = entries(project, "random")
    assert len(served) + len(drawn) + len(entries(project, "violation")) == len(pool)  # widened to all
    assert {entry.inclusion_probability for entry in drawn} == {len(drawn) / len(pool)}
    with project.database.read() as session:
        state = session.get_one(QueueState, 1)
        assert state.widened == sum(float(entry.normal or 0) > 0.6 for entry in served)


def test_held_out_posts_stay_in_their_own_lane(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 200)
    make_champion(project, lead, np.full((200, 3), 1 / 3))
    by_post = splits(project)
    assert {by_post[entry.post_id] for entry in entries(project, "uncertain")} == {"pool"}
    assert {by_post[entry.post_id] for entry in entries(project, "held_out")} == {
        "validation",
        "test",
        "audit",
    }
    assert all(entry.normal is None for entry in entries(project, "held_out"))


def test_one_post_a_group_and_none_of_a_labelled_group(project: Project, lead: Account, ann: Account) -> None:
    texts = different_texts(20)
    import_texts(project, lead, [*texts, *(text + "!" for text in texts)])
    prepare(project)
    plan.rebuild(project)
    queued = entries(project, "random") + entries(project, "held_out")
    assert len(queued) == 20
    answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
    assert plan.rebuild(project) == 19


def test_near_copies_of_what_was_labelled_during_the_planning_are_not_asked_about(
    project: Project, lead: Account, ann: Account
) -> None:
    texts = different_texts(20)
    import_texts(project, lead, [*texts, *(text + "!" for text in texts)])
    prepare(project)
    plan.rebuild(project)
    made = plan.plan(project, None)
    planned = {entry.post_id for entry in made.entries}
    with project.database.write() as session:
        # Of ten groups the copy that was not planned: it stood in the queue before.
        groups = dict(session.execute(select(Post.id, Post.group_id)).all())
        others = [post for post in groups if post not in planned][:10]
        for post in others:
            session.add(
                Annotation(
                    post_id=post,
                    person_id=ann.id,
                    action="label",
                    label_set_id=LABEL_SET_ID,
                    label="normal",
                    lane="random",
                    saved_at=project.now(),
                )
            )
    with plan.replacing(project, made):
        pass
    with project.database.read() as session:
        left = set(session.scalars(select(QueueEntry.post_id).where(~QueueEntry.is_answered)))
    assert len(left) == 10
    assert not {groups[post] for post in left} & {groups[post] for post in others}


def test_a_number_that_another_import_took_meanwhile_is_not_queued(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 30)
    made = plan.plan(project, None)
    taken = made.entries[0].post_id
    with project.database.write() as session:
        session.get_one(Post, taken).group_id = None  # as a post is that nobody has prepared
    with plan.replacing(project, made):
        pass
    with project.database.read() as session:
        queued = set(session.scalars(select(QueueEntry.post_id)))
    assert len(queued) == len(made.entries) - 1
    assert taken not in queued


def test_a_swap_binds_no_more_values_however_much_was_said_meanwhile(
    project: Project, lead: Account, ann: Account
) -> None:
    """SQLite takes 250,000 in a statement, and a label file may bring more."""
    ready_queue(project, lead, 60)
    made, bound = plan.plan(project, None), []
    with project.database.write() as session:
        for post in session.scalars(select(Post.id)).all():
            session.add(
                Annotation(
                    post_id=post,
                    person_id=ann.id,
                    action="label",
                    label_set_id=LABEL_SET_ID,
                    label="normal",
                    lane="random",
                    saved_at=project.now(),
                )
            )

    def see(
        _connection: object, _cursor: object, _statement: str, values: Sequence[object], *_: object
    ) -> None:
        bound.append(len(values))

    event.listen(project.database.engine, "before_cursor_execute", see)
    with plan.replacing(project, made):
        pass
    assert bound
    assert max(bound) < 20


def test_a_swap_that_fails_leaves_the_pages_figures_as_they_were(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 60)
    make_champion(project, lead, np.full((60, 3), 1 / 3))
    plan.rebuild(project)
    before = plan.confidence_histogram(project).tolist()
    assert sum(before) > 0
    made = plan.plan(project, None)
    with pytest.raises(ZeroDivisionError), plan.replacing(project, made):
        1 / 0  # noqa: B018 - whatever goes wrong
    assert plan.confidence_histogram(project).tolist() == before
    (project.data / "waiting.json").write_bytes(b"")  # as a power cut may leave it
    assert sum(plan.confidence_histogram(project)) == 0


def test_the_held_out_lane_closes_when_it_has_enough(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 60)
    enough = project.settings.model_copy(update={"validation_target": 0, "test_target": 0})
    object.__setattr__(project, "settings", enough)
    plan.rebuild(project)
    assert entries(project, "held_out") == []


def test_likely_violations_have_a_lane_of_their_own(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 60)
    scores = np.tile([0.98, 0.01, 0.01], (60, 1))
    scores[::3] = [0.1, 0.1, 0.8]
    make_champion(project, lead, scores)
    found = entries(project, "violation")
    assert found
    assert [entry.violation for entry in found] == pytest.approx([0.8] * len(found))


def test_what_the_band_cannot_hold_is_counted(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 60)
    few = project.settings.model_copy(update={"queue_at_most": 10, "queue_at_least": 1})
    object.__setattr__(project, "settings", few)
    make_champion(project, lead, np.full((60, 3), 1 / 3))
    with project.database.read() as session:
        state = session.get_one(QueueState, 1)
    assert len(entries(project, "uncertain")) == 10
    assert state.left_out == state.below_band - 10
    assert state.widened == 0


def test_vectors_spread_the_queue_and_lose_no_post(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 200)
    make_champion(project, lead, np.full((200, 3), 1 / 3))
    before = [entry.post_id for entry in entries(project, "uncertain")]
    asked: list[int] = []

    def vectors(post_ids: np.ndarray) -> np.ndarray:
        asked.extend(post_ids.tolist())
        return np.random.default_rng(0).normal(size=(len(post_ids), 4))

    plan.rebuild(project, vectors=vectors)
    after = [entry.post_id for entry in entries(project, "uncertain")]
    assert sorted(after) == sorted(before)
    assert after != before
    assert set(asked) <= set(before)


def test_a_cold_start_serves_typical_posts_and_hides_what_a_simple_model_guesses(
    project: Project, lead: Account
) -> None:
    ready_queue(project, lead, 100)
    rng = np.random.default_rng(0)
    plan.rebuild(project, vectors=lambda post_ids: rng.normal(size=(len(post_ids), 4)))
    pool = [number for number, split in splits(project).items() if split == "pool"]
    middle = [entry.post_id for entry in entries(project, "typical")]
    assert len(middle) == len(pool) // 2
    assert {entry.inclusion_probability for entry in entries(project, "typical")} == {None}
    guessed = Scores(np.array(pool), np.full((len(pool), 3), 1 / 3, dtype=np.float32))
    plan.rebuild(project, cold=guessed)
    assert entries(project, "uncertain")
    assert all(entry.normal is None for entry in entries(project, "uncertain"))


def test_held_out_groups_get_a_stratum_once_and_strata_take_turns(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 300)
    rng = np.random.default_rng(0)
    first = np.where(rng.random(300) < 0.1, 0.9, 0.01)
    make_champion(project, lead, np.stack([1 - first, np.zeros(300), first], axis=1))
    plan.give_strata(project, 1)
    plan.rebuild(project)

    def strata() -> dict[int, int | None]:
        with project.database.read() as session:
            query = select(Post.id, PostGroup.stratum).join(PostGroup, PostGroup.id == Post.group_id)
            return dict(session.execute(query.where(PostGroup.split != "pool")).all())

    before = strata()
    assert set(before.values()) == {0, 3}
    assert all(before[post] == (3 if first[post - 1] > 0.5 else 0) for post in before)
    by_post = splits(project)
    served = [entry.post_id for entry in entries(project, "held_out") if by_post[entry.post_id] == "test"]
    rare = [before[post] == 3 for post in served]
    assert rare[: 2 * sum(rare)].count(True) == sum(rare)  # in turn for as long as there are any
    make_champion(project, lead, np.full((300, 3), 1 / 3), number=2)
    plan.give_strata(project, 2)
    assert strata() == before


def test_newer_imports_come_first_where_posts_arrive_daily(project: Project, lead: Account) -> None:
    texts = different_texts(80)
    for day in range(4):
        import_texts(project, lead, texts[20 * day : 20 * day + 20], start=20 * day + 1)
    with project.database.write() as session:
        for number, ago in ((1, 30), (2, 2), (3, 1), (4, 0)):
            session.get_one(Import, number).started_at = project.now() - timedelta(days=ago)
    prepare(project)
    make_champion(project, lead, np.full((80, 3), 1 / 3))
    old = [entry.post_id <= 20 for entry in entries(project, "uncertain")]
    assert old == sorted(old)
    assert any(old)
    with project.database.write() as session:
        session.get_one(Import, 2).started_at = project.now() - timedelta(days=30)
    plan.rebuild(project)  # two days are not daily
    again = [entry.post_id <= 20 for entry in entries(project, "uncertain")]
    assert again != sorted(again)
