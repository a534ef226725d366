"""Files people take away, streamed. Names are made here, so there is no path to traverse."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from workbench import imports
from workbench.accounts import Right
from workbench.tsv import Reject
from workbench.web.identity import signed_in
from workbench.web.opened import project

EXPORT_FILES = ("train.jsonl", "validation.jsonl", "test.jsonl", "receipt.json")
FORMULA_STARTS = ("=", "+", "-", "@")


async def download_export(request: Request) -> Response:
    """A file a round trained on or was judged by."""
    if refusal := await _refusal(request, Right.EXPORT):
        return refusal
    number, name = request.path_params["number"], request.path_params["name"]
    file = export_file(number, name) if name in EXPORT_FILES else None
    if file is None or not file.is_file():
        return PlainTextResponse("There is no such file.", 404)
    return FileResponse(file, filename=f"round-{number:04d}-{name}", content_disposition_type="attachment")


async def download_rejected(request: Request) -> Response:
    """The unreadable rows of an import."""
    if refusal := await _refusal(request, Right.IMPORT):
        return refusal
    number = request.path_params["number"]
    headers = {"Content-Disposition": f'attachment; filename="import-{number}-unreadable.tsv"'}
    rows = await run_in_threadpool(imports.rejects_of, project(), number)
    return StreamingResponse(
        _lines(rows), media_type="text/tab-separated-values; charset=utf-8", headers=headers
    )


def export_file(number: int, name: str) -> Path:
    """Where a round's export lies."""
    return project().annotations / f"round-{number:04d}" / name


ROUTES = [
    Route("/download/rounds/{number:int}/{name:str}", download_export, methods=["GET"]),
    Route("/download/imports/{number:int}/unreadable.tsv", download_rejected, methods=["GET"]),
]


async def _refusal(request: Request, right: Right) -> Response | None:
    found = await run_in_threadpool(signed_in, project(), request.cookies)
    if found is None or not found.account.may(right):
        return PlainTextResponse("You may not take this file. Ask a lead.", 403)
    return None


def _lines(rows: list[Reject]) -> Iterator[str]:
    yield "\ufeffline\treason\tcontent\n"
    for row in rows:
        line = io.StringIO()
        cells = (row.line, row.reason, _not_a_formula(row.content))
        csv.writer(line, delimiter="\t", lineterminator="\n").writerow(cells)
        yield line.getvalue()


def _not_a_formula(text: str) -> str:
    """A spreadsheet runs what begins like a formula; a leading quote keeps it text."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
