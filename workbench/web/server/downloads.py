"""Streamed downloads. Names in a request are only compared with existing ones, so no path can be traversed."""

from collections.abc import Iterator, Sequence
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from zipstream import ZipStream

from workbench.accounts import Account, Right
from workbench.exports.jsonl import FILES
from workbench.exports.labelled_posts import RECEIPT, Export, list_exports
from workbench.exports.spreadsheet import csv_lines
from workbench.imports import intake
from workbench.imports.rejects import Reject
from workbench.labelling import timesheet
from workbench.web.current_project import project
from workbench.web.identity import signed_in


async def download_export(request: Request) -> Response:
    if refusal := await _refusal(request, Right.EXPORT):
        return refusal
    number, name = request.path_params["number"], request.path_params["name"]
    file = project().export_folder(number) / name if name in FILES else None
    if file is None or not file.is_file():
        return PlainTextResponse("There is no such file.", 404)
    return FileResponse(file, filename=f"round-{number:04d}-{name}", content_disposition_type="attachment")


async def download_rejected(request: Request) -> Response:
    if refusal := await _refusal(request, Right.IMPORT):
        return refusal
    number = request.path_params["number"]
    headers = {"Content-Disposition": f'attachment; filename="import-{number}-unreadable.tsv"'}
    rows = await run_in_threadpool(intake.rejects_of, project(), number)
    return StreamingResponse(
        csv_lines(_rejected_rows(rows), delimiter="\t"),
        media_type="text/tab-separated-values; charset=utf-8",
        headers=headers,
    )


async def download_labels(request: Request) -> Response:
    if refusal := await _refusal(request, Right.EXPORT):
        return refusal
    export, name = await _named(request), request.path_params["file"]
    if export is None or name not in {*export.receipt["files"], RECEIPT}:
        return PlainTextResponse("There is no such file.", 404)
    file, file_name = export.folder / name, f"{export.folder.name}-{name}"
    return FileResponse(file, filename=file_name, content_disposition_type="attachment")


async def download_folder(request: Request) -> Response:
    if refusal := await _refusal(request, Right.EXPORT):
        return refusal
    export = await _named(request)
    if export is None:
        return PlainTextResponse("There is no such file.", 404)
    # Packed while it is sent.
    archive = await run_in_threadpool(ZipStream.from_path, export.folder)
    headers = {"Content-Disposition": f'attachment; filename="{export.folder.name}.zip"'}
    return StreamingResponse(archive, media_type="application/zip", headers=headers)


async def _named(request: Request) -> Export | None:
    exports = await run_in_threadpool(list_exports, project())
    name = request.path_params["name"]
    return next((export for export in exports if export.folder.name == name), None)


async def download_timesheet(request: Request) -> Response:
    if refusal := await _refusal(request, Right.REVIEW):
        return refusal
    query = request.query_params
    try:
        since = date.fromisoformat(query["since"]) if "since" in query else None
        zone = ZoneInfo(query.get("zone", "UTC"))
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return PlainTextResponse("Write since=2026-01-31 and zone=Asia/Shanghai.", 400)
    visitor = await run_in_threadpool(signed_in, project(), request.cookies)
    if visitor is None:
        return PlainTextResponse("Sign in first.", 401)
    days = await run_in_threadpool(_days, visitor.account, since, zone)
    return StreamingResponse(
        csv_lines(timesheet.cells(days)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="timesheet.csv"'},
    )


def _days(account: Account, since: date | None, zone: ZoneInfo) -> Iterator[timesheet.PersonDay]:
    return timesheet.timesheet(project(), account, since=since, zone=zone)


ROUTES = [
    Route("/download/rounds/{number:int}/{name:str}", download_export, methods=["GET"]),
    Route("/download/labels/{name:str}.zip", download_folder, methods=["GET"]),
    Route("/download/labels/{name:str}/{file:str}", download_labels, methods=["GET"]),
    Route("/download/timesheet.csv", download_timesheet, methods=["GET"]),
    Route("/download/imports/{number:int}/unreadable.tsv", download_rejected, methods=["GET"]),
]


async def _refusal(request: Request, right: Right) -> Response | None:
    visitor = await run_in_threadpool(signed_in, project(), request.cookies)
    if visitor is None or not visitor.account.may(right):
        return PlainTextResponse("You may not take this file. Ask a lead.", 403)
    return None


def _rejected_rows(rows: list[Reject]) -> Iterator[Sequence[object]]:
    yield "line", "reason", "content"
    for row in rows:
        yield row.line, str(row.reason), row.content
