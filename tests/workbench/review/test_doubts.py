"""Doubts of the newest round, worst first; decided ones disappear, and no label changes by itself."""

import json

import numpy as np
import pytest

from db.tables import Annotation
from tests.workbench.making import POSTS, add_label, label_row, make_champion, posts_of, ready_queue
from workbench.accounts import Account
from workbench.audit import Head
from workbench.errors import LabellingError, NotAllowedError
from workbench.exports.jsonl import labelled_posts, write_export
from workbench.posts.search import Filter
from workbench.project import Project
from workbench.review import bulk_labels, doubts, resolutions
from workbench.review.doubts import doubtful_labels, write_doubts
from workbench.worker.doubting import find_doubts


@pytest.fixture
def doubted(project: Project, lead: Account, ann: Account) -> Project:
    """Four labelled posts of round 1: p2 is most doubtful, then p1; p3 is certain, p4 is not in this project."""
    ready_queue(project, lead, 12)
    make_champion(project, lead, np.tile([0.6, 0.3, 0.1], (12, 1)))
    for post in (1, 2, 3):
        add_label(project, ann, post, "normal")
    rows = np.array([[0.3, 0.6, 0.1], [0.1, 0.1, 0.8], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0]])
    write_doubts(project.round_folder(1), ["p1", "p2", "p3", "p4000"], ["normal"] * 4, rows)
    return project


def listed(project: Project, lead: Account) -> list[tuple[int, str, str]]:
    return [(one.post_id, one.label, one.other) for one in doubtful_labels(project, lead)]


def test_the_most_doubtful_comes_first_and_certain_ones_not_at_all(doubted: Project, lead: Account) -> None:
    assert listed(doubted, lead) == [(2, "normal", "violation"), (1, "normal", "suspicious")]
    assert [one.post_id for one in doubtful_labels(doubted, lead, most=1)] == [2]


@pytest.mark.parametrize("label", ["normal", "violation"])
def test_what_is_kept_or_changed_leaves_the_list_and_undo_brings_it_back(
    doubted: Project, lead: Account, label: str
) -> None:
    resolutions.resolve(doubted, lead, 2, label, occasion="doubt")
    assert [post for post, *_ in listed(doubted, lead)] == [1]
    assert resolutions.undo(doubted, lead, "doubt") == 2
    assert [post for post, *_ in listed(doubted, lead)] == [2, 1]


def test_a_label_given_to_many_is_doubted_kept_once_and_comes_back_with_undo(
    doubted: Project, lead: Account
) -> None:
    post = next(post for post in posts_of(doubted, "pool") if post > 3)
    seen = bulk_labels.Preview(Filter(), [bulk_labels.PreviewedPost(post, f"p{post}", "")], 0, 0, False)
    bulk = bulk_labels.label_all(doubted, lead, seen, "violation")
    write_doubts(doubted.round_folder(1), [f"p{post}"], ["violation"], np.array([[0.8, 0.1, 0.1]]))
    (one,) = doubtful_labels(doubted, lead)
    assert (one.post_id, one.label, one.other) == (post, "violation", "normal")
    with pytest.raises(LabellingError, match="decided meanwhile"):
        resolutions.resolve(doubted, lead, post, "violation", occasion="doubt")
    resolutions.resolve(doubted, lead, post, "violation", occasion="doubt", instead_of=one.decision_id)
    assert doubtful_labels(doubted, lead) == []
    assert resolutions.undo(doubted, lead, "doubt") == post
    assert listed(doubted, lead) == [(post, "violation", "normal")]
    assert [(one.id, one.posts, one.standing) for one in bulk_labels.newest(doubted, lead)] == [
        (bulk.id, 1, 1)
    ]
    assert bulk_labels.take_back(doubted, lead, bulk.id) == 1
    assert doubtful_labels(doubted, lead) == []


def test_a_label_changed_since_is_no_longer_doubted(doubted: Project, lead: Account, ann: Account) -> None:
    with doubted.database.write() as session:
        earlier = session.query(Annotation).filter_by(post_id=2).one()
        session.add(label_row(doubted, ann, 2, "violation", supersedes_id=earlier.id))
    assert [post for post, *_ in listed(doubted, lead)] == [1]


def test_the_newest_round_that_was_looked_at_counts(doubted: Project, lead: Account) -> None:
    make_champion(doubted, lead, np.tile([0.6, 0.3, 0.1], (12, 1)), number=2)
    assert len(listed(doubted, lead)) == 2
    write_doubts(doubted.round_folder(2), ["p3"], ["normal"], np.array([[0.2, 0.8, 0.0]]))
    assert listed(doubted, lead) == [(3, "normal", "suspicious")]


def test_only_a_lead_sees_them_and_without_a_round_there_are_none(
    project: Project, lead: Account, ann: Account
) -> None:
    assert doubtful_labels(project, lead) == []
    with pytest.raises(NotAllowedError):
        doubtful_labels(project, ann)


def test_the_worker_looks_at_training_rows_alone_and_finds_a_planted_error(
    labelled: Project, boss: Account
) -> None:
    with labelled.database.read() as session:
        posts = labelled_posts(session, 1)
    wrong = next(post for post in posts if post.split == "train" and post.line["label"] == "violation")
    wrong.line["label"] = "normal"  # type: ignore[index]
    exported = labelled.annotations / "round-0001"
    write_export(exported, posts, round_number=1, by="x", now=labelled.now(), audit_head=Head())
    make_champion(labelled, boss, np.tile([0.6, 0.3, 0.1], (POSTS, 1)))
    find_doubts(exported / "train.jsonl", labelled.round_folder(1))
    add_label(labelled, boss, int(str(wrong.line["id"])[1:]) + 1, "normal")
    doubtful = doubtful_labels(labelled, boss)
    assert doubtful[0].external_id == wrong.line["id"]
    assert (doubtful[0].label, doubtful[0].other) == ("normal", "violation")
    training = {json.loads(line)["id"] for line in (exported / "train.jsonl").read_text("utf-8").splitlines()}
    assert {one.external_id for one in doubtful} <= training


def test_rows_without_an_id_are_not_taken_for_others(project: Project) -> None:
    """A line number is not an id of a post."""
    folder = project.round_folder(1)
    folder.mkdir(parents=True)
    lines = [
        json.dumps({"text": f"a{n % 7}b{n}", "label": ("normal", "violation")[n % 2]}) for n in range(80)
    ]
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    find_doubts(folder / "train.jsonl", folder)
    assert not (folder / doubts.FILE).exists()
