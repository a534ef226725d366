"""Streamed downloads. Names in a request are only compared with existing ones, so no path can be traversed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route
from zipstream import ZipStream

from trainer.reading.rejects import Reject
from workbench import accounts, audit
from workbench.accounts import Account, Right
from workbench.auditing.export import COLUMNS, lines_of
from workbench.auditing.listing import wanted_of
from workbench.errors import NotAllowedError
from workbench.exports.jsonl import FILES
from workbench.exports.labelled_posts import RECEIPT, Export, list_exports
from workbench.exports.spreadsheet import csv_lines
from workbench.imports import intake
from workbench.labelling import timesheet
from workbench.posts import search
from workbench.posts.search import ListedPost
from workbench.thresholds.written import written_verdicts
from workbench.web.current_project import project
from workbench.web.identity import visitor_of
from workbench.web.server.guard import SIGN_IN_FIRST
from workbench.web.server.plain_pages import language_of
from workbench.web.server.refusing import refusal
from workbench.web.wording.headings import headings_in
from workbench.web.wording.i18n import N_
from workbench.web.wording.messages import message_in

LONGEST_NUMBER = 9
MOST_POSTS = 1_000


AUDIT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}

Make = Callable[[Request, Account], Response | None]
"""Makes the answer for a person with the right; None if there is no such file. Runs in a thread."""

NO_FILE = N_("There is no such file.")
NOT_YOURS = N_("You may not take this file. Ask a lead.")
WRONG_QUERY = N_("Write since=2026-01-31 and zone=Asia/Shanghai.")


def _download(address: str, right: Right, make: Make) -> Route:
    """A route that checks the right first, and records each file that is taken and each refusal."""

    async def answer(request: Request) -> Response:
        visitor = await run_in_threadpool(visitor_of, request)
        if visitor is None:
            return refusal(request.scope, 401, SIGN_IN_FIRST)
        try:
            return await run_in_threadpool(_taken, request, visitor.account, right, make)
        except NotAllowedError:
            return refusal(request.scope, 403, NOT_YOURS)

    return Route(address, answer, methods=["GET"])


def _taken(request: Request, account: Account, right: Right, make: Make) -> Response:
    accounts.check(project(), account, right)
    response = make(request, account)
    if response is None:
        return refusal(request.scope, 404, NO_FILE)
    if response.status_code == 200:
        with accounts.acting(project(), account, right) as session:
            audit.record(session, project(), account.id, "download", request.url.path)
    return response


def _export(request: Request, _account: Account) -> Response | None:
    number, name = _number(request), request.path_params["name"]
    if number is None or name not in FILES:
        return None
    return _file(project().export_folder(number) / name, f"round-{number:04d}-{name}")


def _rejected(request: Request, _account: Account) -> Response | None:
    number = _number(request)
    if number is None:
        return None
    rows = _rejected_rows(intake.rejects_of(project(), number), language_of(request))
    lines = csv_lines(rows, delimiter="\t")
    return _stream(lines, f"import-{number}-unreadable.tsv", "text/tab-separated-values; charset=utf-8")


def _labels(request: Request, _account: Account) -> Response | None:
    export, name = _named(request), request.path_params["file"]
    if export is None or name not in {*export.receipt["files"], RECEIPT}:
        return None
    return _file(export.folder / name, f"{export.folder.name}-{name}")


def _folder(request: Request, _account: Account) -> Response | None:
    export = _named(request)
    if export is None:
        return None
    # Packed while it is sent.
    return _stream(ZipStream.from_path(export.folder), f"{export.folder.name}.zip", "application/zip")


def _verdicts(request: Request, account: Account) -> Response | None:
    name = request.path_params["name"]
    files = (one.file for one in written_verdicts(project(), account))
    file = next((file for file in files if file.name == name), None)
    return None if file is None else _file(file, f"verdicts-{name}")


def _posts(request: Request, account: Account) -> Response | None:
    numbers = [int(number) for number in request.query_params.getlist("post") if _is_number(number)]
    posts = search.posts_of(project(), account, numbers[:MOST_POSTS])
    if not posts:
        return None
    return _stream(
        csv_lines(_listed_rows(posts, language_of(request))), "posts.csv", "text/csv; charset=utf-8"
    )


def _timesheet(request: Request, account: Account) -> Response:
    query = request.query_params
    try:
        since = date.fromisoformat(query["since"]) if "since" in query else None
        zone = ZoneInfo(query.get("zone", "UTC"))
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return refusal(request.scope, 400, WRONG_QUERY)
    days = timesheet.timesheet(project(), account, since=since, zone=zone)
    headings = headings_in(timesheet.COLUMNS, language_of(request))
    return _stream(csv_lines(timesheet.cells(days, headings)), "timesheet.csv", "text/csv; charset=utf-8")


def _audit(form: str) -> Make:
    def make(request: Request, account: Account) -> Response:
        try:
            wanted = wanted_of(request.query_params)
        except (ValueError, OverflowError, ZoneInfoNotFoundError, OSError):
            return refusal(request.scope, 400, WRONG_QUERY)
        headings = headings_in(COLUMNS, language_of(request))
        lines = lines_of(project(), account, form, wanted, headings=headings)
        return _stream(lines, f"audit.{form}", AUDIT_TYPES[form])

    return make


def _number(request: Request) -> int | None:
    """Of a round or an import; None if it is longer than any of them."""
    text = request.path_params["number"]
    return int(text) if _is_number(text) else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER


def _named(request: Request) -> Export | None:
    name = request.path_params["name"]
    return next((export for export in list_exports(project()) if export.folder.name == name), None)


def _file(file: Path, name: str) -> Response | None:
    return (
        FileResponse(file, filename=name, content_disposition_type="attachment") if file.is_file() else None
    )


def _stream(content: Iterable[str | bytes], name: str, media_type: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(content, media_type=media_type, headers=headers)


ROUTES = [
    _download("/download/rounds/{number:str}/{name:str}", Right.EXPORT, _export),
    _download("/download/labels/{name:str}.zip", Right.EXPORT, _folder),
    _download("/download/labels/{name:str}/{file:str}", Right.EXPORT, _labels),
    _download("/download/verdicts/{name:str}", Right.EXPORT, _verdicts),
    _download("/download/posts.csv", Right.EXPORT, _posts),
    _download("/download/timesheet.csv", Right.REVIEW, _timesheet),
    *(_download(f"/download/audit.{form}", Right.READ_AUDIT, _audit(form)) for form in AUDIT_TYPES),
    _download("/download/imports/{number:str}/unreadable.tsv", Right.IMPORT, _rejected),
]


def _listed_rows(posts: Sequence[ListedPost], language: str) -> Iterator[Sequence[object]]:
    yield headings_in(("id", "text", "board", "label"), language)
    for post in posts:
        yield post.external_id, post.text, post.board or "", " ".join(post.standing)


def _rejected_rows(rows: list[Reject], language: str) -> Iterator[Sequence[object]]:
    yield headings_in(("line", "reason", "content"), language)
    for row in rows:
        yield row.line, message_in(row.reason, language), row.content
