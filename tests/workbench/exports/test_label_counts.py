"""Counts of labels count posts: two opinions on one post are one label."""

from collections import Counter
from collections.abc import Sequence

import pytest
from sqlalchemy import select

from db.queries.training import labels_by_split
from db.tables import Annotation, Post, PostGroup
from tests.workbench.making import ready_queue
from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.errors import RoundError
from workbench.exports.jsonl import each_labelled_post
from workbench.project import LABEL_SET_ID, Project
from workbench.rounds import lifecycle


def say(project: Project, who: Account, post: int, label: str, source: str | None = None) -> None:
    with project.database.write() as session:
        session.add(
            Annotation(
                post_id=post,
                person_id=who.id,
                action="label",
                label_set_id=LABEL_SET_ID,
                label=label,
                source=source,
                saved_at=project.now(),
            )
        )


def pool(project: Project) -> list[int]:
    query = select(Post.id).join(PostGroup, PostGroup.id == Post.group_id).where(PostGroup.split == "pool")
    with project.database.read() as session:
        return list(session.scalars(query.order_by(Post.id)))


def counted(project: Project, by_severity: Sequence[str] = LABELS) -> dict[tuple[str, str | None], int]:
    with project.database.read() as session:
        rows = session.execute(labels_by_split(by_severity))
        return {(split, label): count for split, label, count in rows}


def test_posts_people_disagree_about_do_not_open_the_gate(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 60)
    posts = pool(project)[:20]
    for post in posts[:10]:
        say(project, ann, post, "normal")
        say(project, ben, post, "violation")
    with project.database.read() as session, pytest.raises(RoundError, match="there are 10 of 1"):
        lifecycle.refuse_too_few_labels(session)
    for post in posts[10:]:
        say(project, ann, post, "normal")
    with project.database.read() as session:
        lifecycle.refuse_too_few_labels(session)


def test_a_post_counts_by_the_label_it_is_exported_with(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 60)
    first, second, third, fourth, fifth = pool(project)[:5]
    for who, label in ((ann, "normal"), (ben, "normal"), (lead, "violation")):
        say(project, who, first, label)
    say(project, ann, second, "suspicious")
    say(project, ben, second, "normal")
    say(project, ann, third, "normal")
    say(project, lead, third, "violation", source="modlog")
    say(project, lead, fourth, "violation", source="modlog")
    for who in (ann, ben):
        say(project, who, fifth, "suspicious")
    with project.database.read() as session:
        exported = Counter(post.line["label"] for post in each_labelled_post(session))
    assert exported == {"normal": 2, "suspicious": 2, "violation": 1}
    assert counted(project) == {("pool", label): count for label, count in exported.items()}


def test_a_tie_is_counted_by_severity_not_by_the_alphabet(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 60)
    post = pool(project)[0]
    say(project, ann, post, "normal")
    say(project, ben, post, "violation")
    assert counted(project) == {("pool", "violation"): 1}
    assert counted(project, LABELS[::-1]) == {("pool", "normal"): 1}
