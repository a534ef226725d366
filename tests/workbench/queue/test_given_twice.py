"""The benchmark's count of posts given to two annotators can exceed zero."""

from sqlalchemy import update

from db.tables import Claim
from tests.benchmarks.scale import given_twice
from tests.workbench.making import ready_queue
from tests.workbench.team import member
from workbench.accounts import Account
from workbench.labelling import answers
from workbench.project import Project


def test_a_post_served_to_two_people_is_counted(project: Project, lead: Account) -> None:
    ready_queue(project, lead)
    anna, ben = (member(project, name, "annotator") for name in ("Anna", "Ben"))
    post = answers.hold_posts(project, anna)[0].post_id
    theirs = answers.hold_posts(project, ben)[0].post_id
    answers.submit(project, anna, post, "normal")
    assert given_twice(project) == 0
    with project.database.write() as session:  # the fault: Ben's screen shows Anna's post
        session.execute(update(Claim).where(Claim.post_id == theirs).values(post_id=post))
    answers.submit(project, ben, post, "normal")
    assert given_twice(project) == 1
