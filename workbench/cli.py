"""The `workbench` command: parses, calls a use case, prints. Light: torch and Streamlit stay in the
processes it starts."""

import os
import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from trainer.adapters.folders import STARTER
from trainer.messages import MessageError
from workbench import accounts, demo, doctor, jobs, services
from workbench.commands.deciding import commands as deciding_commands
from workbench.commands.exports import commands as export_commands
from workbench.commands.overview import commands as overview_commands
from workbench.commands.policy import policy_app
from workbench.commands.posts import commands as posts_commands
from workbench.commands.radar import commands as radar_commands
from workbench.commands.review import commands as review_commands
from workbench.commands.rounds import round_app
from workbench.commands.terminal import (
    HomeOption,
    JsonOption,
    bar,
    err,
    out,
    partly_scored_line,
    print_json,
    say_worker,
    shown,
)
from workbench.imports import intake, storing, tsv
from workbench.labelling import label_files
from workbench.project import init_project, open_project
from workbench.queue import simulation, status
from workbench.rounds import outlook

app = typer.Typer(
    help="Active-learning annotation workbench for forum moderation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(round_app, name="round")
app.add_typer(policy_app, name="policy")
app.add_typer(deciding_commands)
app.add_typer(overview_commands)
app.add_typer(review_commands)
app.add_typer(export_commands)
app.add_typer(posts_commands)
app.add_typer(radar_commands)


def main() -> None:
    """Run the command; a refusal is one line on standard error and exit status 1."""
    is_debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments)
    except (MessageError, OSError) as error:
        if is_debug:
            raise
        _die(str(error))
    except SQLAlchemyError as error:
        if is_debug:
            raise
        _die(
            f"the database refused: {getattr(error, 'orig', error)}. Check that its folder is writable and has space."
        )
    except Exception as error:
        if is_debug:
            raise
        _die(f"{type(error).__name__}: {error} (--debug shows where)")


def _die(sentence: str) -> NoReturn:
    err.print(f"error: {' '.join(sentence.split())}", markup=False, soft_wrap=True)
    sys.exit(1)


@app.command("demo")
def demo_command(
    home: Annotated[Path, typer.Option("--home", help="Where the sample project goes.")] = Path("demo"),
    host: str | None = None,
    port: int | None = None,
    seed_only: Annotated[bool, typer.Option("--seed-only", help="Make the project, do not open it.")] = False,
) -> None:
    """Seed a sample project, score it and open it: nothing to configure, no network, no GPU."""
    begin = time.monotonic()
    project = demo.seed(home, say=lambda text: err.print(text, markup=False))
    err.print(f"The sample project is in {home} ({time.monotonic() - begin:.0f} s).", markup=False)
    if not seed_only:
        services.up(project, host=host, port=port)


@app.command("init")
def init_command(
    home: HomeOption = Path(),
    base_model: Annotated[
        str, typer.Option(help="A folder with a BERT-like encoder, or its name on the hub.")
    ] = "starter",
) -> None:
    """Make a new project here."""
    project = init_project(home, base_model=base_model)
    elsewhere = "" if home == Path() else f" --home {shlex.quote(str(home))}"
    out.print(
        f"Made a project in {project.home}. Next: workbench import FILE.tsv{elsewhere}",
        markup=False,
        soft_wrap=True,
    )
    if base_model != STARTER and not Path(base_model).is_dir():
        out.print(
            f"There is no folder {base_model}: the encoder of that name is fetched from the Hugging Face hub when it is first needed.",
            markup=False,
            soft_wrap=True,
        )


@app.command()
def up(
    home: HomeOption = Path(),
    host: str | None = None,
    port: int | None = None,
    worker: Annotated[bool, typer.Option(help="Start the worker too.")] = True,
) -> None:
    """Bring the database up to date, start the worker and the web app."""
    services.up(open_project(home), host=host, port=port, has_worker=worker)


@app.command("worker")
def worker_command(home: HomeOption = Path()) -> None:
    """Run only the worker (on the GPU box)."""
    open_project(home).database.dispose()
    # This process becomes the worker, so that a signal to it reaches the worker.
    command = services.worker_command(home)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


@app.command("import")
def import_command(
    file: Path,
    home: HomeOption = Path(),
    text_column: str | None = None,
    id_column: str | None = None,
    encoding: str | None = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how the file would be read.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Import a forum's TSV. What is new is prepared, scored and queued by the worker."""
    project = open_project(home)
    with tsv.open_tsv(file, text_column=text_column, id_column=id_column, encoding=encoding) as source:
        if dry_run:
            _print_preview(source, as_json)
            return
        with bar() as progress:
            task = progress.add_task(file.name, total=source.size)
            begin = time.monotonic()
            receipt = intake.import_rows(
                project,
                accounts.command_line(project),
                source,
                on_progress=lambda rows, read: progress.update(
                    task, completed=read, description=f"{rows:,} rows"
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
        return
    out.print(
        f"{receipt.rows:,} rows: {receipt.accepted:,} accepted, {receipt.duplicates:,} duplicate, "
        f"{receipt.rejected:,} rejected ({source.encoding}, {receipt.rows / max(seconds, 1e-9):,.0f} rows/s)."
    )
    for reject in receipt.rejects[:10]:
        out.print(f"  line {reject.line}: {reject.reason}", markup=False)
    if receipt.rejected > 10:
        out.print("  ... all of them are on the Posts page.")
    say_worker(project)


@app.command("store-rest")
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
        out.print(f"{rest.stored:,} posts would be stored, {rest.lost:,} rows given up with their files.")
        out.print("Nothing was changed. Add --yes to do it.")
        return
    out.print(f"{rest.stored:,} posts stored, {rest.lost:,} rows given up.")
    if rest.lost:
        out.print("Import the file again to have them: what is known by now is a duplicate.")
    say_worker(project)


@app.command("import-labels")
def import_labels_command(
    file: Path,
    home: HomeOption = Path(),
    label_column: str = "label",
    text_column: str | None = None,
    id_column: str | None = None,
    encoding: str | None = None,
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
    """Import labels people gave elsewhere, from JSONL or TSV."""
    project = open_project(home)
    receipt = label_files.import_labels(
        project,
        accounts.command_line(project),
        file,
        label_column=label_column,
        text_column=text_column,
        id_column=id_column,
        encoding=encoding,
        mapping=label_files.parse_map(label_map),
        source=source,
    )
    if as_json:
        print_json(**asdict(receipt))
        return
    out.print(
        f"{receipt.labelled:,} labels saved, {receipt.unchanged:,} were there already, {receipt.new_posts:,} new posts, "
        f"{receipt.left_out:,} lines left out."
    )
    if source is not None:
        out.print(
            "Labels with a source train, but do not judge. A round is measured on posts of validation and test, "
            "which people label in the queue (their held-out share); or import careful labels without --source.",
            soft_wrap=True,
        )


@app.command("score")
def score_command(home: HomeOption = Path()) -> None:
    """Have the worker score what the adapter in use has not scored."""
    project = open_project(home)
    with project.database.write() as session:
        jobs.enqueue(project.database.engine, session, jobs.Job.PREPARE, 0, job_id=f"score-{time.time_ns()}")
    out.print("Queued.")
    say_worker(project)


@app.command("status")
def status_command(home: HomeOption = Path(), as_json: JsonOption = False) -> None:
    """Posts, labels, the band, the queue, what the next labels should bring."""
    project = open_project(home)
    figures, ahead = status.read_status(project), outlook.read_outlook(project)
    if as_json:
        print_json(**figures.to_dict(), next_100=None if ahead is None else ahead.to_dict())
        return
    table = Table(show_header=False, box=None)
    for name, value in figures.to_dict().items():
        if name not in {"labels", "partly_scored"}:
            table.add_row(name.replace("_", " "), shown(value))
    for split, counts in figures.labels.items():
        table.add_row(
            f"labels in {split}", ", ".join(f"{count:,} {label}" for label, count in counts.items())
        )
    if ahead is not None:
        low, mean, high = (
            100 * value for value in (ahead.gain.interval[0], ahead.gain.mean, ahead.gain.interval[1])
        )
        gain = f"{mean:+.1f} ({low:.1f} to {high:.1f}) points of macro-F1, about {ahead.minutes:.0f} min"
        table.add_row("next 100 labels", gain)
    out.print(table)
    if figures.partly_scored is not None:
        out.print(partly_scored_line(figures.partly_scored), soft_wrap=True)


@app.command("doctor")
def doctor_command(
    home: HomeOption = Path(),
    base_model: Annotated[
        str | None, typer.Option(help="Another base encoder than the project's: a folder, or a hub name.")
    ] = None,
    price: Annotated[float | None, typer.Option(min=0, help="What an hour of this machine costs.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What this machine can do for rounds, and how long one takes. Exit status 1: none could run here."""
    err.print("Measuring; with the starter encoder this takes about 20 s ...", markup=False)
    checkup = doctor.examine(home, base=base_model, price=price)
    if as_json:
        print_json(**checkup.to_dict())
    else:
        table = Table(show_header=False, box=None)
        for name, value in doctor.rows(checkup):
            table.add_row(name, Text(value))
        out.print(table)
        for problem in checkup.problems:
            out.print(f"- {problem}", markup=False, soft_wrap=True)
    if not checkup.can_run:
        raise typer.Exit(1)


@app.command("simulate")
def simulate_command(
    pool: Annotated[
        Path, typer.Option(help="Labelled posts to choose from: TSV or JSONL with text and label.")
    ],
    test: Annotated[Path, typer.Option(help="Labelled posts to measure on.")],
    home: HomeOption = Path(),
    strategy: Annotated[
        str,
        typer.Option(
            help="Names with commas between; default is the queue as the settings and the band in force compose it."
        ),
    ] = "default,random",
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions.")] = 3,
    budget: Annotated[int, typer.Option(min=1, help="Labels a run ends with.")] = 500,
    batch: Annotated[int, typer.Option(min=1, help="Labels between two models.")] = 50,
    learner: Annotated[
        str, typer.Option(help="lora, as rounds train; or frozen: seconds instead of minutes.")
    ] = "lora",
    full: Annotated[bool, typer.Option(help="Measure what the whole pool is worth.")] = True,
    folder: Annotated[
        Path,
        typer.Option(
            "--out", help="Points and curves go there; the same command goes on where it was killed."
        ),
    ] = Path("simulation"),
    as_json: JsonOption = False,
) -> None:
    """Replay a labelled set: how fast does quality rise, by which choice of posts?"""
    values = {"pool": pool, "test": test, "strategy": strategy, "seeds": seeds, "budget": budget}
    values |= {"batch": batch, "learner": learner, "out": folder}
    arguments = [text for name, value in values.items() for text in (f"--{name}", str(value))]
    arguments += [] if full else ["--no-full"]
    arguments += ["--json"] if as_json else []
    raise typer.Exit(simulation.simulate(*simulation.queue_of(home), arguments))


def _print_preview(source: tsv.Source, as_json: bool) -> None:
    rows = [row for row, _ in zip(source, range(5), strict=False)]
    columns = source.columns
    if as_json:
        shown = [{"line": row.line, "text": row.text} for row in rows if isinstance(row, tsv.Row)]
        print_json(
            encoding=source.encoding,
            columns=list(columns.names),
            text=columns.text,
            id=columns.id,
            rows=shown,
        )
        return
    out.print(
        f"{source.encoding}; text: {columns.text}; id: {columns.id or 'none, the text stands for it'}",
        markup=False,
    )
    for row in rows:
        shown_row = row.text if isinstance(row, tsv.Row) else f"rejected: {row.reason}"
        out.print(f"  line {row.line}: {shown_row[:100]}", markup=False)


if __name__ == "__main__":
    main()
