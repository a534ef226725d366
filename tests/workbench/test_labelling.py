"""Labelling loses nothing, repeats nothing and never gives one post to two people."""

import multiprocessing
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from db.queries import current_labels
from db.tables import Annotation, Claim, Person, Post, PostGroup
from tests.conftest import Clock
from tests.workbench.making import make_champion, ready_queue
from workbench import accounts, labelling
from workbench.accounts import Account
from workbench.errors import LabellingError, NotAllowedError
from workbench.project import Project, open_project


def standing(project: Project) -> list[tuple[int, str]]:
    with project.database.read() as session:
        rows = session.scalars(current_labels().order_by(Annotation.id))
        return [(row.post_id, str(row.label)) for row in rows]


def first(project: Project, account: Account) -> labelling.Card:
    return labelling.hold_posts(project, account)[0]


def test_a_person_holds_the_post_on_screen_and_the_next(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    held = labelling.hold_posts(project, ann)
    assert len(held) == 2
    assert labelling.hold_posts(project, ann) == held
    saved = labelling.submit(project, ann, held[0].post_id, "violation")
    assert (saved.label, saved.is_second_opinion) == ("violation", False)
    assert first(project, ann).post_id == held[1].post_id
    assert standing(project) == [(held[0].post_id, "violation")]


def test_two_people_never_hold_the_same_post(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 12)
    anns = {card.post_id for card in labelling.hold_posts(project, ann)}
    bens = {card.post_id for card in labelling.hold_posts(project, ben)}
    assert anns & bens == set()


def test_a_second_answer_to_the_same_post_is_refused(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead)
    post = first(project, ann).post_id
    labelling.submit(project, ann, post, "normal")
    with pytest.raises(LabellingError, match="answered this post already"):
        labelling.submit(project, ann, post, "violation")
    assert standing(project) == [(post, "normal")]


def test_a_post_one_was_never_given_cannot_be_labelled(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead)
    held = {card.post_id for card in labelling.hold_posts(project, ann)}
    other = next(number for number in range(1, 41) if number not in held)
    with pytest.raises(LabellingError, match="not on your desk"):
        labelling.submit(project, ann, other, "normal")
    with pytest.raises(LabellingError, match="no label spam"):
        labelling.submit(project, ann, next(iter(held)), "spam")
    assert standing(project) == []


def test_undo_goes_back_any_number_of_steps_and_brings_the_post_back(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    answered = []
    for label in ("normal", "violation", "suspicious"):
        card = first(project, ann)
        labelling.submit(project, ann, card.post_id, label)
        answered.append(card.post_id)
    for post in reversed(answered):
        assert labelling.undo(project, ann) == post
        assert first(project, ann).post_id == post
    assert standing(project) == []
    with pytest.raises(LabellingError, match="nothing to undo"):
        labelling.undo(project, ann)
    assert len(labelling.hold_posts(project, ann)) <= 4
    labelling.submit(project, ann, answered[0], "suspicious")
    assert standing(project) == [(answered[0], "suspicious")]
    with project.database.read() as session:
        assert (
            len(session.scalars(select(Annotation)).all()) == 7
        )  # three answers, three undos, one more answer


def test_a_changed_mind_supersedes_and_says_that_the_suggestion_was_visible(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    make_champion(project, lead, np.full((40, 3), 1 / 3))
    saved = labelling.submit(project, ann, first(project, ann).post_id, "normal")
    assert saved.suggestion is not None
    changed = labelling.change(project, ann, saved.annotation_id, "violation")
    assert standing(project) == [(saved.post_id, "violation")]
    with project.database.read() as session:
        rows = session.scalars(select(Annotation).order_by(Annotation.id)).all()
    assert [row.was_suggestion_visible for row in rows] == [False, True]
    with pytest.raises(LabellingError, match="changed already"):
        labelling.change(project, ann, saved.annotation_id, "normal")
    assert changed.label == "violation"


def test_a_skipped_post_goes_to_somebody_else(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 3)
    seen = set()
    while cards := labelling.hold_posts(project, ann):
        labelling.skip(project, ann, cards[0].post_id, "unclear")
        seen.add(cards[0].post_id)
    assert {card.post_id for card in labelling.hold_posts(project, ben)} <= seen
    assert standing(project) == []


def test_taking_back_a_skip_leaves_the_post_with_whoever_has_it_now(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 3)
    post = first(project, ann).post_id
    labelling.skip(project, ann, post)
    labelling.release(project, ann)
    bens = labelling.hold_posts(project, ben)
    assert post in {card.post_id for card in bens}
    labelling.undo(project, ann)
    assert labelling.hold_posts(project, ben) == bens
    assert not labelling.submit(project, ben, post, "normal").is_second_opinion


def test_a_claim_expires_and_the_late_answer_is_kept_as_a_second_opinion(
    project: Project, lead: Account, ann: Account, ben: Account, clock: Clock
) -> None:
    ready_queue(project, lead)
    post = first(project, ann).post_id
    clock.move(minutes=project.settings.claim_minutes + 1)
    assert post in {card.post_id for card in labelling.hold_posts(project, ben)}
    labelling.submit(project, ben, post, "normal")
    late = labelling.submit(project, ann, post, "violation")
    assert late.is_second_opinion
    assert standing(project) == [(post, "normal"), (post, "violation")]


def test_an_expired_claim_nobody_took_still_counts(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead)
    post = first(project, ann).post_id
    clock.move(hours=5)
    assert not labelling.submit(project, ann, post, "normal").is_second_opinion


def test_one_post_in_five_is_held_out_and_blind(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 300)
    make_champion(project, lead, np.full((300, 3), 1 / 3))
    lanes = []
    for _ in range(20):
        saved = labelling.submit(project, ann, first(project, ann).post_id, "normal")
        lanes.append(saved.lane)
        assert (saved.suggestion is None) == (saved.lane == "held_out")
    assert Counter(lanes) == {"uncertain": 14, "random": 2, "held_out": 4}


def test_claims_survive_a_rebuild_of_the_queue(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead)
    held = labelling.hold_posts(project, ann)
    make_champion(project, lead, np.full((40, 3), 1 / 3))
    assert labelling.hold_posts(project, ann) == held


def test_signing_out_gives_the_posts_back(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead)
    labelling.hold_posts(project, ann)
    labelling.release(project, ann)
    with project.database.read() as session:
        assert session.scalars(select(Claim)).all() == []


def test_a_disabled_person_can_no_longer_label(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead)
    post = first(project, ann).post_id
    with project.database.write() as session:
        session.get_one(Person, ann.id).is_active = False
    with pytest.raises(NotAllowedError, match="signed out"):
        labelling.submit(project, ann, post, "normal")
    assert standing(project) == []


def _label_ten(home: Path, name: str, barrier: object, results: object) -> None:
    project = open_project(home)
    account = accounts.sign_in(project, name, "annotator")
    barrier.wait()  # type: ignore[attr-defined]
    done = []
    for _ in range(10):
        card = labelling.hold_posts(project, account)[0]
        labelling.submit(project, account, card.post_id, "normal")
        done.append(card.post_id)
    results.put(done)  # type: ignore[attr-defined]


def test_six_processes_label_at_once_and_no_post_twice(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_SECOND_OPINION_SHARE", "0")  # these are meant to bring a post twice
    ready_queue(project, lead, 120)
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(6), context.Queue()
    people = [
        context.Process(target=_label_ten, args=(project.home, f"person {number}", barrier, results))
        for number in range(6)
    ]
    for person in people:
        person.start()
    answered = [post for _ in people for post in results.get(timeout=60)]
    for person in people:
        person.join()
    assert len(answered) == len(set(answered)) == 60
    assert sorted(post for post, _ in standing(project)) == sorted(answered)


def labels_of_turns(project: Project, account: Account, count: int) -> list[str | None]:
    """The lanes of the next posts that this person labels."""
    lanes = []
    for _ in range(count):
        card = first(project, account)
        lanes.append(labelling.submit(project, account, card.post_id, "normal").lane)
    return lanes


def test_lanes_take_turns_by_the_settings(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 400)
    make_champion(project, lead, np.random.default_rng(0).dirichlet([1, 1, 1], 400))
    served = Counter(labels_of_turns(project, ann, 20))
    assert served["held_out"] == 4
    assert served["random"] == 2
    assert served["violation"] == 2
    assert served["uncertain"] == 12  # nobody else has labelled: second opinions pass their turn on


def test_a_second_opinion_is_asked_of_another_person_and_once(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    only = project.settings.model_copy(update={"second_opinion_share": 1_000_000, "held_out_share": 0})
    object.__setattr__(project, "settings", only)
    ready_queue(project, lead, 60)
    labelled = first(project, ann).post_id
    labelling.submit(project, ann, labelled, "violation")
    assert first(project, ann).post_id != labelled
    card = first(project, ben)
    assert card.post_id == labelled
    saved = labelling.submit(project, ben, card.post_id, "normal")
    assert (saved.lane, saved.is_second_opinion) == ("second_opinion", True)
    assert sorted(standing(project)) == [(labelled, "normal"), (labelled, "violation")]
    assert labelled not in {held.post_id for held in labelling.hold_posts(project, lead)}
    labelling.undo(project, ben)
    assert first(project, ben).post_id == labelled


def test_no_second_opinion_of_held_out_skipped_or_imported_answers(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    only = project.settings.model_copy(update={"second_opinion_share": 1_000_000, "held_out_share": 0})
    object.__setattr__(project, "settings", only)
    ready_queue(project, lead, 60)
    skipped = first(project, ann).post_id
    labelling.skip(project, ann, skipped)
    with project.database.read() as session:
        held_out = set(
            session.scalars(
                select(Post.id)
                .join(PostGroup, PostGroup.id == Post.group_id)
                .where(PostGroup.split != "pool")
            )
        )
    with project.database.write() as session:
        session.add(
            Annotation(
                post_id=min(held_out), person_id=ann.id, action="label", label="normal", label_set_id=1,
                lane="held_out", saved_at=project.now(),
            )
        )  # fmt: skip
    assert labelling.submit(project, ben, first(project, ben).post_id, "normal").lane != "second_opinion"
