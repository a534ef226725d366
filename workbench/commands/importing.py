"""`workbench import`, `store-rest`, `import-labels`."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from trainer.reading.posts import Source
from trainer.reading.rows import Row
from trainer.running.terminal import printable
from workbench import accounts
from workbench.commands.progress import showing
from workbench.commands.terminal import HomeOption, JsonOption, out, print_json, say, say_worker, warn
from workbench.commands.wording.language import _, filled, listed
from workbench.imports import intake, storing, tsv
from workbench.labelling import label_files
from workbench.labelling.files.mapping import parse_map
from workbench.project import open_project

TextColumn = Annotated[
    str | None, typer.Option(help="The column with the texts; by default known by its name.")
]
IdColumn = Annotated[
    str | None,
    typer.Option(
        help="The column with the forum's ids; by default known by its name. '' for none: the text stands for it."
    ),
]
Encoding = Annotated[str | None, typer.Option(help="utf-8, gb18030 or utf-16; by default recognised.")]
Quoted = Annotated[
    bool | None,
    typer.Option("--quoted/--no-quoted", help="Quotes of a TSV enclose cells; by default recognised."),
]
Sheet = Annotated[
    str | None, typer.Option(help="The sheet of an .xlsx file; by default the only one that holds something.")
]

commands = typer.Typer()


@commands.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="A table with a header, or JSON.")],
    home: HomeOption = Path(),
    text_column: TextColumn = None,
    id_column: IdColumn = None,
    encoding: Encoding = None,
    quoted: Quoted = None,
    sheet: Sheet = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how the file would be read.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Import a forum's posts: TSV, CSV, XLSX or JSON. What is new is prepared, scored and queued by the worker."""
    project = open_project(home)
    with tsv.open_tsv(
        file,
        text_column=text_column,
        id_column=id_column,
        encoding=encoding,
        is_quoted=quoted,
        sheet=sheet,
    ) as source:
        if dry_run:
            _print_preview(source, as_json)
            return
        if source.columns.id is None:
            warn("No id column: the text stands for it.")
        name = printable(file.name)
        with showing(name) as show:
            begin = time.monotonic()
            receipt = intake.import_rows(
                project,
                accounts.command_line(project),
                source,
                on_progress=lambda rows, read: show(
                    filled("{name}, {rows:,} rows, bytes read", name=name, rows=rows), read, source.size
                ),
            )
    seconds = time.monotonic() - begin
    if as_json:
        print_json(
            import_id=receipt.import_id,
            rows=receipt.rows,
            accepted=receipt.accepted,
            duplicates=receipt.duplicates,
            rejected=receipt.rejected,
            encoding=source.encoding,
            seconds=round(seconds, 3),
        )
        _fail_if_all_rejected(receipt)
        return
    say(
        "{rows:,} rows: {accepted:,} accepted, {duplicates:,} duplicate, {rejected:,} rejected ({encoding}, {speed:,.0f} "
        "rows/s).",
        rows=receipt.rows,
        accepted=receipt.accepted,
        duplicates=receipt.duplicates,
        rejected=receipt.rejected,
        encoding=source.encoding,
        speed=receipt.rows / max(seconds, 1e-9),
    )
    for reject in receipt.rejects[:10]:
        say("  line {line}: {reason}", line=reject.line, reason=reject.reason)
    if receipt.rejected > 10:
        say("  ... all of them are on the Posts page.")
    say_worker(project)
    _fail_if_all_rejected(receipt)


def _fail_if_all_rejected(receipt: intake.Receipt) -> None:
    if receipt.rejected and receipt.rejected == receipt.rows:
        warn("Every row was rejected: nothing was imported.")
        raise typer.Exit(1)


@commands.command("store-rest")
def store_rest_command(
    number: Annotated[int, typer.Argument(help="The import, as the message about it says.")],
    is_sure: Annotated[bool, typer.Option("--yes", help="Do it. Without this it is only shown.")] = False,
    home: HomeOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Store what can be read of an import whose waiting rows were lost from the disk, and do without the others."""
    project = open_project(home)
    rest = storing.store_the_rest(project, accounts.command_line(project), number, is_dry=not is_sure)
    if as_json:
        print_json(**rest.to_dict(), done=is_sure)
        return
    if not is_sure:
        say(
            "{stored:,} posts would be stored, {lost:,} rows given up with their files.",
            stored=rest.stored,
            lost=rest.lost,
        )
        say("Nothing was changed. Add --yes to do it.")
        return
    say("{stored:,} posts stored, {lost:,} rows given up.", stored=rest.stored, lost=rest.lost)
    if rest.lost:
        say("Import the file again to have them: what is known by now is a duplicate.")
    say_worker(project)


@commands.command("import-labels")
def import_labels_command(
    file: Annotated[Path, typer.Argument(help="A table with a header, or JSON.")],
    home: HomeOption = Path(),
    label_column: Annotated[
        str | None, typer.Option(help="The column with their labels; by default known by its name.")
    ] = None,
    text_column: TextColumn = None,
    id_column: IdColumn = None,
    encoding: Encoding = None,
    quoted: Quoted = None,
    sheet: Sheet = None,
    label_map: Annotated[
        str | None,
        typer.Option("--map", help="Their names for ours: 删除=violation,通过=normal,警告=- (left out)"),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Where chosen labels come from, such as modlog: they train, but never judge."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Import labels people gave elsewhere: TSV, CSV, XLSX, JSON, or an export of doccano, Label Studio or Argilla."""
    project = open_project(home)
    receipt = label_files.import_labels(
        project,
        accounts.command_line(project),
        file,
        label_column=label_column,
        text_column=text_column,
        id_column=id_column,
        encoding=encoding,
        is_quoted=quoted,
        sheet=sheet,
        mapping=parse_map(label_map),
        source=source,
    )
    if as_json:
        print_json(**asdict(receipt))
        return
    for line in _receipt_lines(receipt, source):
        out.print(line, markup=False, soft_wrap=True)
    if receipt.places.get(label_files.UNPREPARED):
        say_worker(project)


def _receipt_lines(receipt: label_files.LabelReceipt, source: str | None) -> Iterator[str]:
    yield filled(
        "{labelled:,} labels saved, {unchanged:,} were there already, {new_posts:,} new posts, {left_out:,} lines left out.",
        labelled=receipt.labelled,
        unchanged=receipt.unchanged,
        new_posts=receipt.new_posts,
        left_out=receipt.left_out,
    )
    if receipt.superseded:
        yield filled(
            "{count:,} earlier actions were superseded by the last one on the same post.",
            count=receipt.superseded,
        )
    if receipt.repeated:
        yield filled(
            "{count:,} lines repeat the label of another line about the same post.", count=receipt.repeated
        )
    yield filled("Their posts: {places}.", places=listed([*_places(receipt, source)]) or _("none"))
    if source is not None:
        yield _(
            "Labels with a source train, but do not judge. A round is measured on posts of validation and test, "
            "which people label in the queue (their held-out share); or import careful labels without --source."
        )


def _places(receipt: label_files.LabelReceipt, source: str | None) -> Iterator[str]:
    places = receipt.places
    if places.get(label_files.TRAIN):
        yield filled("{count:,} train", count=places[label_files.TRAIN])
    if receipt.held_out:
        unused = _(" (labels with a source are never used there)") if source is not None else ""
        yield filled(
            "{count:,} held out for validation, test and audit{unused}", count=receipt.held_out, unused=unused
        )
    if places.get(label_files.UNPREPARED):
        yield filled(
            "{count:,} wait for the worker, which decides whether they train or are held out",
            count=places[label_files.UNPREPARED],
        )
    if places.get(label_files.SET_ASIDE):
        yield filled("{count:,} set aside, which are not used", count=places[label_files.SET_ASIDE])


def _print_preview(source: Source, as_json: bool) -> None:
    rows = [row for row, _ in zip(source, range(5), strict=False)]
    columns = source.columns
    if as_json:
        shown = [{"line": row.line, "text": row.text} for row in rows if isinstance(row, Row)]
        print_json(
            encoding=source.encoding,
            columns=list(columns.names),
            text=columns.text,
            id=columns.id,
            rows=shown,
        )
        return
    no_id = _("none, the text stands for it")
    say(
        "{encoding}; text: {text}; id: {id}",
        encoding=source.encoding,
        text=columns.text,
        id=columns.id or no_id,
    )
    for row in rows:
        shown_row = row.text if isinstance(row, Row) else filled("rejected: {reason}", reason=row.reason)
        say("  line {line}: {reason}", line=row.line, reason=shown_row[:100])
