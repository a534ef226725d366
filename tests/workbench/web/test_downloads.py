"""Exports and unreadable rows: for leads alone, under names of ours."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.workbench.making import ready_queue, write_tsv
from workbench import imports, labelling
from workbench.accounts import Account
from workbench.project import Project
from workbench.tsv import open_tsv
from workbench.web import identity
from workbench.web.serve import DOORS, ROUTES

As = Callable[[Account], TestClient]


@pytest.fixture
def client_of(project: Project) -> Iterator[As]:
    with TestClient(Starlette(routes=ROUTES, middleware=DOORS), follow_redirects=False) as client:

        def use(account: Account) -> TestClient:
            client.cookies[identity.COOKIE] = identity.make_cookie(project, account)
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
    ],
)
def test_no_other_file_can_be_named(client_of: As, lead: Account, path: str) -> None:
    assert client_of(lead).get(f"/download/rounds/{path}").status_code in {401, 404}


@pytest.mark.usefixtures("exported")
def test_an_annotator_takes_nothing(client_of: As, ann: Account) -> None:
    client = client_of(ann)
    assert client.get("/download/rounds/3/train.jsonl").status_code == 403
    assert client.get("/download/imports/1/unreadable.tsv").status_code == 403


def test_unreadable_rows_come_with_line_and_reason_and_no_formula(
    client_of: As, project: Project, lead: Account, tmp_path: Path
) -> None:
    file = write_tsv(tmp_path / "posts.tsv", [{"id": "1", "text": "好"}, {"id": "2", "text": " "}])
    file.write_text(file.read_text(encoding="utf-8") + "=cmd()\n", encoding="utf-8")
    with open_tsv(file) as source:
        receipt = imports.import_rows(project, lead, source)
    answer = client_of(lead).get(f"/download/imports/{receipt.import_id}/unreadable.tsv")
    assert answer.text.split("\n")[1:3] == ['3\tno text\t"2\t "', "4\texpected 2 columns, found 1\t'=cmd()"]


def test_a_lead_takes_the_timesheet_and_nobody_else(
    client_of: As, project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    labelling.submit(project, ann, labelling.hold_posts(project, ann)[0].post_id, "normal")
    address = "/download/timesheet.csv?since=2026-01-01&zone=Asia/Shanghai"
    answer = client_of(lead).get(address)
    assert answer.text == (
        "\ufeffperson,day,labelled,skipped,asked,changed,undone,propagated,minutes\n"
        "Ann,2026-01-05,1,0,0,0,0,0,0.0\n"
    )
    assert "timesheet.csv" in answer.headers["content-disposition"]
    for wrong in ("since=x", "zone=../../etc/passwd", "zone=Nowhere"):
        assert client_of(lead).get(f"/download/timesheet.csv?{wrong}").status_code == 400
    assert client_of(ann).get(address).status_code == 403
