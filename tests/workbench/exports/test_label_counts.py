"""Counts of labels count posts: two opinions on one post are one label."""

from collections import Counter
from collections.abc import Sequence

import pytest

from db.queries.training import labels_by_split
from tests.workbench.making import add_label, posts_of, ready_queue
from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.errors import RoundError
from workbench.exports.jsonl import each_labelled_post
from workbench.project import Project
from workbench.rounds import lifecycle


def counted(project: Project, by_severity: Sequence[str] = LABELS) -> dict[tuple[str, str | None], int]:
    with project.database.read() as session:
        rows = session.execute(labels_by_split(by_severity))
        return {(split, label): count for split, label, count in rows}


def test_posts_people_disagree_about_do_not_open_the_gate(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 60)
    posts = posts_of(project, "pool")[:20]
    for post in posts[:10]:
        add_label(project, ann, post, "normal")
        add_label(project, ben, post, "violation")
    with project.database.read() as session, pytest.raises(RoundError, match="there are 10 of 1"):
        lifecycle.refuse_too_few_labels(session)
    for post in posts[10:]:
        add_label(project, ann, post, "normal")
    with project.database.read() as session:
        lifecycle.refuse_too_few_labels(session)


def test_a_post_counts_by_the_label_it_is_exported_with(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 60)
    first, second, third, fourth, fifth = posts_of(project, "pool")[:5]
    for who, label in ((ann, "normal"), (ben, "normal"), (lead, "violation")):
        add_label(project, who, first, label)
    add_label(project, ann, second, "suspicious")
    add_label(project, ben, second, "normal")
    add_label(project, ann, third, "normal")
    add_label(project, lead, third, "violation", source="modlog")
    add_label(project, lead, fourth, "violation", source="modlog")
    for who in (ann, ben):
        add_label(project, who, fifth, "suspicious")
    with project.database.read() as session:
        exported = Counter(post.line["label"] for post in each_labelled_post(session))
    assert exported == {"normal": 2, "suspicious": 2, "violation": 1}
    assert counted(project) == {("pool", label): count for label, count in exported.items()}


def test_a_tie_is_counted_by_severity_not_by_the_alphabet(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 60)
    post = posts_of(project, "pool")[0]
    add_label(project, ann, post, "normal")
    add_label(project, ben, post, "violation")
    assert counted(project) == {("pool", "violation"): 1}
    assert counted(project, LABELS[::-1]) == {("pool", "normal"): 1}
