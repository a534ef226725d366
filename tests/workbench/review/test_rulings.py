"""A ruling is saved with its guidelines and its case, and only the labels that it touches come back."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from db.tables import Annotation, AuditEntry, Guideline, Resolution, Ruling, RulingPost
from tests.conftest import Clock
from tests.workbench.making import add_decision, add_label, different_texts, import_texts, posts_of
from tests.workbench.review.ruled import WORDS, draft
from tests.workbench.team import member
from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.errors import InputError, LabellingError, NotAllowedError
from workbench.imports import search_index
from workbench.imports.preparing import prepare
from workbench.labelling import guidelines
from workbench.project import Project
from workbench.queue import swap
from workbench.review import cases, old_labels, resolutions, rulings, scope


@pytest.fixture
def filled(project: Project, lead: Account) -> Project:
    """Posts 1 to 20 are of the kind."""
    import_texts(project, lead, [f"{WORDS}{text}" for text in different_texts(20)])
    import_texts(project, lead, different_texts(40)[20:], start=100)
    prepare(project)
    search_index.index_missing(project)
    swap.rebuild(project)
    return project


@pytest.fixture
def of_kind(filled: Project) -> list[int]:
    return [post for post in posts_of(filled, "pool") if post <= 20]


@pytest.fixture
def case(filled: Project, ann: Account, ben: Account, of_kind: list[int]) -> int:
    """An open case: Ann and Ben judge it differently."""
    post = of_kind[0]
    add_label(filled, ann, post, "normal")
    add_label(filled, ben, post, "suspicious", slot=1)
    return post


def waiting(project: Project, lead: Account) -> set[int]:
    return {one.post_id for one in old_labels.old_labels(project, lead)}


def rows(project: Project) -> int:
    with project.database.read() as session:
        tables = (Ruling, RulingPost, Guideline, Resolution, AuditEntry)
        return sum(session.scalar(select(func.count()).select_from(table)) or 0 for table in tables)


def text_in_force(project: Project) -> str:
    with project.database.read() as session:
        return guidelines.text_in_force(session)


def test_one_step_publishes_the_guidelines_and_decides_the_case(
    filled: Project, lead: Account, ann: Account, case: int
) -> None:
    guidelines.publish(filled, lead, "no adverts")
    number = rulings.settle(filled, lead, draft(case, reason="引流广告"))
    assert text_in_force(filled) == (
        "no adverts\n\n—— Rulings ——\n\nhalf an address: violation (引流广告)\nPart of a contact address is an advert."
    )
    assert cases.open_cases(filled, lead) == []
    with filled.database.read() as session:
        decision = resolutions.decision_on(session, case)
        assert decision is not None
        assert (decision.label, decision.ruling_id, decision.reason) == (
            "violation",
            number,
            "half an address",
        )
        assert session.get_one(Ruling, number).guideline_version == guidelines.version_in_force(session)
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "make ruling")).one()
        assert entry.subject == f"ruling {number}"
        assert "address" not in str(
            entry.detail
        )  # the audit log is never deleted, and words may quote a post
        votes = session.scalars(select(Annotation.label).where(Annotation.post_id == case)).all()
    assert votes == ["normal", "suspicious"]


def test_labels_of_the_kind_come_back_and_others_do_not(
    filled: Project, lead: Account, ann: Account, case: int, of_kind: list[int]
) -> None:
    old, right, decided, other = of_kind[1], of_kind[2], of_kind[3], posts_of(filled, "pool")[-1]
    assert other > 20
    for post, label in ((old, "normal"), (right, "violation"), (decided, "violation"), (other, "normal")):
        add_label(filled, ann, post, label)
    add_decision(filled, lead, decided, "suspicious")
    seen = rulings.preview(filled, lead, draft(case))
    assert (seen.posts, {post.post_id for post in seen.shown}) == (2, {old, decided})
    rulings.settle(filled, lead, draft(case))
    assert waiting(filled, lead) == {old, decided}


def test_nothing_is_relabelled_by_itself(
    filled: Project, lead: Account, ann: Account, case: int, of_kind: list[int]
) -> None:
    add_label(filled, ann, of_kind[1], "normal")
    with filled.database.read() as session:
        before = session.execute(select(Annotation.__table__).order_by(Annotation.id)).all()
    rulings.settle(filled, lead, draft(case))
    with filled.database.read() as session:
        assert session.execute(select(Annotation.__table__).order_by(Annotation.id)).all() == before
        assert session.scalars(select(Resolution.post_id)).all() == [case]


def test_a_label_given_under_the_new_guidelines_is_left_alone(
    filled: Project, lead: Account, ann: Account, case: int, of_kind: list[int]
) -> None:
    number = rulings.settle(filled, lead, draft(case))
    with filled.database.read() as session:
        version = session.get_one(Ruling, number).guideline_version
    add_label(filled, ann, of_kind[1], "normal", guideline_version=version)
    add_label(filled, ann, of_kind[2], "normal")  # from a label file: of no version
    assert rulings.look_again(filled, lead, number) == 1
    assert waiting(filled, lead) == {of_kind[2]}
    assert rulings.look_again(filled, lead, number) == 0


def test_an_answer_between_the_look_and_the_lock_comes_back_too(
    filled: Project,
    lead: Account,
    ann: Account,
    case: int,
    of_kind: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look: Callable[..., list[int]] = rulings._touched

    def look_slowly(*arguments: object) -> list[int]:
        posts = look(*arguments)
        add_label(filled, ann, of_kind[1], "normal")
        return posts

    monkeypatch.setattr(rulings, "_touched", look_slowly)
    rulings.settle(filled, lead, draft(case))
    assert waiting(filled, lead) == {of_kind[1]}


def test_a_pair_finds_posts_with_both_labels_and_narrows_a_search(
    filled: Project, lead: Account, ann: Account, ben: Account, case: int, of_kind: list[int]
) -> None:
    both, one, elsewhere = of_kind[1], of_kind[2], posts_of(filled, "pool")[-1]
    for post in (both, elsewhere):
        add_label(filled, ann, post, "normal")
        add_label(filled, ben, post, "suspicious", slot=1)
    add_label(filled, ann, one, "normal")
    pair = ("normal", "suspicious")
    found = [
        {post.post_id for post in rulings.preview(filled, lead, draft(case, labels=pair, words=words)).shown}
        for words in ("", WORDS)
    ]
    assert found == [{both, elsewhere}, {both}]


def test_chosen_cases_are_touched_whatever_they_say(
    filled: Project, lead: Account, ann: Account, case: int
) -> None:
    chosen = posts_of(filled, "pool")[-1]
    add_label(filled, ann, chosen, "normal")
    wanted = draft(case, words="", examples=frozenset({chosen}))
    number = rulings.settle(filled, lead, wanted)
    assert waiting(filled, lead) == {chosen}
    (listed,) = rulings.listed_rulings(filled, lead)
    assert listed.id == number
    assert {post.post_id for post in listed.examples} == {case, chosen}
    assert (listed.decided, listed.kept, listed.left) == (1, 0, 1)


def test_held_out_posts_come_back_only_once_they_were_served_blind(
    filled: Project, lead: Account, ann: Account, case: int
) -> None:
    blind, chosen = [
        post for post in posts_of(filled, "test") + posts_of(filled, "validation") if post <= 20
    ][:2]
    add_label(filled, ann, blind, "normal", lane="held_out")
    add_label(filled, ann, chosen, "normal")
    rulings.settle(filled, lead, draft(case))
    (one,) = old_labels.old_labels(filled, lead)
    assert (one.post_id, one.may_be_many) == (blind, False)


def test_more_labels_than_one_look_finds_come_with_the_next(
    filled: Project,
    lead: Account,
    ann: Account,
    case: int,
    of_kind: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (scope, rulings):
        monkeypatch.setattr(module, "AT_MOST", 3)
    for post in of_kind[1:]:
        add_label(filled, ann, post, "normal")
    seen = rulings.preview(filled, lead, draft(case))
    assert (seen.posts, seen.is_cut) == (3, True)
    number = rulings.settle(filled, lead, draft(case))
    found = [3]
    while found[-1]:
        assert waiting(filled, lead) == set(sorted(of_kind[1:], reverse=True)[: sum(found)])
        found.append(rulings.look_again(filled, lead, number))
    assert sum(found) == len(of_kind) - 1


def test_posts_that_are_not_indexed_yet_are_compared_too(
    filled: Project, lead: Account, ann: Account, case: int
) -> None:
    import_texts(filled, lead, [f"后来的{WORDS}一二三四五六"], start=900)
    prepare(filled)
    newest = max(posts_of(filled, "pool"))
    assert newest > 40
    add_label(filled, ann, newest, "normal")
    assert rulings.preview(filled, lead, draft(case)).posts == 1


def test_a_case_that_was_decided_meanwhile_leaves_nothing_behind(
    filled: Project, lead: Account, case: int
) -> None:
    resolutions.resolve(filled, lead, case, "normal")
    before = rows(filled)
    with pytest.raises(LabellingError, match="decided meanwhile"):
        rulings.settle(filled, lead, draft(case))
    assert rows(filled) == before
    with filled.database.read() as session:
        decision = resolutions.decision_on(session, case)
    assert decision is not None
    rulings.settle(filled, lead, draft(case), instead_of=decision.id)


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": " "},
        {"title": "x" * 81},
        {"kind": ""},
        {"kind": "x" * 1_001},
        {"words": "x" * 201},
        {"labels": ("normal", "normal")},
        {"labels": ("normal", "spam")},
        {"examples": frozenset(range(201))},
    ],
)
def test_an_incomplete_draft_is_refused(
    filled: Project, lead: Account, case: int, wrong: dict[str, object]
) -> None:
    for act in (rulings.preview, rulings.settle):
        with pytest.raises(InputError):
            act(filled, lead, replace(draft(case), **wrong))  # type: ignore[arg-type]


def test_leads_rule_and_reviewers_look_at_old_labels(
    filled: Project, lead: Account, ann: Account, case: int, of_kind: list[int]
) -> None:
    add_label(filled, ann, of_kind[1], "normal")
    number = rulings.settle(filled, lead, draft(case))
    reviewer = member(filled, "Zhou", "reviewer")
    for person in (ann, reviewer):
        for act in (
            partial(rulings.preview, filled, person, draft(case)),
            partial(rulings.settle, filled, person, draft(case)),
            partial(rulings.withdraw, filled, person, number),
            partial(rulings.look_again, filled, person, number),
        ):
            with pytest.raises(NotAllowedError, match="set the guidelines"):
                act()
    for look in (rulings.listed_rulings, old_labels.old_labels, old_labels.count_old_labels):
        assert look(filled, reviewer)
        with pytest.raises(NotAllowedError, match="review"):
            look(filled, ann)
    old_labels.settle(filled, reviewer, of_kind[1], "violation", ruling_id=number)
    with pytest.raises(LabellingError, match="no label spam"):
        rulings.settle(filled, lead, draft(case, "spam"))


def test_a_withdrawn_ruling_leaves_the_guidelines_and_the_list_and_keeps_decisions(
    filled: Project, lead: Account, ann: Account, case: int, of_kind: list[int]
) -> None:
    add_label(filled, ann, of_kind[1], "normal")
    guidelines.publish(filled, lead, "no adverts")
    first = rulings.settle(filled, lead, draft(case))
    second = rulings.settle(filled, lead, draft(of_kind[2], title="jokes", words="", label="normal"))
    rulings.withdraw(filled, lead, first)
    assert "half an address" not in text_in_force(filled)
    assert "jokes" in text_in_force(filled)
    assert waiting(filled, lead) == set()
    assert [(one.id, one.is_in_force) for one in rulings.listed_rulings(filled, lead)] == [
        (second, True),
        (first, False),
    ]
    with filled.database.read() as session:
        assert resolutions.decision_on(session, case) is not None
    for act in (rulings.withdraw, rulings.look_again):
        with pytest.raises(InputError, match=f"no ruling {first} in force"):
            act(filled, lead, first)
    rulings.withdraw(filled, lead, second)
    assert text_in_force(filled) == "no adverts"


def test_new_guidelines_keep_the_rulings_in_force(filled: Project, lead: Account, case: int) -> None:
    rulings.settle(filled, lead, draft(case))
    guidelines.publish(filled, lead, "no adverts")
    assert text_in_force(filled).startswith("no adverts\n\n—— Rulings ——\n\nhalf an address")
    guidelines.publish(filled, lead, text_in_force(filled).replace("half", "whole"))
    assert text_in_force(filled).count("half an address") == 1
    assert "whole" not in text_in_force(filled)


VOTES = st.dictionaries(
    st.integers(0, 7), st.tuples(st.sampled_from(LABELS), st.sampled_from([None, *LABELS])), max_size=8
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(votes=VOTES, label=st.sampled_from(LABELS))
def test_what_comes_back_is_what_counts_by_another_label(
    filled: Project,
    lead: Account,
    ann: Account,
    clock: Clock,
    votes: dict[int, tuple[str, str | None]],
    label: str,
) -> None:
    """A decision counts instead of the answer."""
    posts = posts_of(filled, "pool")[:8]
    case, *others = posts
    with filled.database.write() as session:
        for table in ("annotation", "resolution"):
            session.connection().exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_no_delete")
            session.connection().exec_driver_sql(f"DELETE FROM {table}")
    expected = set()
    for at, (answer, decision) in votes.items():
        post = posts[at]
        add_label(filled, ann, post, answer)
        if decision is not None and post != case:
            add_decision(filled, lead, post, decision)
        if post in others and (decision or answer) != label:
            expected.add(post)
    number = rulings.settle(filled, lead, draft(case, label))
    assert {one.post_id for one in old_labels.old_labels(filled, lead)} == expected
    rulings.withdraw(filled, lead, number)
