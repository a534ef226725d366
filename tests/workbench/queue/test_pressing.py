"""Database cost of a key press, for fifty people who press a key every few seconds."""

from sqlalchemy import event

from db.queries.serving import second_opinions_wanted
from tests.workbench.making import add_label, posts_of, ready_queue
from tests.workbench.plans import plans_of
from workbench.accounts import Account, command_line
from workbench.labelling import answers
from workbench.project import Project
from workbench.queue.claims import is_labelled

MOST_STATEMENTS = 20
"""Statements of an answer and the next post: both transactions, including the permission checks."""


def test_an_answer_and_the_next_post_take_few_statements(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    held = answers.hold_posts(project, ann)
    seen: list[str] = []
    event.listen(
        project.database.engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2])
    )
    answers.submit(project, ann, held[0].post_id, "normal")
    answers.hold_posts(project, ann)
    assert "INSERT INTO annotation" in " ".join(seen)
    assert len(seen) <= MOST_STATEMENTS


def test_a_post_for_a_second_opinion_is_found_without_passing_the_pool(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    wanted = second_opinions_wanted(ann.id, project.now())
    (steps,) = plans_of(project, lambda session: session.scalars(wanted).all())
    assert steps[0] == "SEARCH annotation USING INTEGER PRIMARY KEY (rowid>?)"
    assert not [step for step in steps if "ix_post_group_split" in step]


def test_a_label_that_a_command_imported_is_a_label(project: Project, lead: Account) -> None:
    ready_queue(project, lead)
    post = posts_of(project, "pool")[0]
    add_label(project, command_line(project), post, "normal", origin="import")
    with project.database.read() as session:
        assert is_labelled(session, post)
