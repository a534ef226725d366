"""Guidelines are published in versions, and answers carry the one in force."""

import pytest
from sqlalchemy import select

from db.tables import Annotation
from tests.workbench.making import ready_queue
from workbench.accounts import Account
from workbench.errors import InputError, NotAllowedError
from workbench.labelling import answers, guidelines
from workbench.project import Project


def test_an_answer_carries_the_version_it_was_given_under(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    for text in ("no adverts", "no adverts", "no adverts, no abuse"):
        answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
        guidelines.publish(project, lead, text)
    answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
    with project.database.read() as session:
        assert session.scalars(select(Annotation.guideline_version).order_by(Annotation.id)).all() == [
            1,
            2,
            2,
            3,
        ]
        assert guidelines.text_in_force(session) == "no adverts, no abuse"


def test_only_a_lead_publishes_and_no_empty_text(project: Project, lead: Account, ann: Account) -> None:
    with pytest.raises(NotAllowedError):
        guidelines.publish(project, ann, "anything goes")
    with pytest.raises(InputError, match="1 to 20000 characters"):
        guidelines.publish(project, lead, " \n")
