"""`workbench radar`: rising words and drift in the newest import and its week."""

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.table import Table

from workbench import accounts
from workbench.commands.terminal import HomeOption, JsonOption, cell, out, print_json, say
from workbench.commands.wording.language import _, filled
from workbench.commands.wording.words import word
from workbench.overview.radar import Period, read_radar
from workbench.project import open_project

commands = typer.Typer()


@commands.command("radar")
def radar_command(home: HomeOption = Path(), as_json: JsonOption = False) -> None:
    """Rising words, words of violations in disguise, and whether the model sees other posts than before."""
    project = open_project(home)
    radar = read_radar(project, accounts.command_line(project))
    if as_json:
        print_json(radar=None if radar is None else radar.to_dict())
        return
    if radar is None:
        say("Nothing yet: the worker looks for what is new after each import.")
        return
    for period in radar.periods:
        _print(period)


def _print(period: Period) -> None:
    head = filled(
        "{kind} {name}: {posts:,} posts, {before:,} before",
        kind=word(period.kind),
        name=period.name,
        posts=period.posts,
        before=period.posts_before,
    )
    out.print(cell(head))
    table = Table(_("what"), _("now"), _("before"), _("for example"), box=None)
    for risen in period.rising:
        table.add_row(
            *map(cell, (risen.word, f"{risen.count:,}", f"{risen.before:,}", _first(risen.examples)))
        )
    for one in period.disguises:
        name = filled("{written} = {word} ({how})", written=one.written, word=one.word, how=word(one.how))
        table.add_row(*map(cell, (name, f"{one.count:,}", f"{one.before:,}", _first(one.examples))))
    if table.row_count:
        out.print(table)
    else:
        say("  nothing stands out")
    for drift in period.drifts:
        doubt = _(", too few posts to tell") if drift.is_chance else ""
        score = word(drift.score)
        say("  {score}: population stability index {psi:.2f}{doubt}", score=score, psi=drift.psi, doubt=doubt)


def _first(examples: Sequence[str]) -> str:
    return " ".join(examples[0].split())[:60] if examples else ""
