"""`workbench posts`, `post`: search, and the history of one post."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from trainer.labels import LABELS
from workbench import accounts
from workbench.commands.terminal import HomeOption, JsonOption, cell, out, print_json, say, warn
from workbench.commands.wording.language import N_, _, filled, listed
from workbench.commands.wording.words import word
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
        warn("The worker is still storing posts or making them searchable; the newest come last.")
    if page.is_cut:
        warn("Only the newest {count:,} candidates were looked through.", count=page.looked_at)
    hits = Hits(len(page.posts), True) if page.after is None else count(project, account, wanted)
    if as_json:
        print_json(
            posts=[post.to_dict() for post in page.posts],
            has_more=page.after is not None,
            hits=hits.posts,
            is_exact=hits.is_exact,
        )
        return
    line = N_("Posts found: {count:,}") if hits.is_exact else N_("Posts found: {count:,} or more")
    warn(line, count=hits.posts)
    table = Table("id", _("text"), _("label"), _("model"), _("who"), box=None)
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
    return post.external_id, " / ".join(map(word, post.standing)), model, listed([*map(word, post.people)])


def _top(probabilities: Sequence[float]) -> str:
    best = max(range(len(LABELS)), key=probabilities.__getitem__)
    return f"{word(LABELS[best])} {probabilities[best]:.2f}"


def _print_history(history: History) -> None:
    out.print(Text(history.text))
    facts = listed(
        [filled("{name}: {value}", name=name, value=value) for name, value in history.facts.items()]
    )
    name = filled("{id} (no. {number})", id=history.external_id, number=history.post_id)
    out.print(cell(f"{name} {facts}".strip()))
    came = history.came_with
    out.print(
        cell(filled("came with {file}, {time} UTC", file=came.file_name, time=_minute(came.started_at)))
    )
    table = Table(_("when (UTC)"), _("who"), _("what"), _("about it"), box=None)
    for event in history.events:
        about = (_minute(event.at), word(event.who or ""), _event_text(event), _event_details(event))
        table.add_row(*map(cell, about))
    for score in history.scores:
        probabilities = listed(
            [f"{word(name)} {value:.2f}" for name, value in zip(LABELS, score.probabilities, strict=True)]
        )
        number = filled("round {number}", number=score.number)
        table.add_row("", number, probabilities, _("in use") if score.is_in_use else "")
    out.print(table)
    if history.is_blind:
        say("Kept for checking the model: scores and names are told once it is answered and decided.")
    if history.copies_in_all:
        say("{count:,} near-copies, the first of them:", count=history.copies_in_all)
    for copy in history.copies[:5]:
        out.print(cell(f"{copy.external_id}: {' '.join(copy.text.split())[:80]}"))


def _event_text(event: Event) -> str:
    kind = word(event.kind)
    if event.was and event.label:
        return filled("{name}: {value}", name=kind, value=f"{word(event.was)} -> {word(event.label)}")
    label = event.label or event.was
    return filled("{name}: {value}", name=kind, value=word(label)) if label else kind


def _event_details(event: Event) -> str:
    parts = (
        _("asks the lead") if event.is_flagged else None,
        event.lane and word(event.lane),
        event.reason,
        event.source and filled("from {source}", source=event.source),
        event.from_post and filled("of post {post}", post=event.from_post),
        event.bulk and filled("with many, no. {number}", number=event.bulk),
        event.note and f"“{event.note}”",
    )
    return _("; ").join(str(part) for part in parts if part)


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
