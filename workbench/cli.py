"""The `workbench` command: lists the commands and reports errors in one line.

Only the module of the invoked command is imported, which keeps the start fast.
"""

import os
import sys
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError
from typer.core import TyperCommand, TyperGroup

from trainer.messages import MessageError
from trainer.running.terminal import INTERRUPTED, accept_any_text, printable
from workbench.commands.wording.language import _, choose, filled, told
from workbench.commands.wording.usage import refusing, translate_titles, translated
from workbench.web.wording.i18n import speaking


class Command(NamedTuple):
    module: str
    summary: str


COMMANDS = {
    "demo": Command(
        "demo",
        "Make a sample project with four weeks of history and open it: nothing to configure, no network, no GPU.",
    ),
    "init": Command("running", "Make a new project here."),
    "up": Command("running", "Bring the database up to date, start the worker and the web app."),
    "worker": Command("running", "Run only the worker (on the GPU box)."),
    "users": Command("team.people", "People: who may come in, and in which role."),
    "import": Command(
        "importing",
        "Import a forum's posts: TSV, CSV, XLSX or JSON. What is new is prepared, scored and queued by the worker.",
    ),
    "store-rest": Command(
        "importing",
        "Store what can be read of an import whose waiting rows were lost from the disk, and do without the others.",
    ),
    "import-labels": Command(
        "importing",
        "Import labels people gave elsewhere: TSV, CSV, XLSX, JSON, or an export of doccano, Label Studio or Argilla.",
    ),
    "score": Command("running", "Have the worker score what the adapter in use has not scored."),
    "status": Command("status", "Posts, labels, the band, the queue, what the next labels should bring."),
    "doctor": Command(
        "measuring",
        "What this machine can do for rounds, and how long one takes. Exit status 1: none could run here.",
    ),
    "simulate": Command(
        "measuring", "Replay a labelled set: how fast does quality rise, by which choice of posts?"
    ),
    "adapt": Command(
        "training.adapting",
        "Let the base encoder read the pool's posts without labels; later rounds train on the result.",
    ),
    "round": Command("training.rounds", "Training rounds."),
    "policy": Command("thresholds", "Thresholds by cost."),
    "decide": Command("thresholds", "Write what is to happen to each new post: pass, human or flag."),
    "overview": Command("overview", "Where the project stands, and what to do next."),
    "review": Command("review", "Posts people asked a lead about, and posts they judge differently."),
    "resolve": Command(
        "review", "Decide what a post is: training uses this instead of the votes, which stay."
    ),
    "doubts": Command(
        "review",
        "Labels that everything else speaks against, the worst first. Change or confirm one with `resolve`.",
    ),
    "timesheet": Command(
        "review",
        "What each person did on each day, by this machine's clock, and what became of skipped posts.",
    ),
    "purge": Command(
        "purging", "Remove posts for good, from the database, exports and score files. It cannot be undone."
    ),
    "audit": Command(
        "team.audit", "Who did what: verify that no entry was changed, or take all entries away."
    ),
    "guidelines": Command("review", "Put new guidelines in force; people read them with G."),
    "export": Command("exports", "Write all labels with where they come from."),
    "posts": Command("posts", "Find posts, newest first."),
    "post": Command("posts", "Everything that ever happened to one post."),
    "radar": Command(
        "radar",
        "Rising words, words of violations in disguise, and whether the model sees other posts than before.",
    ),
}
"""In the order of `--help`. Each summary equals the first line of the command's own help (tested)."""


DESCRIPTION = "Active-learning annotation workbench for forum moderation."


class _Commands(TyperGroup):
    """Lists COMMANDS without importing their modules, and loads the invoked one."""

    def __init__(self, **settings: Any) -> None:
        listed = {name: TyperCommand(name, help=command.summary) for name, command in COMMANDS.items()}
        super().__init__(**settings | {"commands": listed})
        translated(self)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with refusing():
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed if name is None else translated(load(name)), rest

    def invoke(self, ctx: Any) -> Any:
        with refusing():
            return super().invoke(ctx)


def load(name: str) -> Any:
    module = import_module(f"workbench.commands.{COMMANDS[name].module}")
    return typer.main.get_group(module.commands).commands[name]


app = typer.Typer(
    cls=_Commands,
    callback=lambda: None,  # typer makes no group without commands or a callback
    help=DESCRIPTION,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    accept_any_text()
    os.umask(0o077)  # posts and names are for this user alone
    is_debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    with speaking(choose(arguments, os.environ)):
        translate_titles()
        try:
            app(arguments)
        except SystemExit as end:
            if end.code == INTERRUPTED:
                print(_("interrupted"), file=sys.stderr)
            raise
        except Exception as error:
            if is_debug:
                raise
            _die(_sentence(error))


def _sentence(error: Exception) -> str:
    match error:
        case MessageError():
            return told(error.message)
        case OSError():
            return str(error)
        case SQLAlchemyError():
            return filled(
                "the database refused: {reason}. Check that its folder is writable and has space.",
                reason=getattr(error, "orig", error),
            )
        case OverflowError():
            return _("One of the numbers is too large.")
    return filled("{kind}: {reason} (--debug shows where)", kind=type(error).__name__, reason=error)


def _die(sentence: str) -> NoReturn:
    line = filled("error: {sentence}", sentence=" ".join(sentence.split()))
    print(printable(line), file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
