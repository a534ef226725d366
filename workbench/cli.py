"""The `workbench` command: parses, calls a use case, prints. Light: torch and Streamlit stay in the
processes it starts."""

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from db.tables import Round
from trainer.errors import TrainerError
from workbench import (
    accounts,
    adoption,
    bundles,
    demo,
    doctor,
    guidelines,
    imports,
    jobs,
    labels,
    outlook,
    review,
    rounds,
    services,
    simulation,
    status,
    tsv,
)
from workbench.errors import InputError, WorkbenchError
from workbench.project import Project, init_project, open_project
from workbench.settings import load_settings

app = typer.Typer(
    help="Active-learning annotation workbench for forum moderation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
round_app = typer.Typer(help="Training rounds.", no_args_is_help=True)
app.add_typer(round_app, name="round")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

HomeOption = Annotated[Path, typer.Option("--home", envvar="WORKBENCH_HOME", help="The project's folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NumberArgument = Annotated[int, typer.Argument(help="The round's number.")]
POLL_SECONDS = 0.5
WORKER_PATIENCE_SECONDS = 120
"""Longer than a worker at low priority takes to load torch beside busy cores; that none runs is said at once."""


def main() -> None:
    """Run the command; a refusal is one line on standard error and exit status 1."""
    is_debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments)
    except (WorkbenchError, TrainerError, OSError) as error:
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
    out.print(
        f"Made a project in {project.home}. Next: workbench import FILE.tsv", markup=False, soft_wrap=True
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
        with _bar() as bar:
            task = bar.add_task(file.name, total=source.size)
            begin = time.monotonic()
            receipt = imports.import_rows(
                project,
                accounts.command_line(project),
                source,
                on_progress=lambda rows, read: bar.update(task, completed=read, description=f"{rows:,} rows"),
            )
    seconds = time.monotonic() - begin
    if as_json:
        _print_json(
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
    _say_worker(project)


@app.command("import-labels")
def import_labels_command(
    file: Path,
    home: HomeOption = Path(),
    label_column: str = "label",
    text_column: str | None = None,
    id_column: str | None = None,
    encoding: str | None = None,
    label_map: Annotated[
        str | None, typer.Option("--map", help="Their names for ours: 删除=violation,通过=normal")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Where chosen labels come from, such as modlog: they train, but never judge."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Import labels people gave elsewhere, from JSONL or TSV."""
    project = open_project(home)
    receipt = labels.import_labels(
        project,
        accounts.command_line(project),
        file,
        label_column=label_column,
        text_column=text_column,
        id_column=id_column,
        encoding=encoding,
        mapping=labels.parse_map(label_map),
        source=source,
    )
    if as_json:
        _print_json(labelled=receipt.labelled, unchanged=receipt.unchanged, new_posts=receipt.new_posts)
        return
    out.print(
        f"{receipt.labelled:,} labels saved, {receipt.unchanged:,} were there already, {receipt.new_posts:,} new posts."
    )


@app.command("score")
def score_command(home: HomeOption = Path()) -> None:
    """Have the worker score what the adapter in use has not scored."""
    project = open_project(home)
    with project.database.write() as session:
        jobs.enqueue(project.database.engine, session, jobs.Job.PREPARE, 0, job_id=f"score-{time.time_ns()}")
    out.print("Queued.")
    _say_worker(project)


@app.command("status")
def status_command(home: HomeOption = Path(), as_json: JsonOption = False) -> None:
    """Posts, labels, the band, the queue, what the next labels should bring."""
    project = open_project(home)
    figures, ahead = status.read_status(project).to_dict(), outlook.read_outlook(project)
    if as_json:
        _print_json(**figures, next_100=None if ahead is None else ahead.to_dict())
        return
    table = Table(show_header=False, box=None)
    for name, value in figures.items():
        if name != "labels":
            table.add_row(name.replace("_", " "), _shown(value))
    for split, counts in figures["labels"].items():
        table.add_row(
            f"labels in {split}", ", ".join(f"{count:,} {label}" for label, count in counts.items())
        )
    if ahead is not None:
        low, mean, high = (
            100 * value for value in (ahead.gain.interval[0], ahead.gain.mean, ahead.gain.interval[1])
        )
        told = f"{mean:+.1f} ({low:.1f} to {high:.1f}) points of macro-F1, about {ahead.minutes:.0f} min"
        table.add_row("next 100 labels", told)
    out.print(table)


@app.command("review")
def review_command(home: HomeOption = Path(), as_json: JsonOption = False) -> None:
    """Posts people asked a lead about, and posts they judge differently."""
    project = open_project(home)
    cases = review.open_cases(project, accounts.command_line(project))
    if as_json:
        _print_json(cases=[case.to_dict() for case in cases])
        return
    table = Table("post", "why", "text", "who said what")
    for case in cases:
        said = [f"{one.name}: {one.label or 'asks'} {one.note or ''}".strip() for one in case.opinions]
        why = "asked" if case.is_flagged else "judged differently"
        table.add_row(*map(Text, (case.external_id, why, case.text[:60], "; ".join(said))))
    out.print(table)


@app.command("guidelines")
def guidelines_command(
    file: Annotated[Path, typer.Argument(help="A text file, UTF-8.")], home: HomeOption = Path()
) -> None:
    """Put new guidelines in force; people read them with G."""
    project = open_project(home)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("{file} cannot be read: {problem}.", file=file, problem=error) from error
    version = guidelines.publish(project, accounts.command_line(project), text)
    out.print(f"Version {version} of the guidelines is in force.")


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
        _print_json(**checkup.to_dict())
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
        str, typer.Option(help="Names with commas between; default is the queue as the settings compose it.")
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
    raise typer.Exit(simulation.simulate(load_settings(home), arguments))


@round_app.command("start")
def round_start(
    home: HomeOption = Path(),
    quick: Annotated[bool, typer.Option("--quick", help="A trial of a few minutes.")] = False,
    base: Annotated[str | None, typer.Option(help="Another base encoder for this round.")] = None,
    notes: str | None = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until it has ended or awaits a decision.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train and judge a new adapter."""
    project = open_project(home)
    number = rounds.start(project, accounts.command_line(project), is_quick=quick, base=base, notes=notes)
    _follow(project, number, wait, as_json)


def _follow(project: Project, number: int, wait: bool, as_json: bool) -> None:
    """Say that a round is queued, and stay with it where that is wanted."""
    if not as_json:
        out.print(f"Round {number} is queued.")
        _say_worker(project)
    if wait:
        _wait_for_round(project, number)
        _print_round(project, number, as_json)
        _refuse_failure(project, number)
    elif as_json:
        _print_json(number=number)


@round_app.command("list")
def round_list(home: HomeOption = Path(), as_json: JsonOption = False) -> None:
    """All rounds, newest first."""
    project = open_project(home)
    with project.database.read() as session:
        rows = rounds.history(session)
    if as_json:
        out.print_json(json.dumps(rows, ensure_ascii=False))
        return
    table = Table("round", "state", "in use", "macro-F1", "labels", "by", "why", box=None)
    for row in rows:
        macro_f1 = (row["metrics"] or {}).get("macro_f1")
        table.add_row(
            str(row["number"]),
            row["state"],
            "yes" if row["in_use"] else "",
            "" if macro_f1 is None else f"{macro_f1:.3f}",
            str(row["train"]["n"] or ""),
            row["started_by"],
            row["failure"] or row["decision_reason"] or "",
        )
    out.print(table)


@round_app.command("show")
def round_show(number: NumberArgument, home: HomeOption = Path(), as_json: JsonOption = False) -> None:
    """One round: state, metrics, verdict."""
    _print_round(open_project(home), number, as_json)


@round_app.command("cancel")
def round_cancel(number: NumberArgument, home: HomeOption = Path()) -> None:
    """Stop a running round."""
    project = open_project(home)
    rounds.cancel(project, accounts.command_line(project), number)
    out.print(f"Round {number} is cancelled.")


@round_app.command("promote")
def round_promote(
    number: NumberArgument, home: HomeOption = Path(), reason: str | None = None, wait: bool = False
) -> None:
    """Put a round's adapter in use."""
    project = open_project(home)
    rounds.promote(project, accounts.command_line(project), number, reason)
    _after_promotion(project, number, wait)


@round_app.command("reject")
def round_reject(number: NumberArgument, home: HomeOption = Path(), reason: str | None = None) -> None:
    """Decide not to use a round's adapter."""
    project = open_project(home)
    rounds.reject(project, accounts.command_line(project), number, reason)
    out.print(f"Round {number} is not used.")


@round_app.command("rollback")
def round_rollback(home: HomeOption = Path(), wait: bool = False) -> None:
    """Put the adapter back that was in use before this one."""
    project = open_project(home)
    _after_promotion(project, rounds.rollback(project, accounts.command_line(project)), wait)


@round_app.command("bundle")
def round_bundle(
    number: Annotated[
        int | None, typer.Argument(help="The round whose rows are packed; without it, what is labelled now.")
    ] = None,
    home: HomeOption = Path(),
    with_pool: Annotated[
        bool, typer.Option("--with-pool", help="Add every post, to be scored where the adapter is trained.")
    ] = False,
    file: Annotated[Path | None, typer.Option("--out", help="The archive (.tar.gz).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Pack a round to be trained on another machine, such as a rented GPU."""
    project = open_project(home)
    with _bar() as bar:
        task = bar.add_task("posts", total=None, visible=with_pool)
        made = bundles.bundle(
            project,
            accounts.command_line(project),
            file,
            number=number,
            has_pool=with_pool,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        _print_json(**{**asdict(made), "file": str(made.file)})
        return
    out.print(
        f"{made.file}: {made.train:,} rows to train on, {made.validation:,} for validation, {made.pool:,} posts to "
        f"score, base {made.base}; {made.size / 1e6:.1f} MB. Its README has the commands.",
        markup=False,
        soft_wrap=True,
    )


@round_app.command("adopt")
def round_adopt(
    folder: Path,
    home: HomeOption = Path(),
    notes: str | None = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until it has ended or awaits a decision.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Take home an adapter trained elsewhere: it is judged here like any other round's."""
    project = open_project(home)
    number = adoption.adopt(project, accounts.command_line(project), folder, notes=notes)
    _follow(project, number, wait, as_json)


def _after_promotion(project: Project, number: int, wait: bool) -> None:
    out.print(f"Round {number} will be in use as soon as it has scored every post.")
    _say_worker(project)
    if wait:
        _wait_for_round(project, number)
        _print_round(project, number, as_json=False)
        _refuse_failure(project, number)


def _wait_for_round(project: Project, number: int) -> None:
    """Raises WorkbenchError when no worker has been running for a while."""
    seen_worker = time.monotonic()
    with _bar() as bar:
        task = bar.add_task("queued", total=None)
        while True:
            with project.database.read() as session:
                row = rounds.find(session, number)
            if row.state in rounds.SETTLED and not row.is_running:
                return
            if rounds.is_worker_running(project):
                seen_worker = time.monotonic()
            elif time.monotonic() - seen_worker > WORKER_PATIENCE_SECONDS:
                raise WorkbenchError(
                    "Round {number} waits, but no worker is running. Start one: workbench worker",
                    number=number,
                )
            _show_step(bar, task, project, row)
            time.sleep(POLL_SECONDS)


def _refuse_failure(project: Project, number: int) -> None:
    with project.database.read() as session:
        row = rounds.find(session, number)
    if row.failure or row.state == "cancelled":
        raise WorkbenchError(
            "Round {number}: {failure}", number=number, failure=row.failure or "it was cancelled."
        )


def _show_step(bar: Progress, task: Any, project: Project, row: Round) -> None:
    progress = rounds.read_progress(project, row)
    bar.update(task, description=row.state, completed=progress.done or 0, total=progress.total)


def _print_round(project: Project, number: int, as_json: bool) -> None:
    with project.database.read() as session:
        facts = rounds.describe(session, rounds.find(session, number))
    if as_json:
        _print_json(**facts)
        return
    metrics, verdict = facts["metrics"] or {}, facts["verdict"] or {}
    out.print(f"Round {number}: {facts['state']}{' (in use)' if facts['in_use'] else ''}", markup=False)
    for name in ("macro_f1", "linear_macro_f1", "ece"):
        if metrics.get(name) is not None:
            out.print(f"  {name}: {metrics[name]:.3f}")
    for line in (*verdict.get("reasons", ()), *verdict.get("warnings", ())):
        out.print(f"  {line}", markup=False, soft_wrap=True)
    if facts["failure"]:
        out.print(f"  {facts['failure']}", markup=False, soft_wrap=True)


def _print_preview(source: tsv.Source, as_json: bool) -> None:
    rows = [row for row, _ in zip(source, range(5), strict=False)]
    columns = source.columns
    if as_json:
        shown = [{"line": row.line, "text": row.text} for row in rows if isinstance(row, tsv.Row)]
        _print_json(
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


def _say_worker(project: Project) -> None:
    if not rounds.is_worker_running(project):
        err.print("No worker is running: start one with `workbench worker` or `workbench up`.", markup=False)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "running" if value else "not running"
    if isinstance(value, int):
        return f"{value:,}"
    return "none" if value is None else str(value)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=err,
    )


def _print_json(**values: Any) -> None:
    out.print_json(json.dumps(values, ensure_ascii=False))


if __name__ == "__main__":
    main()
