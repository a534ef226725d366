"""`workbench export`: all labels."""

from pathlib import Path
from typing import Annotated

import typer

from workbench import accounts
from workbench.commands.terminal import (
    HeadingsOption,
    HomeOption,
    JsonOption,
    Language,
    print_json,
    say,
    tell,
)
from workbench.commands.wording.words import counts_text
from workbench.exports.labelled_posts import COLUMNS, export_labels
from workbench.project import open_project
from workbench.web.wording.headings import headings_in

commands = typer.Typer()


@commands.command("export")
def export_command(
    home: HomeOption = Path(),
    folder: Annotated[
        Path | None, typer.Option("--out", help="A new folder; by default one in the project's data/exports.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="jsonl, csv or datasets (Hugging Face).")] = "jsonl",
    with_audit: Annotated[
        bool,
        typer.Option(
            "--with-audit",
            help="Add the sealed audit set: a person who sees it can no longer be audited by it.",
        ),
    ] = False,
    headings: HeadingsOption = Language.EN,
    as_json: JsonOption = False,
) -> None:
    """Write all labels with where they come from."""
    project = open_project(home)
    export = export_labels(
        project,
        accounts.command_line(project),
        folder,
        form=form,
        has_audit=with_audit,
        headings=headings_in(COLUMNS, headings),
    )
    if as_json:
        print_json(folder=str(export.folder), **export.receipt)
        return
    splits = {split: sum(counts.values()) for split, counts in export.receipt["splits"].items()}
    say(
        "{folder}: {posts:,} labelled posts ({splits}), with a receipt.",
        folder=export.folder,
        posts=export.receipt["posts"],
        splits=counts_text(splits),
    )
    for note in export.notes():
        tell(note)
