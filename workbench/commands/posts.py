"""`workbench posts`, `post`: search, and the history of one post."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from trainer.labels import LABELS
from workbench import accounts
from workbench.commands.terminal import HomeOption, JsonOption, cell, err, out, print_json
from workbench.posts.history import Event, History, history_of
from workbench.posts.query import excerpt, places
from workbench.posts.search import LISTED, Filter, Hits, ListedPost, count, find
from workbench.project import open_project

commands = typer.Typer()

TEXT_SHOWN = 60


@commands.command("posts")
def posts_command(
    query: Annotated[
        str, typer.Argument(help="Words that all stand in the post, or a phrase in quotes.")
    ] = "",
    home: HomeOption = Path(),
    label: Annotated[str | None, typer.Option(help=f"{', '.join(LABELS)}, or none.")] = None,
    board: Annotated[str | None, typer.Option(help="The forum's board.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Posts at most, the newest.")] = LISTED,
    as_json: JsonOption = False,
) -> None:
    """Find posts, newest first."""
    project = open_project(home)
    wanted = Filter(text=query, label=label, board=board)
    account = accounts.command_line(project)
    page = find(project, account, wanted, most=limit)
    if page.is_partial:
        err.print(
            "The worker is still storing posts or making them searchable; the newest come last.", markup=False
        )
    if page.is_cut:
        err.print(f"Only the newest {page.looked_at:,} candidates were looked through.", markup=False)
    hits = Hits(len(page.posts), True) if page.after is None else count(project, account, wanted)
    if as_json:
        print_json(
            posts=[post.to_dict() for post in page.posts],
            has_more=page.after is not None,
            hits=hits.posts,
            is_exact=hits.is_exact,
        )
        return
    err.print(f"Posts found: {hits.posts:,}{'' if hits.is_exact else ' or more'}", markup=False)
    table = Table("id", "text", "label", "model", "who", box=None)
    for post in page.posts:
        external_id, *others = map(cell, _cells(post))
        table.add_row(external_id, _highlighted(post.text, wanted.words), *others)
    out.print(table)


@commands.command("post")
def post_command(
    post: Annotated[str, typer.Argument(help="The forum's id of it, or its number here.")],
    home: HomeOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Everything that ever happened to one post."""
    project = open_project(home)
    history = history_of(project, accounts.command_line(project), post)
    if as_json:
        print_json(**history.to_dict())
        return
    _print_history(history)


def _highlighted(text: str, words: Sequence[str]) -> Text:
    shown = cell(excerpt(text, words, TEXT_SHOWN))
    for start, end in places(shown.plain, words):
        shown.stylize("bold", start, end)
    return shown


def _cells(post: ListedPost) -> tuple[str, ...]:
    model = "" if post.probabilities is None else _top(post.probabilities)
    return post.external_id, " / ".join(post.standing), model, ", ".join(post.people)


def _top(probabilities: Sequence[float]) -> str:
    best = max(range(len(LABELS)), key=probabilities.__getitem__)
    return f"{LABELS[best]} {probabilities[best]:.2f}"


def _print_history(history: History) -> None:
    out.print(Text(history.text))
    facts = ", ".join(f"{name}: {value}" for name, value in history.facts.items())
    came = history.came_with
    out.print(cell(f"{history.external_id} (no. {history.post_id}) {facts}".strip()))
    out.print(cell(f"came with {came.file_name}, {came.started_at:%Y-%m-%d %H:%M} UTC"))
    table = Table("when (UTC)", "who", "what", "about it", box=None)
    for event in history.events:
        about = (f"{event.at:%Y-%m-%d %H:%M}", event.who or "", _event_text(event), _event_details(event))
        table.add_row(*map(cell, about))
    for score in history.scores:
        probabilities = ", ".join(
            f"{name} {value:.2f}" for name, value in zip(LABELS, score.probabilities, strict=True)
        )
        table.add_row("", f"round {score.number}", probabilities, "in use" if score.is_in_use else "")
    out.print(table)
    if history.is_blind:
        out.print("Kept for checking the model: scores and names are told once it is answered and decided.")
    if history.copies_in_all:
        out.print(f"{history.copies_in_all:,} near-copies, the first of them:")
    for copy in history.copies[:5]:
        out.print(cell(f"{copy.external_id}: {' '.join(copy.text.split())[:80]}"))


def _event_text(event: Event) -> str:
    if event.was and event.label:
        return f"{event.kind}: {event.was} -> {event.label}"
    label = event.label or event.was
    return f"{event.kind}: {label}" if label else event.kind


def _event_details(event: Event) -> str:
    parts = (
        "asks the lead" if event.is_flagged else None,
        event.lane,
        event.reason,
        event.source and f"from {event.source}",
        event.from_post and f"of post {event.from_post}",
        event.bulk and f"with many, no. {event.bulk}",
        event.note and f"“{event.note}”",
    )
    return "; ".join(str(part) for part in parts if part)
