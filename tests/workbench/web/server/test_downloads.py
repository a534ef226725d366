"""Downloads of exports and unreadable rows: for leads only, under names the server chooses."""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient

from db.tables import AuditEntry
from tests.workbench.making import add_label, different_texts, import_texts, ready_queue, write_tsv
from tests.workbench.team import cookies_of
from workbench.accounts import Account, command_line
from workbench.audit import record
from workbench.exports.labelled_posts import export_labels
from workbench.imports import intake
from workbench.imports.preparing import prepare
from workbench.imports.tsv import open_tsv
from workbench.labelling import answers
from workbench.project import Project
from workbench.web.server import downloads
from workbench.web.server.serve import MIDDLEWARE, ROUTES

As = Callable[[Account], TestClient]


@pytest.fixture
def client_of(project: Project) -> Iterator[As]:
    app = Starlette(routes=ROUTES, middleware=MIDDLEWARE)
    with TestClient(app, base_url="http://127.0.0.1:8501", follow_redirects=False) as client:

        def use(account: Account) -> TestClient:
            client.cookies.update(cookies_of(project, account))
            return client

        yield use


@pytest.fixture
def exported(project: Project) -> Path:
    folder = project.annotations / "round-0003"
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text('{"text": "一"}\n', encoding="utf-8")
    (folder / "secret.txt").write_text("no", encoding="utf-8")
    return folder


@pytest.mark.usefixtures("exported")
def test_a_lead_takes_an_export_byte_for_byte(client_of: As, lead: Account) -> None:
    answer = client_of(lead).get("/download/rounds/3/train.jsonl")
    assert answer.text == '{"text": "一"}\n'
    assert 'filename="round-0003-train.jsonl"' in answer.headers["content-disposition"]


@pytest.mark.usefixtures("exported")
@pytest.mark.parametrize(
    "path",
    [
        "3/secret.txt",
        "3/../../../cookie.key",
        "3/%2e%2e%2fcookie.key",
        "4/train.jsonl",
        "3/test.jsonl",
        "-1/train.jsonl",
        "9999999999999999999999/train.jsonl",
        "1" * 5_000 + "/train.jsonl",
        "３/train.jsonl",
    ],
)
def test_no_other_file_can_be_named(client_of: As, lead: Account, path: str) -> None:
    assert client_of(lead).get(f"/download/rounds/{path}").status_code in {401, 404}


@pytest.mark.usefixtures("exported")
def test_an_annotator_takes_nothing(client_of: As, ann: Account) -> None:
    client = client_of(ann)
    assert client.get("/download/rounds/3/train.jsonl").status_code == 403
    assert client.get("/download/imports/1/unreadable.tsv").status_code == 403


@pytest.mark.parametrize("number", ["99999999999999999999", "9" * 5_000, "-1", "1e3", "²"])
def test_a_number_that_no_import_has_is_a_file_that_is_not_there(
    client_of: As, lead: Account, number: str
) -> None:
    assert client_of(lead).get(f"/download/imports/{number}/unreadable.tsv").status_code == 404


@pytest.mark.usefixtures("exported")
def test_each_file_that_is_taken_and_each_refusal_is_recorded(
    client_of: As, project: Project, lead: Account, ann: Account
) -> None:
    for account in (lead, ann):
        client_of(account).get("/download/rounds/3/train.jsonl")
        client_of(account).get("/download/rounds/9/train.jsonl")
    with project.database.read() as session:
        entries = session.execute(
            select(AuditEntry.person_id, AuditEntry.action, AuditEntry.subject).where(
                AuditEntry.action.in_(("download", "refused"))
            )
        ).all()
    taken = (lead.id, "download", "/download/rounds/3/train.jsonl")
    assert [tuple(entry) for entry in entries] == [taken, *[(ann.id, "refused", "export")] * 2]


def test_unreadable_rows_come_with_line_and_reason_and_no_formula(
    client_of: As, project: Project, lead: Account, tmp_path: Path
) -> None:
    file = write_tsv(tmp_path / "posts.tsv", [{"id": "1", "text": "好"}, {"id": "2", "text": " "}])
    file.write_text(file.read_text(encoding="utf-8") + "=cmd()\n", encoding="utf-8")
    with open_tsv(file) as source:
        receipt = intake.import_rows(project, lead, source)
    answer = client_of(lead).get(f"/download/imports/{receipt.import_id}/unreadable.tsv")
    assert answer.text.split("\n")[1:3] == ['3\tno text\t"2\t "', "4\texpected 2 columns, found 1\t'=cmd()"]
    chinese = {"Accept-Language": "zh-CN"}
    answer = client_of(lead).get(f"/download/imports/{receipt.import_id}/unreadable.tsv", headers=chinese)
    assert answer.text.split("\n")[:2] == ["\ufeff行\t原因\t内容", '3\t没有正文\t"2\t "']


@pytest.fixture
def labelled_posts(project: Project, lead: Account) -> None:
    import_texts(project, lead, different_texts(40))
    prepare(project)
    for post in range(1, 41):
        add_label(project, lead, post, "violation" if post % 3 else "normal")


@pytest.mark.usefixtures("labelled_posts")
def test_all_labels_are_taken_byte_for_byte(client_of: As, project: Project, lead: Account) -> None:
    export = export_labels(project, lead, form="csv")
    client = client_of(lead)
    answer = client.get(f"/download/labels/{export.folder.name}/labels.csv")
    assert answer.content == (export.folder / "labels.csv").read_bytes()
    assert answer.headers["content-disposition"].startswith("attachment")
    receipt = client.get(f"/download/labels/{export.folder.name}/receipt.json").json()
    assert receipt["files"]["labels.csv"]["sha256"] == hashlib.sha256(answer.content).hexdigest()


@pytest.mark.usefixtures("labelled_posts")
def test_a_folder_is_packed_while_it_is_sent(
    client_of: As, project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[bytes] = []

    def recording(content: Iterable[bytes], **arguments: Any) -> StreamingResponse:
        return StreamingResponse((pieces.append(piece) or piece for piece in content), **arguments)

    monkeypatch.setattr(downloads, "StreamingResponse", recording)
    export = export_labels(project, lead, form="datasets")
    (export.folder / "large").write_bytes(b"0123456789" * 100_000)
    answer = client_of(lead).get(f"/download/labels/{export.folder.name}.zip")
    assert max(map(len, pieces)) < 100_000
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert {name.partition("/")[0] for name in archive.namelist()} == {export.folder.name}
        packed = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert packed == {
        str(path.relative_to(export.folder)): path.read_bytes()
        for path in export.folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.usefixtures("labelled_posts")
def test_no_file_beside_an_export_can_be_named(client_of: As, project: Project, lead: Account) -> None:
    export = export_labels(project, lead)
    (export.folder / "secret.txt").write_text("no", encoding="utf-8")
    client = client_of(lead)
    for path in (
        f"{export.folder.name}/secret.txt",
        f"{export.folder.name}/..%2freceipt.json",
        "..%2f..",
        "x.zip",
    ):
        assert client.get(f"/download/labels/{path}").status_code in {401, 404}


@pytest.mark.usefixtures("labelled_posts")
def test_an_annotator_takes_no_labels(client_of: As, project: Project, lead: Account, ann: Account) -> None:
    export = export_labels(project, lead)
    for path in (f"{export.folder.name}/labels.jsonl", f"{export.folder.name}.zip"):
        assert client_of(ann).get(f"/download/labels/{path}").status_code == 403


def test_a_lead_takes_the_timesheet_and_nobody_else(
    client_of: As, project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
    address = "/download/timesheet.csv?since=2026-01-01&zone=Asia/Shanghai"
    answer = client_of(lead).get(address)
    assert answer.text == (
        "\ufeffperson,day,labelled,skipped,asked,changed,undone,propagated,checked,minutes\n"
        "Ann,2026-01-05,1,0,0,0,0,0,0,0.0\n"
    )
    assert "timesheet.csv" in answer.headers["content-disposition"]
    chinese = client_of(lead).get(address, headers={"Accept-Language": "zh-CN"})
    assert chinese.text.split("\n") == [
        "\ufeff姓名,日期,标注,跳过,请组长看,更改,撤销,近似帖同样处理,质检帖,分钟",
        *answer.text.split("\n")[1:],
    ]
    for wrong in ("since=x", "zone=../../etc/passwd", "zone=Nowhere"):
        assert client_of(lead).get(f"/download/timesheet.csv?{wrong}").status_code == 400
    assert client_of(ann).get(address).status_code == 403


def test_chosen_posts_are_taken_as_a_spreadsheet_that_runs_nothing(
    client_of: As, project: Project, lead: Account, ann: Account
) -> None:
    import_texts(project, lead, ["=1+1", "二", "三"])
    prepare(project)
    address = "/download/posts.csv?post=3&post=1&post=x&post=99"
    answer = client_of(lead).get(address)
    assert answer.text == "\ufeffid,text,board,label\np3,三,,\np1,'=1+1,,\n"
    assert "posts.csv" in answer.headers["content-disposition"]
    chinese = client_of(lead).get(address, headers={"Accept-Language": "zh-CN"})
    assert chinese.text.startswith("\ufeff编号,正文,版块,标签\n")
    assert client_of(lead).get("/download/posts.csv").status_code == 404
    assert client_of(ann).get(address).status_code == 403


def test_the_audit_is_taken_in_two_formats_as_searched_by_those_who_may_read_it(
    client_of: As, project: Project, ann: Account
) -> None:
    admin = command_line(project)
    with project.database.write() as session:
        record(session, project, ann.id, "import", "=1+1.tsv")
        record(session, project, ann.id, "import", "b.tsv")
    client = client_of(admin)
    answer = client.get(f"/download/audit.csv?person={ann.id}&action=import&subject=%3D&zone=Asia/Shanghai")
    assert answer.text.count("\n") == 2
    assert ",Ann,import,'=1+1.tsv,{}," in answer.text
    assert 'filename="audit.csv"' in answer.headers["content-disposition"]
    lines = client.get("/download/audit.jsonl?since=2026-01-05&until=2026-01-05").text.splitlines()
    with project.database.read() as session:
        newest = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert newest is not None
    assert len(lines) == newest.id - 1
    assert (newest.person_id, newest.action, newest.subject) == (
        admin.id,
        "download",
        "/download/audit.jsonl",
    )
    assert client_of(ann).get("/download/audit.csv").status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        "person=x",
        f"person={'1' * 5_000}",
        "person=",
        "since=x",
        "until=9999-12-31",
        "since=0001-01-01&zone=Asia/Shanghai",
        "zone=Nowhere",
        "zone=../../etc/passwd",
    ],
)
def test_a_search_of_the_audit_that_makes_no_sense_is_refused(
    client_of: As, project: Project, query: str
) -> None:
    assert client_of(command_line(project)).get(f"/download/audit.csv?{query}").status_code == 400
