"""The import dialog: files, columns, result. Nothing is guessed silently, and nothing of a file is lost without a word."""

import re
from html import unescape
from pathlib import Path

import pytest
from sqlalchemy import select as select_rows
from streamlit.testing.v1 import AppTest

from db.queries.standing import is_current
from db.tables import Annotation, Post
from tests.trainer.reading.workbooks.making import write_workbook
from tests.workbench.making import import_texts, ready_queue
from tests.workbench.web.conftest import VisitAs
from workbench.accounts import Account
from workbench.imports.intake import rejects_of
from workbench.labelling import answers
from workbench.posts.search import Filter, find
from workbench.project import Project

FILE = "id\tbody\tboard\n1\t**一**\t闲聊\n2\t\t闲聊\n3\t三\t数码\n".encode("gb18030")


def screen() -> None:
    from workbench.web.views.posts import page as posts_page  # noqa: PLC0415 - AppTest runs this function's source alone

    posts_page.show()


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(screen, default_timeout=20)


def html_of(app: AppTest) -> str:
    assert not app.exception
    return " ".join(element.proto.body for element in app.get("html"))


def shown(app: AppTest) -> str:
    return unescape(html_of(app))


def press(app: AppTest, key: str) -> AppTest:
    return next(button for button in app.button if button.key == key).click().run()


def is_offered(app: AppTest) -> bool:
    return any(button.key == "import" and not button.disabled for button in app.button)


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    app.run()
    press(app, "import-open")
    app.file_uploader[0].set_value([(name, content, "text/plain") for name, content in files]).run()
    return app


def columns(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    """The second step with these files."""
    return press(upload(app, *files), "import-next")


def table(app: AppTest) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the dialog's first table. The list of imports has another second column."""
    for part in html_of(app).split("<table")[1:]:
        head, _, body = part.partition("<tbody>")
        names = [re.sub("<[^>]*>", "", unescape(cell)) for cell in re.findall("<th[^>]*>(.*?)</th>", head)]
        if names[:1] == ["line"] or names[:2] == ["file", "new"]:
            found = (re.findall("<td[^>]*>(.*?)</td>", row) for row in body.split("</tr>"))
            return names, [
                [unescape(re.sub("<a [^>]*>|</a>", "", cell)) for cell in row] for row in found if row
            ]
    return [], []


def rows(app: AppTest) -> list[list[str]]:
    return table(app)[1]


def headings(app: AppTest) -> list[str]:
    return table(app)[0]


def select(app: AppTest, prefix: str, value: str) -> None:
    next(box for box in app.selectbox if box.key and box.key.startswith(prefix)).select(value).run()


def test_a_lead_sees_how_a_file_will_be_read_and_brings_it_in(
    app: AppTest, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    columns(app, ("论坛.tsv", FILE))
    select(app, "text-", "body")
    assert [row[2] for row in rows(app)] == ["**一**", "unreadable: no text", "三"]
    assert headings(app) == ["line", "id", "text body", "board"]
    assert next(button.label for button in app.button if button.key == "import") == "Import 3 rows"
    press(app, "import")
    assert "3 rows: 2 new, 0 known already, 1 unreadable." in shown(app)
    assert rows(app)[0][:3] == ["论坛.tsv", "2", "0"]
    assert "no text" in shown(app)
    assert "/download/imports/1/unreadable.tsv" in shown(app)
    press(app, "import-done")
    assert not app.file_uploader


def test_several_files_are_read_by_their_own_headers_and_counted_together(
    app: AppTest, project: Project, tmp_path: Path, lead: Account, visit_as: VisitAs
) -> None:
    workbook = write_workbook(tmp_path / "c.xlsx", [("编号", "正文"), ("x1", "四"), ("x2", "五")])
    files = [("a.tsv", "id\ttext\n1\t一\n".encode()), ("b.csv", "id,text\n1,一\n2,二\n".encode())]
    visit_as(lead)
    columns(app, *files, ("c.xlsx", workbook.read_bytes()))
    assert "a.tsv, b.csv" in shown(app)
    assert next(button.label for button in app.button if button.key == "import") == "Import 5 rows"
    press(app, "import")
    assert "5 rows: 4 new, 1 known already, 0 unreadable." in shown(app)
    assert [row[:3] for row in rows(app)] == [["a.tsv", "1", "0"], ["b.csv", "1", "1"], ["c.xlsx", "2", "0"]]
    with project.database.read() as session:
        names = find(project, lead, Filter()).posts
        assert session.scalars(select_rows(Post.id)).all() == [post.post_id for post in names]


def test_a_file_that_cannot_be_read_is_refused_under_its_own_name(
    app: AppTest, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    columns(app, ("../bad.tsv", b"id\ttext\n1\t\xff\xff\n"), ("good.tsv", "text\n一\n".encode()))
    assert "bad.tsv is neither UTF-8 nor GB18030: byte 10 (line 2) does not fit UTF-8" in shown(app)
    assert not is_offered(app)


def test_the_copy_of_an_upload_goes_with_its_session(app: AppTest, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    upload(app, ("a.tsv", FILE))
    (first,) = app.session_state["kept_uploads"].values()
    assert first.path.read_bytes() == FILE
    app.file_uploader[0].set_value([("b.tsv", FILE, "text/plain")]).run()
    assert not first.path.exists()


def test_another_encoding_can_be_named(app: AppTest, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    columns(app, ("a.tsv", "id\ttext\n1\t一\n".encode()))
    select(app, "encoding-", "utf-16")
    assert "a.tsv is not utf-16" in shown(app)
    select(app, "encoding-", "utf-8")
    assert [row[2] for row in rows(app)] == ["一"]


def test_what_a_file_hides_is_shown_as_marks_and_no_grid_offers_it_as_a_csv(
    app: AppTest, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    lines = [
        "id\ttext\tauthor\t*x*",
        "1\u2066\t=HYPERLINK(1)\u202egnp.exe\t<b>x</b>\u200b\ty",
        "2\t一\t二\u202e\t三\tz",
    ]
    columns(app, ("a*b*.tsv", "\n".join(lines).encode()))
    assert not app.dataframe
    page = html_of(app)
    assert not {"\u202e", "\u2066", "\u200b"} & set(page)
    assert "<b>x" not in page
    assert all(mark in page for mark in ("␣U+202E", "␣U+2066", "␣U+200B", "&lt;b&gt;x"))
    press(app, "import")
    assert "␣U+202E" in html_of(app)
    assert not {"\u202e"} & set(html_of(app))


UNFIT = {
    "empty.csv": (b"", "is empty", "是空文件"),
    "posts.pdf": (b"%PDF-1.7 posts", "of another kind", "不是可读取的文件类型"),
    "posts.xls": (b"\xd0\xcf\x11\xe0....", "of another kind", "不是可读取的文件类型"),
    "renamed.csv": (b"PK\x03\x04....", "of another kind", "不是可读取的文件类型"),
}


@pytest.mark.parametrize("name", UNFIT)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_file_that_is_none_of_ours_is_refused_in_one_sentence(
    app: AppTest, lead: Account, visit_as: VisitAs, name: str, language: str
) -> None:
    content, english, chinese = UNFIT[name]
    visit_as(lead, language=language)
    upload(app, (name, content))
    page = shown(app)
    assert page.count('class="refusal"') == 1
    assert (english if language == "en" else chinese) in page
    assert name in page
    assert next(button for button in app.button if button.key == "import-next").disabled


DAMAGED = {
    "posts.xlsx": (b"PK\x03\x04....", "cannot be read as an .xlsx workbook", "无法作为 .xlsx 工作簿读取"),
    "bytes.tsv": (b"text\n\xff\xfe\xff\n", "neither UTF-8 nor GB18030", "既不是 UTF-8"),
}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(
    app: AppTest, lead: Account, visit_as: VisitAs, name: str, language: str
) -> None:
    content, english, chinese = DAMAGED[name]
    visit_as(lead, language=language)
    columns(app, (name, content))
    page = shown(app)
    assert page.count('class="refusal"') == 1
    assert (english if language == "en" else chinese) in page
    assert name in page
    assert not is_offered(app)


def test_an_id_column_that_is_not_wanted_is_not_used(app: AppTest, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    columns(app, ("a.tsv", "id\ttext\n0\t一\n0\t二\n".encode()))
    assert "No id column" not in shown(app)
    select(app, "id-", "")
    assert "No id column: the text stands for it." in shown(app)
    press(app, "import")
    assert "2 rows: 2 new, 0 known already, 0 unreadable." in shown(app)


def test_an_unsure_text_column_is_not_guessed(app: AppTest, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    columns(app, ("a.tsv", "帖子ID\t发言\n1\t一\n".encode()))
    assert "Choose the column that holds the text." in shown(app)
    assert not is_offered(app)
    select(app, "text-", "发言")
    assert rows(app) == [["2", "1", "一"]]
    assert is_offered(app)


def test_of_several_sheets_one_is_chosen(
    app: AppTest, tmp_path: Path, lead: Account, visit_as: VisitAs
) -> None:
    book = write_workbook(tmp_path / "a.xlsx", [("text",), ("一",)], May=[("text",), ("二",)])
    visit_as(lead)
    columns(app, ("a.xlsx", book.read_bytes()))
    assert "Choose the sheet that holds the posts." in shown(app)
    assert not is_offered(app)
    select(app, "sheet-", "May")
    assert rows(app) == [["2", "", "二"]]


def test_one_column_is_not_two_things(app: AppTest, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    columns(app, ("a.tsv", "id\ttext\tx\n1\t一\t数码\n".encode()))
    select(app, "board-", "id")
    assert "One column cannot be two things." in shown(app)
    assert not is_offered(app)


def test_a_column_is_kept_as_what_a_person_says_it_is(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    columns(app, ("a.tsv", "text\tfid\tforum\n一\t数码\t闲聊\n".encode()))
    select(app, "board-", "fid")
    assert headings(app)[3:] == ["board", "other forum"]
    press(app, "import")
    assert "1 new" in shown(app)


LABELLED = "id\ttext\tlabel\n1\t加微信领取红包\t删除\n2\t今天下雨了\t正常\n3\t明天考试\t警告\n".encode()


def choose(app: AppTest, value: str) -> None:
    app.radio[0].set_value(value).run()


def test_labels_of_a_file_are_asked_about_and_brought_in(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    columns(app, ("log.tsv", LABELLED))
    assert not is_offered(app)
    choose(app, "log")
    assert not is_offered(app)
    select(app, "means-删除", "violation")
    select(app, "means-警告", "-")
    press(app, "import")
    assert rows(app) == [["log.tsv", "3", "0", "0", "2"]]
    with project.database.read() as session:
        labels = session.execute(select_rows(Annotation.label, Annotation.source)).all()
    assert sorted(map(tuple, labels)) == [("normal", "modlog"), ("violation", "modlog")]


def test_a_column_that_is_called_label_may_be_none(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    many = "\n".join(f"{number}\t第{number}条\t{number}" for number in range(20))
    visit_as(lead)
    columns(app, ("a.tsv", f"id\ttext\tlabel\n{many}\n".encode()))
    choose(app, "people")
    assert "more than 12 different values" in shown(app)
    assert not is_offered(app)
    choose(app, "none")
    press(app, "import")
    assert "20 new" in shown(app)
    with project.database.read() as session:
        assert session.scalars(select_rows(Annotation.id)).all() == []


OF_LABELS = ["file", "labels", "known already", "of no post here", "unreadable", "left out or repeated"]
ONLY_LABELS = (
    "帖子ID\t标签\np1\t删除\np2\t正常\np9\t删除\n\t正常\np3\t警告\np1\t删除\np4\t正常\np4\t删除\n".encode()
)


def label_counts(app: AppTest) -> list[str]:
    part = next(part for part in html_of(app).split("<table") if "of no post here</th>" in part)
    head, _, body = part.partition("<tbody>")
    assert re.findall("<th(?: [^>]*)?>(.*?)</th>", head) == OF_LABELS
    return re.findall("<td[^>]*>(.*?)</td>", body)


def saved_labels(project: Project) -> list[tuple[str, str | None, str | None]]:
    query = select_rows(Post.external_id, Annotation.label, Annotation.source).join(
        Post, Post.id == Annotation.post_id
    )
    with project.database.read() as session:
        return sorted(map(tuple, session.execute(query)))


def test_labels_of_posts_that_are_here_come_in_without_a_text(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    import_texts(project, lead, ["加微信领取红包", "今天下雨了", "明天考试", "后天放假"])
    visit_as(lead)
    columns(app, ("标签.tsv", ONLY_LABELS))
    assert "Labels of posts that are here." in shown(app)
    assert headings(app)[:2] == ["line", "id 帖子ID"]
    assert [row[1:] for row in rows(app)][:2] == [["p1", "删除"], ["p2", "正常"]]
    assert not is_offered(app)
    assert len(app.radio[0].options) == 2
    choose(app, "log")
    assert not is_offered(app)
    select(app, "means-删除", "violation")
    select(app, "means-警告", "-")
    press(app, "import")
    assert label_counts(app) == ["标签.tsv", "2", "0", "1", "3", "2"]
    assert "2 labels came in, 0 were known already; 1 of no post here, 3 unreadable, 2 left out" in shown(app)
    assert saved_labels(project) == [("p1", "violation", "modlog"), ("p2", "normal", "modlog")]


def test_lines_without_a_post_can_be_downloaded_with_their_reasons(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    receipt = import_texts(project, lead, ["加微信领取红包", "今天下雨了", "明天考试", "后天放假"])
    visit_as(lead)
    columns(app, ("a.tsv", ONLY_LABELS))
    choose(app, "log")
    select(app, "means-删除", "violation")
    select(app, "means-警告", "-")
    press(app, "import")
    number = receipt.import_id + 1
    assert f"/download/imports/{number}/unreadable.tsv" in shown(app)
    kept = [(row.line, str(row.reason), row.content) for row in rejects_of(project, number)]
    assert kept[:2] == [(4, "no text, and no post has the id p9", "p9\t删除"), (5, "no id", "\t正常")]
    assert [line for line, _reason, _content in kept[2:]] == [8, 9]
    assert all(reason in shown(app) for _line, reason, _content in kept)


def test_labels_that_come_in_again_are_known(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    import_texts(project, lead, ["加微信领取红包"])
    visit_as(lead)
    for expected in (["1", "0"], ["0", "1"]):
        columns(app, ("a.csv", b"id,label\np1,violation\n"))
        choose(app, "people")
        press(app, "import")
        assert label_counts(app)[1:3] == expected
        press(app, "import-done")
    assert saved_labels(project) == [("p1", "violation", None)]


def test_labels_and_their_posts_come_in_together_and_the_posts_first(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    labels = b'{"id": 7, "label": "violation"}\n{"id": 8, "label": "normal"}\n'
    visit_as(lead)
    columns(app, ("labels.jsonl", labels), ("posts.tsv", "id\ttext\n7\t一\n".encode()))
    choose(app, "people")
    press(app, "import")
    assert rows(app) == [["posts.tsv", "1", "0", "0"]]
    assert label_counts(app) == ["labels.jsonl", "1", "0", "1", "0", "0"]
    assert saved_labels(project) == [("7", "violation", None)]


def test_an_answer_given_here_stands_beside_labels_that_come_in(
    app: AppTest, project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead)
    post = answers.hold_posts(project, ann)[0].post_id
    answers.submit(project, ann, post, "violation")
    with project.database.read() as session:
        name = session.get_one(Post, post).external_id
    visit_as(lead)
    columns(app, ("a.csv", f"id,label\n{name},normal\n".encode()))
    choose(app, "people")
    press(app, "import")
    assert label_counts(app)[1] == "1"
    with project.database.read() as session:
        current = session.execute(
            select_rows(Annotation.person_id, Annotation.label, Annotation.origin).where(
                Annotation.post_id == post, is_current()
            )
        ).all()
    assert sorted(map(tuple, current)) == sorted(
        [(ann.id, "violation", "person"), (lead.id, "normal", "import")]
    )


def test_a_file_that_may_hold_a_text_is_not_taken_for_labels(
    app: AppTest, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    columns(app, ("a.tsv", "id\tcontent\tbody\tlabel\n1\t一\t二\tnormal\n".encode()))
    assert "Choose the column that holds the text." in shown(app)
    assert "Labels of posts that are here." not in shown(app)


def test_the_uploaders_button_speaks_chinese_too(app: AppTest, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead, language="zh")
    press(app.run(), "import-open")
    assert '--upload: "选择文件"' in shown(app)
