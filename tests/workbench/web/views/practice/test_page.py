"""Practice: ten posts, answered and explained, and nothing of it stored."""

import pytest
from sqlalchemy import func, select
from streamlit.testing.v1 import AppTest

from db.tables import Annotation, Post
from tests.workbench.web.conftest import VisitAs
from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.project import Project
from workbench.web.views.practice.posts import POSTS


@pytest.fixture
def app(ann: Account, visit_as: VisitAs) -> AppTest:
    visit_as(ann)
    return AppTest.from_string("from workbench.web.views.practice import page\npage.show()").run()


def answer(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.key and button.key.endswith(f"-{label}")).click().run()


def text(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def test_all_ten_can_be_answered_each_with_its_reason_and_nothing_is_stored(
    app: AppTest, project: Project
) -> None:
    for number, post in enumerate(POSTS):
        assert f"{number} of 10" in text(app)
        assert post.text in text(app)
        answer(app, post.label)
        assert post.why.partition(":")[0].replace("'", "&#39;") in text(app)
        assert "As we would answer:" in text(app)
    assert "10 of 10 answers as we would give them" in text(app)
    with project.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Post)) == 0
        assert session.scalar(select(func.count()).select_from(Annotation)) == 0
    app.button(key="practice-again").click().run()
    assert "0 of 10" in text(app)


def test_another_answer_is_told_apart_and_not_counted_as_ours(app: AppTest) -> None:
    for post in POSTS:
        answer(app, next(label for label in LABELS if label != post.label))
        assert '<div class="practised other"' in text(app)
    assert "0 of 10 answers as we would give them" in text(app)


def test_every_label_is_practised() -> None:
    assert {post.label for post in POSTS} == set(LABELS)
    assert len(POSTS) == 10
