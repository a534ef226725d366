"""A lead's decision overrides the votes wherever labels count, and the votes stay."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, text, update

from db.queries.desk import unlabelled_copies
from db.queries.serving import second_opinions_wanted
from db.queries.standing import is_labelled, labelled_groups, standing_resolutions
from db.queries.training import labels_by_split
from db.tables import Annotation, Post, PostGroup, QueueEntry, Resolution
from tests.conftest import Clock
from tests.workbench.making import (
    COPIES,
    add_label,
    different_texts,
    import_texts,
    make_champion,
    posts_of,
    ready_queue,
)
from tests.workbench.plans import plans_of
from trainer.labels import LABELS, Label
from workbench.accounts import Account
from workbench.errors import LabellingError, NotAllowedError
from workbench.exports.jsonl import labelled_posts
from workbench.imports.preparing import prepare
from workbench.labelling import answers
from workbench.project import LABEL_SET_ID, Project
from workbench.queue import plan as queue_plan
from workbench.queue import status, swap
from workbench.queue.servable import read_servable
from workbench.review import cases, resolutions


def serve_blind(project: Project, person: Account, *posts: int) -> None:
    """Held-out posts are drawn and served, and the annotator sends them to a lead."""
    with project.database.write() as session:
        session.add_all(
            Annotation(
                post_id=post,
                person_id=person.id,
                action="skip",
                is_flagged=True,
                label_set_id=LABEL_SET_ID,
                lane="held_out",
                saved_at=project.now(),
            )
            for post in posts
        )


def entry_of(project: Project, post_id: int) -> bool:
    with project.database.read() as session:
        return session.get_one(QueueEntry, post_id).is_answered


def exported(project: Project) -> dict[str, dict[str, object]]:
    with project.database.read() as session:
        return {str(post.line["id"]): dict(post.line) for post in labelled_posts(session, 1)}


@pytest.fixture
def queued(project: Project, lead: Account) -> Project:
    ready_queue(project, lead, 120)
    return project


def test_the_export_takes_the_decision_and_keeps_the_votes(
    queued: Project, lead: Account, ann: Account, ben: Account
) -> None:
    post = posts_of(queued, "pool")[0]
    add_label(queued, ann, post, "normal")
    add_label(queued, ben, post, "violation")
    assert exported(queued)[f"p{post}"]["label"] == "violation"
    resolutions.resolve(queued, lead, post, "normal", reason="a quotation")
    line = exported(queued)[f"p{post}"]
    assert (line["label"], line["labels"], line["resolved_by"]) == (
        "normal",
        {"normal": 1, "violation": 1},
        lead.id,
    )
    resolutions.take_back(queued, lead, post)
    assert "resolved_by" not in exported(queued)[f"p{post}"]


def test_lane_and_source_are_told_of_what_counts_alone(queued: Project, lead: Account, ann: Account) -> None:
    def line(post: int) -> tuple[object, object]:
        return exported(queued)[f"p{post}"]["lane"], exported(queued)[f"p{post}"]["source"]

    post = answers.hold_posts(queued, ann)[0].post_id
    add_label(queued, lead, post, "normal", source="modlog")
    while (card := answers.hold_posts(queued, ann)[0]).post_id != post:
        answers.skip(queued, ann, card.post_id)
    saved = answers.submit(queued, ann, post, "violation")
    with queued.database.read() as session:
        lane = session.get_one(Annotation, saved.annotation_id).lane
    assert lane is not None
    assert line(post) == (lane, None)  # the moderation log is older, but an annotator's label outranks it
    resolutions.resolve(queued, lead, post, "normal")
    assert line(post) == (lane, None)
    logged = next(one for one in posts_of(queued, "pool") if one != post)
    add_label(queued, ann, logged, "normal", source="modlog")
    assert line(logged) == (None, "modlog")
    resolutions.resolve(queued, lead, logged, "violation")
    assert line(logged) == (None, None)
    asked = posts_of(queued, "test")[0]
    serve_blind(queued, ann, asked)
    resolutions.resolve(queued, lead, asked, "violation")
    assert line(asked) == ("held_out", None)


@pytest.mark.parametrize("split", ["pool", "validation", "test", "audit"])
def test_a_decision_alone_makes_a_post_labelled_in_every_split(
    queued: Project, lead: Account, ann: Account, split: str
) -> None:
    post = posts_of(queued, split)[0]
    add_label(queued, ann, post, "normal", source="modlog")
    if split != "pool":
        serve_blind(queued, ann, post)
    resolutions.resolve(queued, lead, post, "violation")
    with queued.database.read() as session:
        assert (split, "violation", 1) in session.execute(labels_by_split(LABELS)).all()
        assert session.get_one(Post, post).group_id in set(session.scalars(labelled_groups()))
    lines = exported(queued)
    assert (f"p{post}" in lines) == (split != "audit")
    swap.rebuild(queued)
    with queued.database.read() as session:
        assert session.get(QueueEntry, post) is None


def test_a_decided_post_leaves_the_queue_and_comes_back_when_it_is_taken_back(
    queued: Project, lead: Account, ann: Account
) -> None:
    post = answers.hold_posts(queued, ann)[1].post_id
    resolutions.resolve(queued, lead, post, "normal")
    assert entry_of(queued, post)
    resolutions.take_back(queued, lead, post)
    assert not entry_of(queued, post)
    with queued.database.read() as session:
        assert session.scalars(select(Resolution.label).where(Resolution.post_id == post)).all() == [
            "normal",
            None,
        ]


def test_a_decision_made_while_the_queue_is_built_is_not_lost(queued: Project, lead: Account) -> None:
    planned = queue_plan.plan(queued, None)
    post = planned.entries[0].post_id
    resolutions.resolve(queued, lead, post, "normal")
    with swap.replacing(queued, planned):
        pass
    assert entry_of(queued, post)


def test_an_answer_to_a_post_decided_meanwhile_is_kept_as_a_second_opinion(
    queued: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    card = answers.hold_posts(queued, ann)[0]
    resolutions.resolve(queued, lead, card.post_id, "normal")
    assert answers.submit(queued, ann, card.post_id, "violation").is_second_opinion
    resolutions.resolve(queued, lead, (held := answers.hold_posts(queued, ann)[0]).post_id, "normal")
    clock.move(hours=2)
    assert held.post_id not in {again.post_id for again in answers.hold_posts(queued, ann)}


def test_nobody_is_asked_a_second_time_about_a_decided_post(
    queued: Project, lead: Account, ann: Account, ben: Account
) -> None:
    post = posts_of(queued, "pool")[0]
    add_label(queued, ann, post, "normal")
    with queued.database.read() as session:
        assert session.scalars(second_opinions_wanted(ben.id, queued.now())).all() == [post]
    resolutions.resolve(queued, lead, post, "normal")
    with queued.database.read() as session:
        assert session.scalars(second_opinions_wanted(ben.id, queued.now())).all() == []


def test_a_decided_near_copy_is_given_nobodys_answer(project: Project, lead: Account) -> None:
    import_texts(project, lead, COPIES)
    prepare(project)
    resolutions.resolve(project, lead, 2, "normal")
    with project.database.read() as session:
        assert [row.id for row in session.execute(unlabelled_copies(1))] == [3]


def test_the_status_counts_a_decided_post_once(queued: Project, lead: Account, ann: Account) -> None:
    post = posts_of(queued, "pool")[0]
    add_label(queued, ann, post, "normal")
    before = status.read_status(queued)
    resolutions.resolve(queued, lead, post, "violation")
    after = status.read_status(queued)
    assert (before.labelled, after.labelled) == (1, 1)
    assert (before.labels["pool"], after.labels["pool"]) == ({"normal": 1}, {"violation": 1})


def test_two_leads_do_not_overwrite_each_other_unseen(queued: Project, lead: Account, ann: Account) -> None:
    post = posts_of(queued, "pool")[0]
    resolutions.resolve(queued, lead, post, "normal")
    with pytest.raises(LabellingError, match="decided meanwhile"):
        resolutions.resolve(queued, lead, post, "violation")
    resolutions.resolve(queued, lead, post, "violation", may_replace=True)
    with queued.database.read() as session:
        assert [row.label for row in session.scalars(standing_resolutions())] == ["violation"]
    with pytest.raises(NotAllowedError):
        resolutions.resolve(queued, ann, post, "normal", may_replace=True)
    with pytest.raises(LabellingError, match="no label 违规"):
        resolutions.resolve(queued, lead, post, "违规")
    with pytest.raises(LabellingError, match="no post 9999"):
        resolutions.resolve(queued, lead, 9_999, "normal")


@pytest.mark.parametrize("split", ["validation", "test", "audit"])
def test_a_held_out_post_is_decided_only_after_somebody_was_served_it(
    queued: Project, lead: Account, ann: Account, split: str
) -> None:
    post = posts_of(queued, split)[0]
    add_label(queued, ann, post, "normal", source="modlog")  # chosen, not drawn
    for may_replace in (False, True):
        with pytest.raises(LabellingError, match="only after an annotator was served it"):
            resolutions.resolve(queued, lead, post, "violation", may_replace=may_replace)
    serve_blind(queued, ann, post)
    resolutions.resolve(queued, lead, post, "violation")
    resolutions.take_back(queued, lead, post)
    answers.undo(queued, ann)
    with pytest.raises(LabellingError, match="only after an annotator was served it"):
        resolutions.resolve(queued, lead, post, "violation")


def test_a_post_that_is_not_prepared_is_not_decided(project: Project, lead: Account) -> None:
    import_texts(project, lead, different_texts(1))
    with pytest.raises(LabellingError, match="still being prepared"):
        resolutions.resolve(project, lead, 1, "normal")


def test_undo_goes_back_through_ones_own_decisions_of_that_occasion(queued: Project, lead: Account) -> None:
    for post in (1, 2):
        resolutions.resolve(queued, lead, post, "normal")
    resolutions.resolve(queued, lead, 3, "normal", occasion="doubt")
    assert [resolutions.undo(queued, lead, "review") for _ in range(2)] == [2, 1]
    with pytest.raises(LabellingError, match="nothing to undo"):
        resolutions.undo(queued, lead, "review")
    with queued.database.read() as session:
        assert [row.post_id for row in session.scalars(standing_resolutions())] == [3]


def test_a_case_is_told_without_names_until_it_is_decided(
    queued: Project, lead: Account, ann: Account
) -> None:
    post = answers.hold_posts(queued, ann)[0].post_id
    answers.ask_lead(queued, ann, post, note="advert?")
    (case,) = cases.open_cases(queued, lead)
    assert [opinion.name for opinion in case.opinions] == [None]
    assert "Ann" not in str(case.to_dict())
    assert cases.resolved_case(queued, lead, post) is None
    resolutions.resolve(queued, lead, post, "violation")
    assert cases.open_cases(queued, lead) == []
    decided = cases.resolved_case(queued, lead, post)
    assert decided is not None
    assert [(opinion.name, opinion.note) for opinion in decided.opinions] == [("Ann", "advert?")]
    with pytest.raises(NotAllowedError):
        cases.resolved_case(queued, ann, post)


def test_a_decided_case_comes_back_when_somebody_asks_anew(
    queued: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    saved = answers.submit(queued, ann, answers.hold_posts(queued, ann)[0].post_id, "violation")
    asked = answers.flag(queued, ann, saved.annotation_id)
    resolutions.resolve(queued, lead, saved.post_id, "normal")
    clock.move(minutes=1)
    answers.give_reason(queued, ann, asked.annotation_id, "辱骂")
    assert cases.open_cases(queued, lead) == []  # a reason does not reopen the case
    other = answers.submit(queued, ann, answers.hold_posts(queued, ann)[0].post_id, "violation")
    resolutions.resolve(queued, lead, other.post_id, "normal")
    clock.move(minutes=1)
    answers.flag(queued, ann, other.annotation_id)
    (case,) = cases.open_cases(queued, lead)
    assert case.post_id == other.post_id
    assert cases.resolved_case(queued, lead, other.post_id) is None  # open again, so names are hidden
    with pytest.raises(LabellingError, match="decided meanwhile"):
        resolutions.resolve(queued, lead, other.post_id, "suspicious")
    resolutions.resolve(queued, lead, other.post_id, "suspicious", instead_of=case.decision_id)
    assert cases.open_cases(queued, lead) == []
    with pytest.raises(LabellingError, match="decided meanwhile"):  # the decision on screen is superseded
        resolutions.resolve(queued, lead, other.post_id, "normal", instead_of=case.decision_id)
    decided = cases.resolved_case(queued, lead, other.post_id)
    assert decided is not None
    assert (decided.label, [opinion.name for opinion in decided.opinions]) == ("suspicious", ["Ann"])


def test_the_models_view_is_told_after_the_decision_and_never_of_a_held_out_post(
    queued: Project, lead: Account, ann: Account
) -> None:
    make_champion(queued, lead, np.tile([0.2, 0.5, 0.3], (120, 1)))
    pool, held_out = posts_of(queued, "pool")[0], posts_of(queued, "test")[0]
    serve_blind(queued, ann, held_out)
    for post in (pool, held_out):
        resolutions.resolve(queued, lead, post, "violation")
    seen, hidden = (cases.resolved_case(queued, lead, post) for post in (pool, held_out))
    assert seen is not None
    assert hidden is not None
    assert seen.suggestion is not None
    assert seen.suggestion.label == "suspicious"
    assert dict(seen.suggestion.probabilities) == pytest.approx(
        {"normal": 0.2, "suspicious": 0.5, "violation": 0.3}
    )
    assert (hidden.suggestion, hidden.is_held_out) == (None, True)


def test_whether_a_post_is_decided_is_looked_up_in_the_index(queued: Project) -> None:
    plans = plans_of(
        queued,
        lambda session: [
            session.execute(labels_by_split(LABELS)).all(),
            session.execute(
                select(func.count()).select_from(Post).join(PostGroup).where(is_labelled())
            ).all(),
        ],
    )
    assert len(plans) == 2
    for plan in plans:
        lookups = [step for step in plan if "resolution" in step and "post_id=?" in step]
        assert lookups, plan
        assert all("ix_resolution_post_id" in step for step in lookups), plan


@dataclass(frozen=True)
class Deed:
    """An event of a post: an annotator's vote, one from the log, a lead's decision or its revocation."""

    post: int
    kind: str
    label: str


DEEDS = st.lists(
    st.builds(
        Deed,
        post=st.integers(1, 9),
        kind=st.sampled_from(["ann", "ben", "log", "decide", "decide", "take back"]),
        label=st.sampled_from(LABELS),
    ),
    max_size=30,
)


def standing(deeds: Sequence[Deed]) -> tuple[dict[int, list[tuple[str, str]]], dict[int, str]]:
    votes: dict[int, list[tuple[str, str]]] = {}
    decisions: dict[int, str] = {}
    for deed in deeds:
        if deed.kind == "decide":
            decisions[deed.post] = deed.label
        elif deed.kind == "take back":
            decisions.pop(deed.post, None)
        else:
            votes.setdefault(deed.post, []).append((deed.kind, deed.label))
    return votes, decisions


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(DEEDS)
def test_plain_python_comes_to_the_same(
    project: Project, lead: Account, ann: Account, ben: Account, deeds: list[Deed]
) -> None:
    splits = ["pool"] * 3 + ["validation"] * 2 + ["test"] * 2 + ["audit"] * 2
    with project.database.read() as session:
        is_new = session.scalar(select(func.count()).select_from(Post)) == 0
    if is_new:
        import_texts(project, lead, different_texts(9))
        prepare(project)
        with project.database.write() as session:
            for post in session.scalars(select(Post)):
                change = update(PostGroup).where(PostGroup.id == post.group_id)
                session.execute(change.values(split=splits[post.id - 1]))
            session.execute(text("DROP TRIGGER annotation_no_delete"))
            session.execute(text("DROP TRIGGER resolution_no_delete"))
            session.add_all(
                QueueEntry(post_id=at + 1, lane="uncertain" if split == "pool" else "held_out", position=at)
                for at, split in enumerate(splits)
            )
    with project.database.write() as session:
        session.execute(delete(Annotation))
        session.execute(delete(Resolution))
    serve_blind(project, lead, *(post for post, split in enumerate(splits, start=1) if split != "pool"))
    people = {"ann": (ann, None), "ben": (ben, None), "log": (lead, "modlog")}
    for deed in deeds:
        if deed.kind == "decide":
            resolutions.resolve(project, lead, deed.post, deed.label, may_replace=True)
        elif deed.kind == "take back":
            with project.database.read() as session:
                stands = resolutions.decision_on(session, deed.post) is not None
            if stands:
                resolutions.take_back(project, lead, deed.post)
        else:
            person, source = people[deed.kind]
            add_label(project, person, deed.post, deed.label, source=source)
    votes, decisions = standing(deeds)

    counted: Counter[tuple[str, str]] = Counter()
    labelled, lines = set(), {}
    for post, split in enumerate(splits, start=1):
        post_votes = votes.get(post, [])
        careful = [label for kind, label in post_votes if kind != "log"]
        counting = [label for _kind, label in post_votes] if split == "pool" else careful
        used = careful or counting
        if not used and post not in decisions:
            continue
        labelled.add(post)
        most = Counter(used)
        by_votes = max(most, key=lambda name: (most[name], Label(name).position), default="")
        label = decisions.get(post, by_votes)
        counted[split, label] += 1
        if split != "audit":
            lines[f"p{post}"] = (label, dict(most), post in decisions)

    with project.database.write() as session:
        answers.note_answers(session, list(range(1, 10)))
    with project.database.read() as session:
        assert {(split, label): n for split, label, n in session.execute(labels_by_split(LABELS))} == counted
        groups = {post.id: post.group_id for post in session.scalars(select(Post))}
        done = set(session.scalars(labelled_groups()))
        assert done == {groups[post] for post in labelled}
        servable = read_servable(project, done, (), np.random.default_rng(0))
        assert {*servable.pool.tolist(), *servable.held_out.tolist()} == set(groups) - labelled
        answered = set(session.scalars(select(QueueEntry.post_id).where(QueueEntry.is_answered)))
        assert answered == labelled
    actual = {
        name: (line["label"], line["labels"], "resolved_by" in line)
        for name, line in exported(project).items()
    }
    assert actual == lines
