"""Search by people's labels and the model's scores, and the history of a post."""

from itertools import product

import numpy as np
import pytest
from sqlalchemy import select

from db.tables import Annotation, Post, PostGroup, Resolution
from tests.workbench.making import (
    COPIES,
    add_decision,
    add_label,
    different_texts,
    import_texts,
    make_champion,
    posts_of,
    write_tsv,
)
from tests.workbench.team import member
from workbench.accounts import Account
from workbench.errors import InputError, NotAllowedError
from workbench.imports.preparing import prepare
from workbench.labelling import answers
from workbench.labelling.files.mapping import parse_map
from workbench.labelling.label_files import import_labels
from workbench.posts.history import history_of
from workbench.posts.search import Filter, Hits, choices, count, find
from workbench.project import Project
from workbench.queue import swap
from workbench.review import resolutions

POSTS = 60


@pytest.fixture
def scored(project: Project, lead: Account, ann: Account, ben: Account) -> Project:
    """60 posts with scores; Ann and Ben have answered some."""
    import_texts(project, lead, different_texts(POSTS))
    prepare(project)
    make_champion(project, lead, np.random.default_rng(5).dirichlet([1, 1, 1], POSTS))
    for person, labels in ((ann, ["normal", "violation", "violation"]), (ben, ["suspicious", "violation"])):
        for label in labels:
            answers.submit(project, person, answers.hold_posts(project, person)[0].post_id, label)
    skipped = answers.skip(project, ben, answers.hold_posts(project, ben)[0].post_id)
    answers.give_reason(project, ben, skipped.annotation_id, "看不懂")
    return project


def numbers(project: Project, account: Account, **wanted: object) -> list[int]:
    ids: list[int] = []
    before = None
    while True:
        page = find(project, account, Filter(**wanted), before=before, most=7)
        ids += [post.post_id for post in page.posts]
        if page.after is None:
            return ids
        before = page.after


def expected_facts(project: Project) -> dict[int, dict[str, object]]:
    """Split, answers and decision of each post, from the tables."""
    by_post: dict[int, dict[str, object]] = {}
    with project.database.read() as session:
        rows = session.execute(
            select(Post.id, PostGroup.split).join(PostGroup, PostGroup.id == Post.group_id)
        )
        for post, split in rows:
            by_post[post] = {"split": split, "answers": []}
        superseded = set(session.scalars(select(Annotation.supersedes_id)))
        for one in session.scalars(select(Annotation)):
            if one.id not in superseded and one.action != "undo":
                by_post[one.post_id]["answers"].append(one)
        for one in session.scalars(select(Resolution).order_by(Resolution.id)):
            by_post[one.post_id]["decided"] = one.label
    return by_post


def labels_of(facts: dict[str, object]) -> set[str]:
    if facts.get("decided"):
        return {str(facts["decided"])}
    return {one.label for one in facts["answers"] if one.label}


def test_labels_and_who_gave_them_are_found_as_a_plain_look_finds_them(
    scored: Project, lead: Account, ann: Account, ben: Account
) -> None:
    everything = expected_facts(scored)
    for label in ("normal", "suspicious", "violation", "none"):
        expected = [
            post
            for post in sorted(everything, reverse=True)
            if (label in labels_of(everything[post]) if label != "none" else not labels_of(everything[post]))
        ]
        assert numbers(scored, lead, label=label) == expected
    for person, label in product((ann, ben), ("violation", None)):
        expected = [
            post
            for post in sorted(everything, reverse=True)
            if any(
                one.person_id == person.id and label in {None, one.label}
                for one in everything[post]["answers"]
            )
        ]
        assert expected
        assert numbers(scored, lead, label=label, annotator=person.id) == expected
    assert numbers(scored, lead) == sorted(everything, reverse=True)


def test_certainty_is_that_of_the_model_in_use_and_blind_posts_have_none(
    scored: Project, lead: Account
) -> None:
    everything = expected_facts(scored)
    tops = np.random.default_rng(5).dirichlet([1, 1, 1], POSTS).astype(np.float32).max(axis=1)
    expected = [
        post
        for post in sorted(everything, reverse=True)
        if 0.5 <= tops[post - 1] <= 0.7
        and (everything[post]["split"] == "pool" or labels_of(everything[post]))
    ]
    assert numbers(scored, lead, certainty=(0.5, 0.7)) == expected
    shown = {post.post_id: post.probabilities for post in find(scored, lead, Filter(), most=POSTS).posts}
    assert (
        {post for post, scores in shown.items() if scores is None}
        == {post for post, facts in everything.items() if facts["split"] != "pool" and not labels_of(facts)}
        != set()
    )


def test_a_filter_that_fits_little_ends_and_says_where_to_go_on(scored: Project, lead: Account) -> None:
    hits = find(scored, lead, Filter(certainty=(1, 1)), look_through=20)
    assert (list(hits.posts), hits.is_cut, hits.looked_at, hits.after) == ([], True, 20, POSTS - 19)
    end = find(scored, lead, Filter(certainty=(1, 1)), before=hits.after)
    assert (end.is_cut, end.after) == (False, None)


def test_hits_are_counted_up_to_a_limit(scored: Project, lead: Account, ann: Account) -> None:
    assert count(scored, lead, Filter()) == Hits(POSTS, is_exact=True)
    assert count(scored, lead, Filter(), most=POSTS) == Hits(POSTS, is_exact=True)
    assert count(scored, lead, Filter(), most=7) == Hits(7, is_exact=False)
    assert count(scored, lead, Filter(certainty=(1, 1)), look_through=20) == Hits(0, is_exact=False)
    with pytest.raises(NotAllowedError):
        count(scored, ann, Filter(lane="random"))


def test_lanes_and_rounds_are_those_of_answers_and_of_what_waits(scored: Project, lead: Account) -> None:
    with_lane = numbers(scored, lead, lane="uncertain")
    assert with_lane
    everything = expected_facts(scored)
    waits = {one.post_id for one in queue_entries(scored) if one.lane == "uncertain"}
    assert set(with_lane) == waits | {
        post for post, facts in everything.items() if any(one.lane == "uncertain" for one in facts["answers"])
    }
    for held_out in numbers(scored, lead, lane="held_out"):
        assert everything[held_out]["answers"]
    assert set(with_lane) <= set(numbers(scored, lead, round_number=1))
    assert numbers(scored, lead, round_number=2) == []
    assert list(choices(scored, lead).rounds) == [1]


def queue_entries(project: Project) -> list[object]:
    from db.tables import QueueEntry  # noqa: PLC0415

    with project.database.read() as session:
        return list(session.scalars(select(QueueEntry).where(~QueueEntry.is_answered)))


def test_annotators_see_texts_and_labels_and_nothing_else(scored: Project, ann: Account) -> None:
    shown = find(scored, ann, Filter(), most=POSTS).posts
    assert any(post.labels for post in shown)
    assert {(post.probabilities, post.lane, tuple(post.people)) for post in shown} == {(None, None, ())}
    for wanted in ({"certainty": (0, 1)}, {"lane": "random"}, {"round_number": 1}, {"annotator": 1}):
        with pytest.raises(NotAllowedError):
            find(scored, ann, Filter(**wanted))
    with pytest.raises(NotAllowedError):
        history_of(scored, ann, 1)


def test_a_leads_decision_stands_before_what_people_said(scored: Project, lead: Account) -> None:
    post = numbers(scored, lead, label="normal")[0]
    add_decision(scored, lead, post, "suspicious", reason="规则三")
    assert post in numbers(scored, lead, label="suspicious")
    assert post not in numbers(scored, lead, label="normal")
    event = history_of(scored, lead, post).events[-1]
    assert (event.kind, event.label, event.occasion, event.reason) == (
        "decided",
        "suspicious",
        "review",
        "规则三",
    )


def test_the_history_tells_every_row_a_post_ever_had(project: Project, lead: Account, ann: Account) -> None:
    import_texts(project, lead, [*COPIES, *different_texts(3)])
    prepare(project)
    swap.rebuild(project)
    with project.database.write() as session:
        # Only pool posts are served in the random lane of a cold start.
        for group in session.scalars(select(PostGroup)):
            group.split = "pool"
    swap.rebuild(project)
    while True:
        card = answers.hold_posts(project, ann)[0]
        if card.text in COPIES:
            break
        answers.skip(project, ann, card.post_id)
    answers.submit(project, ann, card.post_id, "violation", note="像广告")
    answers.undo(project, ann)
    answer = answers.submit(project, ann, card.post_id, "normal")
    answer = answers.change(project, ann, answer.annotation_id, "violation")
    answer = answers.give_reason(project, ann, answer.annotation_id, "引流广告")
    answers.propagate(project, ann, answer.annotation_id, range(1, 1_000))
    file = write_tsv(project.home / "l.tsv", [{"id": card.external_id, "label": "violation"}])
    import_labels(project, lead, file, mapping=parse_map(None), source="modlog")
    history = history_of(project, lead, card.external_id)
    assert [(event.kind, event.label, event.was) for event in history.events] == [
        ("labelled", "violation", None),
        ("took back", None, "violation"),
        ("labelled", "normal", None),
        ("changed", "violation", "normal"),
        ("added to", "violation", None),
        ("brought in", "violation", None),
    ]
    assert (history.events[0].note, history.events[4].reason, history.events[5].source) == (
        "像广告",
        "引流广告",
        "modlog",
    )
    assert {one.text for one in history.copies} == set(COPIES) - {card.text}
    assert history.copies_in_all == 2
    assert history.came_with.file_name == "posts-1.tsv"
    copy = history_of(project, lead, history.copies[0].external_id)
    assert [(event.kind, event.from_post) for event in copy.events] == [("given", card.external_id)]
    assert history_of(project, lead, card.post_id) == history
    assert history.to_dict()["events"][0]["at"] == history.events[0].at.isoformat()


def test_the_history_has_each_rounds_scores_but_not_of_a_post_that_waits_blind(
    scored: Project, lead: Account
) -> None:
    first = np.random.default_rng(5).dirichlet([1, 1, 1], POSTS)
    second = np.random.default_rng(6).dirichlet([1, 1, 1], POSTS)
    make_champion(scored, lead, second, number=2)
    for post, facts in expected_facts(scored).items():
        history = history_of(scored, lead, post)
        if facts["split"] != "pool" and not labels_of(facts):
            assert history.is_blind
            assert not history.scores
        else:
            assert [(score.number, score.is_in_use) for score in history.scores] == [(2, True), (1, False)]
            np.testing.assert_allclose(history.scores[0].probabilities, second[post - 1], atol=1e-6)
            np.testing.assert_allclose(history.scores[1].probabilities, first[post - 1], atol=1e-6)


@pytest.mark.parametrize("how", ["flagged", "disputed", "taken back"])
def test_a_held_out_post_a_lead_is_to_decide_stays_blind_for_everybody(
    scored: Project, lead: Account, ann: Account, ben: Account, how: str
) -> None:
    post = posts_of(scored, "test")[-1]

    def answer(person: Account, label: str, *, slot: int = 0, is_flagged: bool = False) -> None:
        add_label(scored, person, post, label, lane="held_out", slot=slot, is_flagged=is_flagged)

    def seen() -> tuple[bool, list[str], bool, set[str | None], bool]:
        (one,) = [one for one in find(scored, lead, Filter(), most=POSTS).posts if one.post_id == post]
        history = history_of(scored, lead, post)
        assert one.is_blind == history.is_blind
        is_found = post in numbers(scored, lead, annotator=ann.id)
        names = {event.who for event in history.events}
        return one.probabilities is not None, list(one.people), bool(history.scores), names, is_found

    nothing = (False, [], False, {None}, False)
    answer(ann, "normal", is_flagged=how == "flagged")
    if how == "disputed":
        answer(ben, "violation", slot=1)
    if how == "taken back":
        assert seen() == (True, ["Ann"], True, {"Ann"}, True)
        resolutions.resolve(scored, lead, post, "normal")
        resolutions.take_back(scored, lead, post)
    assert seen() == nothing
    resolutions.resolve(scored, lead, post, "violation")
    told_now = seen()
    assert (told_now[0], told_now[2], told_now[4]) == (True, True, True)
    assert {"Ann", lead.name} <= told_now[3]


def test_what_is_not_there_is_refused_in_one_sentence(scored: Project, lead: Account) -> None:
    for wrong in ("nobody", "999", 10**30, "9" * 30):
        with pytest.raises(InputError, match="There is no post"):
            history_of(scored, lead, wrong)
    with pytest.raises(InputError, match="There is no label spam"):
        Filter(label="spam")


def test_who_has_judged_a_held_out_post_is_told_no_scores_and_somebody_else_is(
    scored: Project, lead: Account
) -> None:
    """They can still change their answer, which must stay blind."""
    boss = member(scored, "Boss", "lead")
    post = next(
        post
        for post, facts in expected_facts(scored).items()
        if facts["split"] == "test" and not labels_of(facts)
    )
    add_label(scored, boss, post, "normal", lane="held_out")
    assert history_of(scored, boss, post).is_blind
    assert not history_of(scored, boss, post).scores
    assert history_of(scored, lead, post).scores
