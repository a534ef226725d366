"""A lead labels all hits of a search at once and revokes it; people's answers do not change."""

from collections.abc import Iterable
from hashlib import sha256

import pytest
from sqlalchemy import func, select, update

from db.queries.standing import is_resolved
from db.tables import Annotation, AuditEntry, Post, PostGroup, QueueEntry, Resolution
from tests.workbench.making import add_decision, different_texts, import_texts, posts_of, ready_queue
from workbench.accounts import Account
from workbench.errors import InputError, NotAllowedError
from workbench.imports.preparing import prepare
from workbench.labelling import answers as labelling_answers
from workbench.posts import search
from workbench.posts.search import Filter
from workbench.project import Project
from workbench.queue import swap
from workbench.review import bulk_labels
from workbench.review.bulk_labels import Preview, PreviewedPost

SPAM = Filter(text="加微信")


@pytest.fixture
def filled(project: Project, lead: Account) -> Project:
    import_texts(project, lead, [f"加微信{text}" for text in different_texts(40)])
    import_texts(project, lead, different_texts(50)[40:], start=100)
    prepare(project)
    swap.rebuild(project)
    return project


def splits(project: Project) -> dict[int, str]:
    with project.database.read() as session:
        rows = session.execute(
            select(Post.id, PostGroup.split).join(PostGroup, PostGroup.id == Post.group_id)
        )
        return {row.id: row.split for row in rows}


def settled(project: Project) -> set[int]:
    with project.database.read() as session:
        return set(session.scalars(select(Post.id).where(is_resolved(Post.id))))


def answers(project: Project) -> list[tuple[object, ...]]:
    with project.database.read() as session:
        rows = session.execute(select(Annotation.__table__).order_by(Annotation.id))
        return [tuple(row) for row in rows]


def preview_of(post_ids: Iterable[int]) -> Preview:
    return Preview(SPAM, [PreviewedPost(post_id, f"p{post_id}", "") for post_id in post_ids], 0, 0, False)


def test_posts_that_are_not_ticked_stay_as_they_are(filled: Project, lead: Account) -> None:
    seen = bulk_labels.preview(filled, lead, SPAM)
    left_out, *ticked = seen.post_ids
    others = [post_id for post_id in posts_of(filled, "pool") if post_id not in seen.post_ids]
    bulk = bulk_labels.label_all(filled, lead, seen, "violation", ticked={*ticked, *others})
    assert bulk.posts == len(ticked)
    assert settled(filled) == set(ticked)
    assert left_out not in settled(filled)
    with pytest.raises(InputError, match="None of these posts"):
        bulk_labels.label_all(filled, lead, seen, "violation", ticked=())


def test_only_unlabelled_posts_of_the_pool_are_covered_and_counted(
    filled: Project, lead: Account, ann: Account
) -> None:
    held = labelling_answers.hold_posts(filled, ann)
    labelled = next(card for card in held if splits(filled)[card.post_id] == "pool" and card.post_id <= 40)
    labelling_answers.submit(filled, ann, labelled.post_id, "normal")
    before = answers(filled)
    pool = {post for post, split in splits(filled).items() if split == "pool" and post <= 40}
    seen = bulk_labels.preview(filled, lead, SPAM)
    assert set(seen.post_ids) == pool - {labelled.post_id}
    assert (seen.labelled, seen.held_out) == (1, 40 - len(pool))
    assert all("加微信" in post.text for post in seen.posts)
    assert [post.external_id for post in seen.posts] == [f"p{post_id}" for post_id in seen.post_ids]
    bulk = bulk_labels.label_all(filled, lead, seen, "violation")
    assert settled(filled) == set(seen.post_ids)
    assert bulk.posts == len(seen.post_ids)
    assert answers(filled) == before
    assert {post.standing[0] for post in search.find(filled, lead, Filter(label="violation")).posts} == {
        "violation"
    }


def test_a_post_that_a_lead_was_asked_about_is_left_to_be_looked_at(
    filled: Project, lead: Account, ann: Account
) -> None:
    ours = {post for post, split in splits(filled).items() if split == "pool" and post <= 40}
    before = bulk_labels.preview(filled, lead, SPAM)
    while (card := labelling_answers.hold_posts(filled, ann)[0]).post_id not in ours:
        labelling_answers.skip(filled, ann, card.post_id)
    labelling_answers.ask_lead(filled, ann, card.post_id)
    seen = bulk_labels.preview(filled, lead, SPAM)
    assert set(before.post_ids) - set(seen.post_ids) == {card.post_id}
    assert (seen.asked, seen.labelled) == (1, 0)
    bulk_labels.label_all(filled, lead, before, "violation")  # a question asked after the preview
    assert card.post_id not in settled(filled)


def test_it_is_written_down_under_one_number_and_taken_back_under_it(filled: Project, lead: Account) -> None:
    bulk = bulk_labels.label_all(filled, lead, bulk_labels.preview(filled, lead, SPAM), "violation")
    with filled.database.read() as session:
        entry = session.get_one(AuditEntry, bulk.id)
        assert (entry.action, entry.subject) == ("label many", "violation")
        assert entry.detail == {
            "posts": bulk.posts,
            "wanted": {"text": sha256("加微信".encode()).hexdigest()},
        }
        waiting = session.scalar(
            select(func.count()).where(~QueueEntry.is_answered, QueueEntry.post_id <= 40)
        )
    rows = bulk.posts
    assert [(one.id, one.posts, one.standing) for one in bulk_labels.newest(filled, lead)] == [
        (bulk.id, rows, rows)
    ]
    assert bulk_labels.take_back(filled, lead, bulk.id) == rows
    assert settled(filled) == set()
    assert [(one.posts, one.standing) for one in bulk_labels.newest(filled, lead)] == [(rows, 0)]
    with filled.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Resolution)) == 2 * rows
        assert (
            session.scalar(select(func.count()).where(~QueueEntry.is_answered, QueueEntry.post_id <= 40))
            == (waiting or 0) + rows
        )
    with pytest.raises(InputError, match=f"nothing of {bulk.id} to take back"):
        bulk_labels.take_back(filled, lead, bulk.id)


def test_a_decision_made_since_survives_the_taking_back(filled: Project, lead: Account, ann: Account) -> None:
    bulk = bulk_labels.label_all(filled, lead, bulk_labels.preview(filled, lead, SPAM), "violation")
    one = next(iter(settled(filled)))
    add_decision(filled, lead, one, "normal")
    assert bulk_labels.take_back(filled, lead, bulk.id) == bulk.posts - 1
    assert settled(filled) == {one}


def test_what_was_labelled_is_no_longer_served_and_is_again_once_taken_back(
    filled: Project, lead: Account
) -> None:
    bulk = bulk_labels.label_all(filled, lead, bulk_labels.preview(filled, lead, SPAM), "violation")
    covered = settled(filled)

    def open_posts() -> set[int]:
        with filled.database.read() as session:
            return set(session.scalars(select(QueueEntry.post_id).where(~QueueEntry.is_answered)))

    assert not open_posts() & covered
    swap.rebuild(filled)
    assert not open_posts() & covered
    bulk_labels.take_back(filled, lead, bulk.id)
    swap.rebuild(filled)
    assert covered <= open_posts()


def test_posts_labelled_after_the_preview_keep_their_label(
    filled: Project, lead: Account, ann: Account
) -> None:
    seen = bulk_labels.preview(filled, lead, SPAM)
    card = next(card for card in labelling_answers.hold_posts(filled, ann) if card.post_id in seen.post_ids)
    labelling_answers.submit(filled, ann, card.post_id, "normal")
    assert bulk_labels.label_all(filled, lead, seen, "violation").posts == len(seen.post_ids) - 1
    assert card.post_id not in settled(filled)
    with pytest.raises(InputError, match="None of these posts"):
        bulk_labels.label_all(filled, lead, seen, "violation")


def test_there_is_a_most_and_the_newest_come_first(filled: Project, lead: Account) -> None:
    seen = bulk_labels.preview(filled, lead, Filter(label="none"), at_most=10)
    assert seen.is_cut
    assert len(seen.post_ids) + seen.held_out == 10
    assert min(seen.post_ids) > 40
    far = preview_of(range(1, bulk_labels.AT_MOST + 2))
    with pytest.raises(InputError, match="At most"):
        bulk_labels.label_all(filled, lead, far, "violation")
    with pytest.raises(InputError, match="no label spam"):
        bulk_labels.label_all(filled, lead, seen, "spam")


def test_held_out_posts_are_refused_even_when_a_preview_names_them(filled: Project, lead: Account) -> None:
    held_out = [post for post, split in splits(filled).items() if split != "pool"]
    assert held_out
    with pytest.raises(InputError, match="None of these posts"):
        bulk_labels.label_all(filled, lead, preview_of(held_out), "violation")


def test_annotators_may_not(filled: Project, lead: Account, ann: Account) -> None:
    seen = bulk_labels.preview(filled, lead, SPAM)
    for forbidden in (
        lambda: bulk_labels.preview(filled, ann, SPAM),
        lambda: bulk_labels.label_all(filled, ann, seen, "violation"),
        lambda: bulk_labels.take_back(filled, ann, 1),
        lambda: bulk_labels.newest(filled, ann),
    ):
        with pytest.raises(NotAllowedError):
            forbidden()
    assert settled(filled) == set()


def test_what_is_previewed_is_what_is_done_with_posts_that_cannot_be_trained_on_among_them(
    project: Project, lead: Account
) -> None:
    ready_queue(project, lead, 40)
    import_texts(project, lead, different_texts(55)[40:], start=41)  # not prepared yet
    pool = posts_of(project, "pool")
    with project.database.write() as session:
        session.execute(update(Post).where(Post.id.in_(pool[:5])).values(is_quarantined=True))
    seen = bulk_labels.preview(project, lead, Filter())
    assert sorted(seen.post_ids) == sorted(pool[5:])
    assert bulk_labels.label_all(project, lead, seen, "normal").posts == len(pool) - 5
