"""The Audit page shows who did what in people's words, and the state of the chain."""

from datetime import date
from html import unescape

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import Clock
from tests.workbench.auditing.test_checking import write_anew
from tests.workbench.web.conftest import VisitAs
from workbench.accounts import Account, command_line
from workbench.audit import head_of, record
from workbench.auditing import listing
from workbench.project import Project

HOSTILE = "<img src=x onerror=alert(1)>\u202e![x](http://evil.example/a.png)"


def screen() -> None:
    from workbench.web.views.audit import page as audit_page  # noqa: PLC0415 - AppTest runs this function's source alone

    audit_page.show()


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(screen, default_timeout=10)


@pytest.fixture
def admin(project: Project) -> Account:
    return command_line(project)


def raw(app: AppTest) -> str:
    assert not app.exception
    return " ".join(element.proto.body for element in app.get("html"))


def add(project: Project, person: Account | None, action: str, subject: str, **detail: object) -> None:
    with project.database.write() as session:
        record(session, project, None if person is None else person.id, action, subject, **detail)


def test_entries_are_told_in_words_the_newest_first(
    app: AppTest, project: Project, admin: Account, ann: Account, visit_as: VisitAs
) -> None:
    add(project, ann, "refused", "run rounds")
    add(project, None, "judge round", "round 3", decision="ask", outcome="undecided")
    visit_as(admin)
    page = raw(app.run())
    refused = page.index("<td>Ann</td><td>action refused</td><td>run rounds</td>")
    judged = page.index(
        "<td>round judged by the gate</td><td>Round 3</td>"
        "<td>what follows: a lead decides · comparison: can&#39;t tell yet</td>"
    )
    assert judged < refused


def test_a_chinese_reader_reads_chinese_words(
    app: AppTest, project: Project, admin: Account, visit_as: VisitAs
) -> None:
    add(project, None, "judge round", "round 3", decision="ask", outcome="undecided")
    visit_as(admin, language="zh")
    page = raw(app.run())
    assert "<td>轮次经过准入检验</td><td>第 3 轮</td><td>结论：由组长决定" in page


def test_the_state_of_the_chain_is_kept_until_it_is_asked_for_again(
    app: AppTest, project: Project, admin: Account, visit_as: VisitAs, clock: Clock
) -> None:
    visit_as(admin)
    number = head_of(project).number
    assert f"Intact up to entry {number}, checked 09:00." in raw(app.run())
    clock.move(minutes=12)
    add(project, admin, "import", "a.tsv")
    assert f"Intact up to entry {number}, checked 09:00." in raw(app.run())
    app.button(key="audit-check").click()
    assert f"Intact up to entry {number + 1}, checked 09:12." in raw(app.run())
    assert str(head_of(project)) in raw(app)


def test_a_break_is_told(app: AppTest, project: Project, admin: Account, visit_as: VisitAs) -> None:
    for name in ("a.tsv", "b.tsv"):
        add(project, admin, "import", name)
    with project.database.write() as session:
        session.connection().exec_driver_sql("DROP TRIGGER audit_entry_no_update")
        session.connection().exec_driver_sql("UPDATE audit_entry SET subject = 'c' WHERE subject = 'b.tsv'")
    number = head_of(project).number
    visit_as(admin, language="zh")
    page = raw(app.run())
    assert f"审计日志第 {number} 条与其摘要不符" in page
    assert f"截至第 {number - 1} 条完好" in page


def test_hostile_text_is_text(app: AppTest, project: Project, admin: Account, visit_as: VisitAs) -> None:
    add(project, admin, HOSTILE, HOSTILE, **{HOSTILE: [HOSTILE]})
    visit_as(admin)
    page = raw(app.run())
    assert "<img" not in page
    assert "\u202e" not in page
    assert unescape(page).count("<img src=x onerror=alert(1)>") == 4


def test_a_search_narrows_the_entries_and_what_is_taken_away(
    app: AppTest, project: Project, admin: Account, ann: Account, visit_as: VisitAs, clock: Clock
) -> None:
    clock.move(days=2)
    add(project, ann, "import", "one.tsv")
    add(project, admin, "import", "two.tsv")
    add(project, admin, "download", "two.csv")
    visit_as(admin)
    app.run()
    app.text_input(key="audit-subject").set_value("two")
    app.selectbox(key="audit-action").set_value("import")
    app.selectbox(key="audit-person").set_value(str(admin.id))
    app.date_input(key="audit-since").set_value(date(2026, 1, 7))
    app.date_input(key="audit-until").set_value(date(2026, 1, 7))
    page = raw(app.run())
    assert page.count("<td>posts imported</td>") == 1
    assert "two.tsv" in page
    query = f"subject=two&person={admin.id}&action=import&since=2026-01-07&until=2026-01-07&zone=UTC"
    assert f"/download/audit.csv?{query}" in unescape(page)
    app.date_input(key="audit-until").set_value(date(2026, 1, 6))
    app.date_input(key="audit-since").set_value(date(2026, 1, 6))
    assert "No entry fits." in raw(app.run())


def test_older_entries_are_on_the_next_page(
    app: AppTest, project: Project, admin: Account, visit_as: VisitAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOKED_THROUGH", 4)
    monkeypatch.setattr(listing, "LISTED", 2)
    for number in range(6):
        add(project, admin, "import", f"{number}.tsv")
    visit_as(admin)
    assert "5.tsv" in raw(app.run())
    app.button(key="audit-older-1").click()
    page = raw(app.run())
    assert "3.tsv" in page
    assert "5.tsv" not in page
    app.button(key="audit-newer-2").click()
    assert "5.tsv" in raw(app.run())
    app.text_input(key="audit-subject").set_value("0.tsv")
    assert "4 entries were looked through for this page." in raw(app.run())
    app.button(key="audit-older-1").click()
    assert "<td>0.tsv</td>" in raw(app.run())


def test_others_see_nothing_of_it(app: AppTest, ann: Account, visit_as: VisitAs) -> None:
    visit_as(ann)
    page = raw(app.run())
    assert "This page is for those who may read the audit." in page
    assert "<td>" not in page


def test_a_rewritten_audit_is_told_beside_its_receipt(
    app: AppTest, project: Project, admin: Account, visit_as: VisitAs
) -> None:
    add(project, admin, "import", "a.tsv")
    folder = project.data / "exports" / "1"
    folder.mkdir(parents=True)
    (folder / "receipt.json").write_text(f'{{"audit_head": "{head_of(project)}"}}', encoding="utf-8")
    write_anew(project, head_of(project).number)
    visit_as(admin)
    assert "data/exports/1/receipt.json names another entry" in raw(app.run())
