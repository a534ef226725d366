"""The Posts screen: figures, imports with their receipt, exports for leads."""

from html import unescape

import pytest
from streamlit.testing.v1 import AppTest

from tests.workbench.making import ready_queue
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.test_rounds import add_round
from workbench import labelling
from workbench.accounts import Account
from workbench.project import Project

FILE = "id\tbody\tboard\n1\t**一**\t闲聊\n2\t\t闲聊\n3\t三\t数码\n".encode("gb18030")


def screen() -> None:
    from workbench.web.views import posts  # noqa: PLC0415 - AppTest runs this function's source alone

    posts.show()


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(screen, default_timeout=10)


def shown(app: AppTest) -> str:
    assert not app.exception
    return unescape(" ".join(element.proto.body for element in app.get("html")))


def select(app: AppTest, prefix: str, value: str) -> None:
    next(box for box in app.selectbox if box.key and box.key.startswith(prefix)).select(value).run()


def test_a_lead_sees_how_a_file_will_be_read_and_brings_it_in(
    app: AppTest, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    app.run()
    app.file_uploader[0].set_value(("论坛.tsv", FILE, "text/plain")).run()
    select(app, "text-", "body")
    assert "Read as gb18030." in shown(app)
    preview = app.dataframe[0].value
    assert list(preview["text"]) == ["**一**", "unreadable: no text", "三"]
    next(button for button in app.button if button.key == "import").click().run()
    assert "3 rows: 2 new, 0 known already, 1 unreadable." in shown(app)
    assert "论坛.tsv" in shown(app)
    assert list(app.dataframe[0].value["reason"]) == ["no text"]
    assert "/download/imports/1/unreadable.tsv" in shown(app)


def test_a_file_that_cannot_be_read_is_refused_under_its_own_name(
    app: AppTest, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    app.run()
    app.file_uploader[0].set_value(("../bad.tsv", b"id\ttext\n1\t\xff\xff\n", "text/plain")).run()
    assert "bad.tsv is neither UTF-8 nor GB18030: byte 10 fits neither." in shown(app)
    app.file_uploader[0].set_value(("empty.tsv", b"\n", "text/plain")).run()
    assert "empty.tsv is empty." in shown(app)


def test_the_copy_of_an_upload_goes_with_its_session(app: AppTest, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app.run()
    app.file_uploader[0].set_value(("a.tsv", FILE, "text/plain")).run()
    first = app.session_state["kept_upload"].path
    assert first.read_bytes() == FILE
    app.file_uploader[0].set_value(("b.tsv", FILE, "text/plain")).run()
    assert not first.exists()


def test_another_encoding_can_be_named(app: AppTest, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app.run()
    app.file_uploader[0].set_value(("a.tsv", "id\ttext\n1\t一\n".encode(), "text/plain")).run()
    select(app, "encoding-", "utf-16")
    assert "a.tsv is not utf-16" in shown(app)
    select(app, "encoding-", "utf-8")
    assert list(app.dataframe[0].value["text"]) == ["一"]


def test_an_annotator_sees_posts_and_labels_but_brings_nothing_in(
    app: AppTest, project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 5)
    card = labelling.hold_posts(project, ann)[0]
    labelling.submit(project, ann, card.post_id, "suspicious")
    visit_as(ann)
    app.run()
    assert not app.file_uploader
    table = app.dataframe[0].value.set_index("text")
    assert table.loc[card.text, "labelled as"] == "borderline"
    assert len(table) == 5
    assert "<b>5</b><span>posts</span>" in shown(app)


def test_exports_are_offered_to_leads_alone(
    app: AppTest, project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    add_round(project, lead, 1, "rejected")
    folder = project.annotations / "round-0001"
    folder.mkdir(parents=True)
    (folder / "train.jsonl").touch()
    visit_as(lead)
    assert "/download/rounds/1/train.jsonl" in shown(app.run())
    assert "/download/rounds/1/test.jsonl" not in shown(app)
    visit_as(ann)
    assert "/download/rounds" not in shown(app.run())


def test_the_uploaders_button_speaks_chinese_too(app: AppTest, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead, language="zh")
    assert '--upload: "选择文件"' in shown(app.run())
