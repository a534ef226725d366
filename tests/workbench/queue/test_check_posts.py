"""Which known posts are served to whom."""

from datetime import timedelta

from sqlalchemy import select

from db.queries.checks import gold_posts, own_posts
from db.tables import Claim
from tests.conftest import Clock
from tests.workbench.making import (
    COPIES,
    add_decision,
    add_label,
    import_texts,
    posts_of,
    ready_queue,
    serve_checks,
    settle_posts,
)
from tests.workbench.plans import plans_of
from workbench.accounts import Account
from workbench.imports.preparing import prepare
from workbench.labelling import answers, checks, guidelines
from workbench.project import Project
from workbench.queue import swap
from workbench.queue.check_posts import FEWEST_GOLD, GOLD, OWN_AFTER, OWN_AGAIN, SLOT
from workbench.review import rulings
from workbench.review.rulings import Draft

WEEK = OWN_AFTER.days


def claims_of(project: Project, account: Account) -> list[tuple[int, str, int]]:
    answers.hold_posts(project, account)
    with project.database.read() as session:
        rows = session.scalars(select(Claim).where(Claim.person_id == account.id).order_by(Claim.claimed_at))
        return [(claim.post_id, claim.lane, claim.slot) for claim in rows]


def kinds(project: Project, account: Account) -> list[str]:
    return [lane for _post, lane, _slot in claims_of(project, account)]


def gold(project: Project, account: Account) -> set[int]:
    with project.database.read() as session:
        return set(session.scalars(gold_posts(account.id, project.now())))


def own(project: Project, account: Account) -> set[int]:
    with project.database.read() as session:
        return set(session.scalars(own_posts(account.id, project.now() - OWN_AFTER, project.now())))


def test_settled_posts_are_served_in_place_of_others(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 60)
    settled = settle_posts(project, lead)
    serve_checks(project)
    served = claims_of(project, ann)
    assert [(lane, slot) for _post, lane, slot in served] == [(GOLD, SLOT)] * 2
    assert {post for post, _lane, _slot in served} <= set(settled)


def test_none_is_served_if_the_share_is_zero(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 60)
    settle_posts(project, lead)
    serve_checks(project, 0)
    assert GOLD not in kinds(project, ann)


def test_the_share_is_kept_and_the_lanes_still_take_turns(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 400)
    settle_posts(project, lead, 120)
    serve_checks(project, 20)
    served = []
    for _ in range(200):
        (post, lane, _slot), *_rest = claims_of(project, ann)
        served.append(lane)
        clock.move(seconds=1)
        answers.submit(project, ann, post, "normal")
    assert 20 < served.count(GOLD) < 65
    assert {"held_out", "random"} < set(served)


def test_few_settled_posts_are_no_gold(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 60)
    settle_posts(project, lead, FEWEST_GOLD - 1)
    serve_checks(project)
    assert GOLD not in kinds(project, ann)


def test_without_a_post_to_label_none_is_served(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 60)
    settle_posts(project, lead)
    with project.database.write() as session:
        session.connection().exec_driver_sql("UPDATE queue_entry SET is_answered = 1")
    serve_checks(project)
    assert claims_of(project, ann) == []


def test_gold_is_not_served_to_those_who_know_the_post(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 60)
    settled = [*settle_posts(project, lead)]
    assert gold(project, ann) == set(settled)
    assert gold(project, lead) == set()
    add_label(project, ann, settled[0], "normal")
    add_label(project, ann, settled[1], "normal", origin="propagated")
    assert gold(project, ann) == set(settled[2:])
    serve_checks(project)
    (first, *_), (second, *_) = claims_of(project, ann)
    assert gold(project, ben) == set(settled) - {first, second}
    answers.submit(project, ann, first, "normal")
    answers.undo(project, ann)
    answers.skip(project, ann, first)
    assert first not in gold(project, ann)
    assert first in gold(project, ben)


def test_what_is_in_question_or_withdrawn_or_given_in_bulk_is_no_gold(
    project: Project, lead: Account, ann: Account, ben: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 60)
    settled = [*settle_posts(project, lead, 24)]
    clock.move(minutes=1)
    add_label(project, ben, settled[0], "violation", is_flagged=True)
    add_decision(project, lead, settled[1], None)
    add_decision(project, lead, settled[2], "normal", occasion="bulk")
    add_decision(project, lead, settled[3], "normal", occasion="doubt")
    assert gold(project, ann) == set(settled[4:])


def test_held_out_posts_and_near_copies_are_no_checks(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 60)
    import_texts(project, lead, COPIES, start=61)
    prepare(project)
    swap.rebuild(project)
    held_out = posts_of(project, "test")[0]
    for post in (held_out, 61, 62):
        add_decision(project, lead, post, "normal")
        add_label(project, ann, post, "normal", lane="held_out", guideline_version=1)
    clock.move(days=WEEK)
    assert gold(project, lead) == gold(project, ann) == own(project, ann) == set()


def test_ones_own_posts_come_again_after_a_week_and_once(
    project: Project, lead: Account, ann: Account, ben: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 60)
    one, other = posts_of(project, "pool")[:2]
    add_label(project, ann, one, "normal", guideline_version=1)
    add_label(project, ben, other, "normal", guideline_version=1)
    clock.moment += OWN_AFTER - timedelta(minutes=1)
    assert own(project, ann) == set()
    clock.move(minutes=1)
    assert (own(project, ann), own(project, ben)) == ({one}, {other})
    serve_checks(project)
    served = claims_of(project, ann)
    assert served[0] == (one, OWN_AGAIN, SLOT)
    assert not answers.submit(project, ann, one, "violation").is_late
    assert own(project, ann) == set()


def test_a_new_version_of_the_guidelines_makes_ones_own_posts_old(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 60)
    one, other = posts_of(project, "pool")[:2]
    add_label(project, ann, one, "normal", guideline_version=1)
    guidelines.publish(project, lead, "new")
    add_label(project, ann, other, "normal", guideline_version=2)
    clock.move(days=WEEK)
    assert own(project, ann) == {other}


def test_a_ruling_makes_only_the_posts_old_that_it_touches(
    project: Project, lead: Account, ann: Account, ben: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 60)
    one, other, asked = posts_of(project, "pool")[:3]
    for post in (one, other):
        add_label(project, ann, post, "normal", guideline_version=1)
    add_label(project, ben, asked, "normal", guideline_version=1, is_flagged=True)
    draft = Draft("数字代称", "用数字写的脏话", "violation", asked, examples=frozenset({other}))
    ruling = rulings.settle(project, lead, draft)
    clock.move(days=WEEK)
    assert own(project, ann) == {one}
    rulings.withdraw(project, lead, ruling)
    clock.move(seconds=1)
    assert own(project, ann) == {one}


def test_a_resolved_a_flagged_or_an_imported_label_is_not_ones_own(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 60)
    resolved, flagged, imported = posts_of(project, "pool")[:3]
    for post, columns in {
        resolved: {},
        flagged: {"is_flagged": True},
        imported: {"origin": "import"},
    }.items():
        add_label(project, ann, post, "normal", guideline_version=1, **columns)
    clock.move(days=WEEK)
    assert own(project, ann) == {resolved}
    add_decision(project, lead, resolved, "normal")
    assert own(project, ann) == set()


def test_a_check_post_leaves_the_desk_when_its_label_is_withdrawn(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead, 60)
    settle_posts(project, lead)
    serve_checks(project)
    (post, _lane, _slot), *_rest = claims_of(project, ann)
    add_decision(project, lead, post, None)
    assert post not in {other for other, _lane, _slot in claims_of(project, ann)}


def test_an_undo_leaves_one_claim_on_a_post_that_is_a_check_and_ones_own(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 60)
    serve_checks(project, 0)
    while (post := answers.hold_posts(project, ann)[0].post_id) not in posts_of(project, "pool"):
        answers.submit(project, ann, post, "normal")
    answers.submit(project, ann, post, "normal")
    answers.release(project, ann)
    clock.move(days=WEEK)
    serve_checks(project)
    assert (post, OWN_AGAIN, SLOT) in claims_of(project, ann)
    assert answers.undo(project, ann) == post
    held = claims_of(project, ann)
    assert [slot for other, _lane, slot in held if other == post] == [0]
    assert held[0][0] == post
    answers.submit(project, ann, post, "violation")
    with project.database.read() as session:
        assert checks.last_standing(session, ann.id) is None


def test_each_reading_seeks_in_an_index(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 60)
    settle_posts(project, lead)
    now = project.now()
    plans = [
        *plans_of(project, lambda session: session.scalars(gold_posts(ann.id, now).limit(9)).all()),
        *plans_of(project, lambda session: session.scalars(own_posts(ann.id, now, now).limit(9)).all()),
    ]
    assert len(plans) == 2
    assert "ix_resolution_review" in " ".join(plans[0])
    assert "ix_annotation_saved_at (person_id=? AND saved_at<?)" in " ".join(plans[1])
    steps = [step for plan in plans for step in plan]
    allowed = (
        "SCAN resolution USING INDEX ix_resolution_review",
        "ix_annotation_flagged",
        "ix_check_answer_flagged",
        "SCAN ruling",  # a few rows
    )
    assert [
        step for step in steps if step.startswith("SCAN ") and not any(name in step for name in allowed)
    ] == []
