"""Replacing the queue loses no answer saved meanwhile, and a failed swap changes no row."""

from collections.abc import Sequence

import numpy as np
import pytest
from sqlalchemy import event, select

from db.tables import Post, QueueEntry
from tests.workbench.making import different_texts, import_texts, label_row, make_champion, ready_queue
from workbench.accounts import Account
from workbench.imports.preparing import prepare
from workbench.project import Project
from workbench.queue.plan import Plan, plan
from workbench.queue.swap import confidence_histogram, rebuild, replacing


def test_near_copies_of_what_was_labelled_during_the_planning_are_not_asked_about(
    project: Project, lead: Account, ann: Account
) -> None:
    texts = different_texts(20)
    import_texts(project, lead, [*texts, *(text + "!" for text in texts)])
    prepare(project)
    rebuild(project)
    new_plan = plan(project, None)
    planned = {entry.post_id for entry in new_plan.entries}
    with project.database.write() as session:
        # In ten groups, the copy that is not in the new plan: it was in the queue before.
        groups = dict(session.execute(select(Post.id, Post.group_id)).all())
        others = [post for post in groups if post not in planned][:10]
        for post in others:
            session.add(label_row(project, ann, post, "normal", lane="random"))
    with replacing(project, new_plan):
        pass
    with project.database.read() as session:
        left = set(session.scalars(select(QueueEntry.post_id).where(~QueueEntry.is_answered)))
    assert len(left) == 10
    assert not {groups[post] for post in left} & {groups[post] for post in others}


def test_a_number_that_another_import_took_meanwhile_is_not_queued(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 30)
    new_plan = plan(project, None)
    taken = new_plan.entries[0].post_id
    with project.database.write() as session:
        session.get_one(Post, taken).group_id = None  # as in a post that is not prepared
    with replacing(project, new_plan):
        pass
    with project.database.read() as session:
        queued = set(session.scalars(select(QueueEntry.post_id)))
    assert len(queued) == len(new_plan.entries) - 1
    assert taken not in queued


def test_a_swap_binds_no_more_values_however_much_was_said_meanwhile(
    project: Project, lead: Account, ann: Account
) -> None:
    """SQLite binds at most 250,000 values per statement, and a label file may hold more."""
    ready_queue(project, lead, 60)
    new_plan, bound = plan(project, None), []
    with project.database.write() as session:
        for post in session.scalars(select(Post.id)).all():
            session.add(label_row(project, ann, post, "normal", lane="random"))

    def see(
        _connection: object, _cursor: object, _statement: str, values: Sequence[object], *_: object
    ) -> None:
        bound.append(len(values))

    event.listen(project.database.engine, "before_cursor_execute", see)
    with replacing(project, new_plan):
        pass
    assert bound
    assert max(bound) < 20


def test_a_swap_that_fails_leaves_the_pages_figures_as_they_were(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 60)
    make_champion(project, lead, np.full((60, 3), 1 / 3))
    rebuild(project)
    before = confidence_histogram(project).tolist()
    assert sum(before) > 0
    new_plan = plan(project, None)
    with pytest.raises(ZeroDivisionError), replacing(project, new_plan):
        1 / 0  # noqa: B018 - stands for any error
    assert confidence_histogram(project).tolist() == before
    (project.data / "waiting.json").write_bytes(b"")  # as after a power cut
    assert sum(confidence_histogram(project)) == 0


def test_a_post_that_is_gone_before_the_queue_takes_effect_is_left_out(
    project: Project, lead: Account
) -> None:
    import_texts(project, lead, different_texts(20))
    prepare(project)
    new_plan = plan(project, None)
    stranger = new_plan.entries[0]._replace(post_id=999)
    with replacing(project, Plan(None, [*new_plan.entries, stranger], new_plan.band)):
        pass
    with project.database.read() as session:
        assert set(session.scalars(select(QueueEntry.post_id))) == {row.post_id for row in new_plan.entries}
        assert session.connection().exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert session.connection().exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
