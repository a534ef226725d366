"""Labelling loses and repeats no answer and never gives one post to two people."""

import multiprocessing
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from db.queries.standing import current_labels
from db.tables import Annotation, Claim, Draft, Person, Post, PostGroup, QueueEntry
from tests.conftest import Clock
from tests.workbench.making import COPIES, add_label, import_texts, make_champion, ready_queue, write_tsv
from tests.workbench.team import member
from workbench.accounts import Account
from workbench.errors import LabellingError, NotAllowedError
from workbench.exports.jsonl import labelled_posts
from workbench.imports.preparing import prepare
from workbench.labelling import answers, empty_queue
from workbench.labelling.files.mapping import parse_map
from workbench.labelling.label_files import import_labels
from workbench.project import Project, open_project
from workbench.queue import plan, swap
from workbench.queue.claims import POSTS_HELD
from workbench.review import cases


def standing(project: Project) -> list[tuple[int, str]]:
    with project.database.read() as session:
        rows = session.scalars(current_labels().order_by(Annotation.id))
        return [(row.post_id, str(row.label)) for row in rows]


def first(project: Project, account: Account) -> answers.Card:
    return answers.hold_posts(project, account)[0]


def test_a_person_holds_the_post_on_screen_and_the_next(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    held = answers.hold_posts(project, ann)
    assert len(held) == 2
    assert answers.hold_posts(project, ann) == held
    saved = answers.submit(project, ann, held[0].post_id, "violation")
    assert (saved.label, saved.is_second_opinion) == ("violation", False)
    assert first(project, ann).post_id == held[1].post_id
    assert standing(project) == [(held[0].post_id, "violation")]


def test_two_people_never_hold_the_same_post(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 12)
    anns = {card.post_id for card in answers.hold_posts(project, ann)}
    bens = {card.post_id for card in answers.hold_posts(project, ben)}
    assert anns & bens == set()


def test_a_second_answer_to_the_same_post_is_refused(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead)
    post = first(project, ann).post_id
    answers.submit(project, ann, post, "normal")
    with pytest.raises(LabellingError, match="answered this post already"):
        answers.submit(project, ann, post, "violation")
    assert standing(project) == [(post, "normal")]


def test_a_post_one_was_never_given_cannot_be_labelled(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead)
    held = {card.post_id for card in answers.hold_posts(project, ann)}
    other = next(number for number in range(1, 41) if number not in held)
    with pytest.raises(LabellingError, match="not on your desk"):
        answers.submit(project, ann, other, "normal")
    with pytest.raises(LabellingError, match="no label spam"):
        answers.submit(project, ann, next(iter(held)), "spam")
    assert standing(project) == []


def test_undo_goes_back_any_number_of_steps_and_brings_the_post_back(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    answered = []
    for label in ("normal", "violation", "suspicious"):
        card = first(project, ann)
        answers.submit(project, ann, card.post_id, label)
        answered.append(card.post_id)
    for post in reversed(answered):
        assert answers.undo(project, ann) == post
        assert first(project, ann).post_id == post
    assert standing(project) == []
    with pytest.raises(LabellingError, match="nothing to undo"):
        answers.undo(project, ann)
    assert len(answers.hold_posts(project, ann)) == POSTS_HELD
    answers.submit(project, ann, answered[0], "suspicious")
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
    saved = answers.submit(project, ann, first(project, ann).post_id, "normal")
    assert saved.suggestion is not None
    changed = answers.change(project, ann, saved.annotation_id, "violation")
    assert standing(project) == [(saved.post_id, "violation")]
    with project.database.read() as session:
        rows = session.scalars(select(Annotation).order_by(Annotation.id)).all()
    assert [row.was_suggestion_visible for row in rows] == [False, True]
    with pytest.raises(LabellingError, match="changed already"):
        answers.change(project, ann, saved.annotation_id, "normal")
    assert changed.label == "violation"


def test_a_skipped_post_goes_to_somebody_else(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 3)
    seen = set()
    while cards := answers.hold_posts(project, ann):
        answers.skip(project, ann, cards[0].post_id)
        seen.add(cards[0].post_id)
    assert {card.post_id for card in answers.hold_posts(project, ben)} <= seen
    assert standing(project) == []


def test_taking_back_a_skip_leaves_the_post_with_whoever_has_it_now(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 3)
    post = first(project, ann).post_id
    answers.skip(project, ann, post)
    answers.release(project, ann)
    bens = answers.hold_posts(project, ben)
    assert post in {card.post_id for card in bens}
    answers.undo(project, ann)
    assert answers.hold_posts(project, ben) == bens
    assert not answers.submit(project, ben, post, "normal").is_second_opinion


def test_a_claim_expires_and_the_late_answer_is_kept_as_a_second_opinion(
    project: Project, lead: Account, ann: Account, ben: Account, clock: Clock
) -> None:
    ready_queue(project, lead)
    post = first(project, ann).post_id
    clock.move(minutes=project.settings.claim_minutes + 1)
    assert post in {card.post_id for card in answers.hold_posts(project, ben)}
    answers.submit(project, ben, post, "normal")
    late = answers.submit(project, ann, post, "violation")
    assert (late.is_second_opinion, late.is_late) == (True, True)
    assert standing(project) == [(post, "normal"), (post, "violation")]
    mine, theirs = rows_of(project, post)[::-1]
    assert mine.lane == theirs.lane
    assert mine.shown_at is not None


def test_an_expired_claim_nobody_took_still_counts(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead)
    post = first(project, ann).post_id
    clock.move(hours=5)
    assert not answers.submit(project, ann, post, "normal").is_second_opinion


def test_one_post_in_five_is_held_out_and_blind(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 300)
    make_champion(project, lead, np.full((300, 3), 1 / 3))
    lanes = []
    for _ in range(20):
        saved = answers.submit(project, ann, first(project, ann).post_id, "normal")
        lanes.append(saved.lane)
        assert (saved.suggestion is None) == (saved.lane == "held_out")
    assert Counter(lanes) == {"uncertain": 14, "random": 2, "held_out": 4}


def test_claims_survive_a_rebuild_of_the_queue(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead)
    held = answers.hold_posts(project, ann)
    make_champion(project, lead, np.full((40, 3), 1 / 3))
    assert answers.hold_posts(project, ann) == held


def test_signing_out_gives_the_posts_back(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead)
    answers.hold_posts(project, ann)
    answers.release(project, ann)
    with project.database.read() as session:
        assert session.scalars(select(Claim)).all() == []


def test_a_disabled_person_can_no_longer_label(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead)
    post = first(project, ann).post_id
    with project.database.write() as session:
        session.get_one(Person, ann.id).is_active = False
    with pytest.raises(NotAllowedError, match="signed out"):
        answers.submit(project, ann, post, "normal")
    assert standing(project) == []


def _label_ten(home: Path, name: str, barrier: object, results: object) -> None:
    project = open_project(home)
    account = member(project, name, "annotator")
    barrier.wait()  # type: ignore[attr-defined]
    done = []
    for _ in range(10):
        card = answers.hold_posts(project, account)[0]
        answers.submit(project, account, card.post_id, "normal")
        done.append(card.post_id)
    results.put(done)  # type: ignore[attr-defined]


def test_six_processes_label_at_once_and_no_post_twice(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_SECOND_OPINION_SHARE", "0")  # second opinions would serve a post twice
    ready_queue(project, lead, 120)
    context = multiprocessing.get_context("forkserver")  # imports their modules once, not six times
    context.set_forkserver_preload([__name__])
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
    lanes = []
    for _ in range(count):
        card = first(project, account)
        lanes.append(answers.submit(project, account, card.post_id, "normal").lane)
    return lanes


def test_lanes_take_turns_by_the_settings(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 400)
    make_champion(project, lead, np.random.default_rng(0).dirichlet([1, 1, 1], 400))
    served = Counter(labels_of_turns(project, ann, 20))
    assert served["held_out"] == 4
    assert served["random"] == 2
    assert served["violation"] == 2
    assert served["uncertain"] == 12  # no other annotator has labelled: second opinions pass their turn on


def test_a_second_opinion_is_asked_of_another_person_and_once(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    only = project.settings.model_copy(update={"second_opinion_share": 1_000_000, "held_out_share": 0})
    object.__setattr__(project, "settings", only)
    ready_queue(project, lead, 60)
    labelled = first(project, ann).post_id
    answers.submit(project, ann, labelled, "violation")
    assert first(project, ann).post_id != labelled
    card = first(project, ben)
    assert card.post_id == labelled
    saved = answers.submit(project, ben, card.post_id, "normal")
    assert (saved.lane, saved.is_second_opinion) == ("second_opinion", True)
    assert sorted(standing(project)) == [(labelled, "normal"), (labelled, "violation")]
    assert labelled not in {held.post_id for held in answers.hold_posts(project, lead)}
    answers.undo(project, ben)
    assert first(project, ben).post_id == labelled


def test_no_second_opinion_of_held_out_skipped_or_imported_answers(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    only = project.settings.model_copy(update={"second_opinion_share": 1_000_000, "held_out_share": 0})
    object.__setattr__(project, "settings", only)
    ready_queue(project, lead, 60)
    skipped = first(project, ann).post_id
    answers.skip(project, ann, skipped)
    with project.database.read() as session:
        held_out = set(
            session.scalars(
                select(Post.id)
                .join(PostGroup, PostGroup.id == Post.group_id)
                .where(PostGroup.split != "pool")
            )
        )
    add_label(project, ann, min(held_out), "normal", lane="held_out")
    assert answers.submit(project, ben, first(project, ben).post_id, "normal").lane != "second_opinion"


def rows_of(project: Project, post: int) -> list[Annotation]:
    with project.database.read() as session:
        return list(
            session.scalars(select(Annotation).where(Annotation.post_id == post).order_by(Annotation.id))
        )


def is_open(project: Project, post: int) -> bool:
    with project.database.read() as session:
        return not session.get_one(QueueEntry, post).is_answered


def test_the_queue_knows_what_is_answered_through_every_change(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    post = first(project, ann).post_id
    assert is_open(project, post)
    saved = answers.submit(project, ann, post, "normal")
    assert not is_open(project, post)
    answers.change(project, ann, saved.annotation_id, "violation")
    assert not is_open(project, post)
    answers.undo(project, ann)
    assert is_open(project, post)
    answers.skip(project, ann, post)
    assert is_open(project, post)


def test_an_answer_given_while_the_queue_is_made_anew_is_not_served_again(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    planned = plan.plan(project, None)
    post = first(project, ann).post_id
    answers.submit(project, ann, post, "normal")
    with swap.replacing(project, planned):
        pass
    assert not is_open(project, post)


def test_asking_the_lead_passes_the_post_on_with_its_note(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    post = first(project, ann).post_id
    answers.keep_draft(project, ann, post, "is this an advert?")
    saved = answers.ask_lead(project, ann, post)
    assert (saved.label, saved.is_flagged, saved.note) == (None, True, "is this an advert?")
    assert first(project, ann).post_id != post
    (case,) = cases.open_cases(project, lead)
    assert (case.post_id, case.is_flagged) == (post, True)
    assert [(opinion.label, opinion.note) for opinion in case.opinions] == [(None, "is this an advert?")]
    with pytest.raises(NotAllowedError):
        cases.open_cases(project, ann)
    answers.undo(project, ann)
    assert cases.open_cases(project, lead) == []


def test_an_answer_can_be_put_on_the_leads_list_and_stands(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    saved = answers.submit(project, ann, first(project, ann).post_id, "violation")
    flagged = answers.flag(project, ann, saved.annotation_id)
    assert (flagged.label, flagged.is_flagged) == ("violation", True)
    assert standing(project) == [(saved.post_id, "violation")]
    assert [case.post_id for case in cases.open_cases(project, lead)] == [saved.post_id]


def test_two_who_disagree_are_a_case_until_they_agree(
    project: Project, lead: Account, ann: Account, ben: Account, clock: Clock
) -> None:
    ready_queue(project, lead)
    post = first(project, ann).post_id
    clock.move(minutes=project.settings.claim_minutes + 1)
    assert post in {card.post_id for card in answers.hold_posts(project, ben)}
    answers.submit(project, ben, post, "normal")
    late = answers.submit(project, ann, post, "violation")
    (case,) = cases.open_cases(project, lead)
    assert {opinion.label for opinion in case.opinions} == {"violation", "normal"}
    answers.change(project, ann, late.annotation_id, "normal")
    assert cases.open_cases(project, lead) == []


def test_a_reason_comes_after_the_answer_and_goes_with_another_label(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    saved = answers.submit(project, ann, first(project, ann).post_id, "violation")
    reasoned = answers.give_reason(project, ann, saved.annotation_id, "辱骂")
    assert (reasoned.label, reasoned.reason) == ("violation", "辱骂")
    changed = answers.change(project, ann, reasoned.annotation_id, "normal")
    assert changed.reason is None
    skipped = answers.skip(project, ann, first(project, ann).post_id)
    assert answers.give_reason(project, ann, skipped.annotation_id, "看不懂").reason == "看不懂"
    again = answers.recent_answers(project, ann)[0]
    with pytest.raises(LabellingError, match="no answer to change"):
        answers.change(project, ann, again.annotation_id, "normal")


def test_the_last_ten_answers_can_be_changed_and_the_latest_act_comes_first(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead)
    for label in ("violation", *["normal"] * 10):
        answers.submit(project, ann, first(project, ann).post_id, label)
        clock.move(seconds=3)
    recent = answers.recent_answers(project, ann)
    assert [saved.label for saved in recent] == ["normal"] * 10
    changed = answers.change(project, ann, recent[4].annotation_id, "suspicious")
    assert answers.recent_answers(project, ann) == [changed, *recent[:4], *recent[5:]]
    assert [row.label for row in rows_of(project, changed.post_id)] == ["normal", "suspicious"]
    with pytest.raises(LabellingError, match="changed already"):
        answers.change(project, ann, recent[4].annotation_id, "violation")
    assert answers.undo(project, ann) == changed.post_id


def test_a_draft_survives_a_new_start_and_ends_with_the_answer(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    card = first(project, ann)
    answers.keep_draft(project, ann, card.post_id, "half a thou")
    project.database.dispose()
    assert first(project, ann) == replace(card, note="half a thou")
    saved = answers.submit(project, ann, card.post_id, "normal", note="half a thought")
    assert rows_of(project, card.post_id)[-1].note == saved.note == "half a thought"
    answers.undo(project, ann)
    assert first(project, ann).note == "half a thought"
    answers.keep_draft(project, ann, card.post_id, " ")
    assert first(project, ann).note == ""


def test_a_note_of_a_post_one_does_not_hold_is_not_kept(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead)
    post = first(project, ann).post_id
    answers.keep_draft(project, ben, post, "mine?")
    with project.database.read() as session:
        assert session.scalars(select(Draft)).all() == []


def test_a_lease_that_ran_out_unnoticed_brings_the_same_post_back(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead)
    held = [card.post_id for card in answers.hold_posts(project, ann)]
    clock.move(minutes=10 * project.settings.claim_minutes)
    assert [card.post_id for card in answers.hold_posts(project, ann)] == held


POSTS = (1, 2, 3)


@pytest.fixture
def copied(project: Project, lead: Account, ann: Account) -> answers.Saved:
    """Ann has labelled one of three near-copies a violation."""
    import_texts(project, lead, COPIES)
    prepare(project)
    swap.rebuild(project)
    return answers.submit(project, ann, first(project, ann).post_id, "violation")


def test_an_answer_is_given_to_its_near_copies_and_taken_back_with_it(
    copied: answers.Saved, project: Project, ann: Account
) -> None:
    assert copied.copies == 2
    assert sorted(copy.text for copy in answers.copies_of(project, ann, copied.annotation_id)) == sorted(
        text for text in COPIES if text != copied.text
    )
    given = answers.propagate(project, ann, copied.annotation_id, POSTS)
    assert (given.copies, given.propagated) == (0, 2)
    assert sorted(standing(project)) == [(1, "violation"), (2, "violation"), (3, "violation")]
    others = [row for post in (1, 2, 3) if post != copied.post_id for row in rows_of(project, post)]
    assert {(row.origin, row.propagated_from_id, row.lane) for row in others} == {
        ("propagated", copied.annotation_id, copied.lane)
    }
    assert answers.undo(project, ann) == copied.post_id
    assert standing(project) == []
    with pytest.raises(LabellingError, match="nothing to undo"):
        answers.undo(project, ann)


def test_near_copies_follow_a_changed_mind_and_weigh_one_together(
    copied: answers.Saved, project: Project, ann: Account
) -> None:
    given = answers.propagate(project, ann, copied.annotation_id, POSTS)
    changed = answers.change(project, ann, given.annotation_id, "normal")
    assert changed.propagated == 2
    assert {label for _, label in standing(project)} == {"normal"}
    with project.database.read() as session:
        posts = labelled_posts(session, 1)
    assert sum(post.line["weight"] for post in posts) == pytest.approx(1, abs=1e-5)
    assert answers.undo(project, ann) == copied.post_id
    assert standing(project) == []


def test_a_near_copy_with_a_label_of_its_own_keeps_it(
    copied: answers.Saved, project: Project, lead: Account, ann: Account
) -> None:
    other = next(number for number in (1, 2, 3) if number != copied.post_id)
    add_label(project, lead, other, "normal")
    assert answers.propagate(project, ann, copied.annotation_id, POSTS).propagated == 1
    assert (other, "normal") in standing(project)
    assert (other, "violation") not in standing(project)


def test_only_near_copies_that_were_seen_are_given_the_answer(
    copied: answers.Saved, project: Project, lead: Account, ann: Account
) -> None:
    seen = [copy.post_id for copy in answers.copies_of(project, ann, copied.annotation_id)]
    import_texts(project, lead, [f"{COPIES[0]}!!!"], start=10)
    prepare(project)
    given = answers.propagate(project, ann, copied.annotation_id, seen)
    assert (given.propagated, given.copies) == (2, 1)


def test_skipped_posts_come_back_when_asked_for(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 3)
    while cards := answers.hold_posts(project, ann):
        answers.skip(project, ann, cards[0].post_id)
    state = empty_queue.read_empty_queue(project, ann)
    assert (state.queued, state.skipped, list(state.held_by)) == (3, 3, [])
    assert answers.bring_back_skipped(project, ann) == 3
    assert len(answers.hold_posts(project, ann)) == 2


def test_the_empty_queue_names_who_holds_what(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 2)
    answers.hold_posts(project, ben)
    assert answers.hold_posts(project, ann) == []
    (holder,) = empty_queue.read_empty_queue(project, ann).held_by
    assert (holder.name, holder.posts) == ("Ben", 2)
    assert holder.until > project.now()


def test_a_suggestion_is_shown_before_the_answer_only_where_the_settings_say_so_and_never_blind(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead, 60)
    make_champion(project, lead, np.tile([0.3, 0.5, 0.2], (60, 1)))
    assert all(card.suggestion is None for card in answers.hold_posts(project, ann))
    open_eyed = project.settings.model_copy(update={"show_suggestion": True})
    object.__setattr__(project, "settings", open_eyed)
    seen: Counter[tuple[str, bool, bool]] = Counter()
    for _ in range(20):
        card = first(project, ann)
        saved = answers.submit(project, ann, card.post_id, "normal")
        row = rows_of(project, card.post_id)[-1]
        seen[str(saved.lane), card.suggestion is not None, row.was_suggestion_visible] += 1
    assert {(lane == "held_out", shown, recorded) for lane, shown, recorded in seen} == {
        (True, False, False),
        (False, True, True),
    }


def lapsed(project: Project, ann: Account, ben: Account, clock: Clock) -> int:
    """A post that was on Ann's screen and is now on Ben's."""
    post = first(project, ann).post_id
    clock.move(minutes=project.settings.claim_minutes + 1)
    assert post in {card.post_id for card in answers.hold_posts(project, ben)}
    return post


def test_a_post_that_is_taken_over_stays_on_screen_until_it_is_answered(
    project: Project, lead: Account, ann: Account, ben: Account, clock: Clock
) -> None:
    ready_queue(project, lead)
    post = lapsed(project, ann, ben, clock)
    answers.keep_draft(project, ann, post, "wait")
    cards = answers.hold_posts(project, ann, on_screen=post)
    assert (cards[0].post_id, cards[0].is_late, cards[0].note) == (post, True, "wait")
    assert answers.submit(project, ann, post, "normal").note == "wait"
    assert post not in {card.post_id for card in answers.hold_posts(project, ann, on_screen=post)}


def test_nobody_answers_what_somebody_else_was_given(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead)
    post = first(project, ann).post_id
    with pytest.raises(LabellingError, match="not on your desk"):
        answers.submit(project, ben, post, "normal")
    answers.submit(project, ann, post, "normal")
    with pytest.raises(LabellingError, match="not on your desk"):
        answers.submit(project, ben, post, "normal")


def test_what_the_model_thinks_is_told_with_a_label_alone_and_stays_told_after_undo(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    make_champion(project, lead, np.tile([0.3, 0.5, 0.2], (40, 1)))
    while (card := first(project, ann)) and answers.skip(project, ann, card.post_id).lane == "held_out":
        pass
    assert answers.recent_answers(project, ann)[0].suggestion is None
    post = answers.undo(project, ann)
    assert answers.submit(project, ann, post, "normal").suggestion is not None
    answers.undo(project, ann)
    answers.submit(project, ann, post, "suspicious")
    assert [(row.action, row.was_suggestion_visible) for row in rows_of(project, post)] == [
        ("skip", False),
        ("undo", False),
        ("label", False),
        ("undo", True),
        ("label", True),
    ]


def test_questions_to_the_lead_stay_when_skipped_posts_come_back(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead, 3)
    answers.ask_lead(project, ann, first(project, ann).post_id, note="?")
    while cards := answers.hold_posts(project, ann):
        answers.skip(project, ann, cards[0].post_id, note="later")
    state = empty_queue.read_empty_queue(project, ann)
    assert (state.skipped, state.asked) == (2, 1)
    assert answers.bring_back_skipped(project, ann) == 2
    assert first(project, ann).note == "later"
    assert len(cases.open_cases(project, lead)) == 1


def test_the_first_blind_answer_to_a_held_out_post_is_no_second_opinion_of_a_log(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    while (card := first(project, ann)) and lane_of(project, card.post_id) != "held_out":
        answers.submit(project, ann, card.post_id, "normal")
    log = write_tsv(project.home / "log.tsv", [{"id": card.external_id, "label": "violation"}])
    import_labels(project, lead, log, mapping=parse_map(None), source="modlog")
    assert is_open(project, card.post_id)
    saved = answers.submit(project, ann, card.post_id, "normal")
    assert (saved.lane, saved.is_second_opinion, saved.is_late) == ("held_out", False, False)


def lane_of(project: Project, post: int) -> str:
    with project.database.read() as session:
        return session.get_one(QueueEntry, post).lane


def test_an_imported_label_is_not_asked_about_again(project: Project, lead: Account, ann: Account) -> None:
    only = project.settings.model_copy(update={"second_opinion_share": 1_000_000, "held_out_share": 0})
    object.__setattr__(project, "settings", only)
    ready_queue(project, lead)
    labels = [{"id": f"p{number}", "label": "normal"} for number in range(1, 41)]
    import_labels(project, lead, write_tsv(project.home / "all.tsv", labels), mapping=parse_map(None))
    assert answers.hold_posts(project, ann) == []


def test_the_same_label_again_is_no_change_and_keeps_its_reason(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    saved = answers.submit(project, ann, first(project, ann).post_id, "violation")
    reasoned = answers.give_reason(project, ann, saved.annotation_id, "辱骂")
    again = answers.change(project, ann, reasoned.annotation_id, "violation")
    assert again.reason == "辱骂"
    assert len(rows_of(project, saved.post_id)) == 2
