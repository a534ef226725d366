"""Typer's own sentences in the reader's language: usage, titles of help, refused options and arguments.

Typer has no catalogue for them: its titles are constants, its refusals are English sentences, which are recognised here.
A sentence that is not recognised stays English.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer._click.exceptions import NoArgsIsHelpError, UsageError  # typer itself exports none of these
from typer._click.formatting import HelpFormatter

from workbench.commands.wording.language import N_, _, filled
from workbench.web.wording.i18n import current_language

TITLES = {
    "DEFAULT_STRING": N_("[default: {}]"),
    "ENVVAR_STRING": N_("[env var: {}]"),
    "REQUIRED_LONG_STRING": N_("[required]"),
    "ARGUMENTS_PANEL_TITLE": N_("Arguments"),
    "OPTIONS_PANEL_TITLE": N_("Options"),
    "COMMANDS_PANEL_TITLE": N_("Commands"),
    "ERRORS_PANEL_TITLE": N_("Error"),
    "RICH_HELP": N_("Try [blue]'{command_path} {help_option}'[/] for help."),
}
"""Constants of `typer.rich_utils`."""
HELP = N_("Show this message and exit.")
REFUSALS = {
    N_("Missing option {name}."): r"Missing option (?P<name>.+)\.",
    N_("Missing argument {name}."): r"Missing argument (?P<name>.+)\.",
    N_("Missing command."): r"Missing command\.",
    N_("No such option: {name}"): r"No such option: (?P<name>\S+)",
    N_("No such option: {name} (Possible options: {others})"): (
        r"No such option: (?P<name>\S+) \(Possible options: (?P<others>.+)\)"
    ),
    N_("No such command {name}."): r"No such command (?P<name>'[^']*')\.",
    N_("No such command {name}. Did you mean {others}?"): (
        r"No such command (?P<name>'[^']*')\. Did you mean (?P<others>.+)\?"
    ),
    N_("Got unexpected extra argument(s) ({arguments})"): (
        r"Got unexpected extra argument\(s\) \((?P<arguments>.+)\)"
    ),
    N_("Option {name} requires an argument."): r"Option (?P<name>'.+') requires an argument\.",
    N_("Option {name} does not take a value."): r"Option (?P<name>'.+') does not take a value\.",
    N_(
        "Invalid value for {name}: {problem}"
    ): r"Invalid value for (?P<name>(?:'[^']*'| / )+): (?P<problem>.+)",
    N_("Invalid value: {problem}"): r"Invalid value: (?P<problem>.+)",
}
PROBLEMS = {
    N_("Input should be a valid integer, unable to parse string as an integer"): (
        r"Input should be a valid integer, unable to parse string as an integer"
    ),
    N_("Input should be a valid number, unable to parse string as a number"): (
        r"Input should be a valid number, unable to parse string as a number"
    ),
    N_("Input should be greater than or equal to {least}"): (
        r"Input should be greater than or equal to (?P<least>\S+)"
    ),
    N_("{value} does not match the formats {formats}."): (
        r"Value error, (?P<value>'.*') does not match the formats (?P<formats>.+)\."
    ),
    N_(
        "Input should be less than or equal to {most}"
    ): r"Input should be less than or equal to (?P<most>\S+)",
}
"""What is wrong with a value, in the words of the library that checks it."""


class _Formatter(HelpFormatter):
    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or _("Usage: "))


class _Context(typer.Context):
    formatter_class = _Formatter


def translated(command: Any) -> Any:
    """Help texts of a command and of all below it, replaced in place: typer makes its commands anew for each call."""
    if current_language() == "en":
        return command
    command.help = command.help and _(command.help)
    command.context_class = _Context
    command.options_metavar = _("[OPTIONS]")
    help_option = command.get_help_option(typer.Context(command))
    for parameter in (*command.params, help_option):
        parameter.help = parameter.help and _(parameter.help)
    for below in getattr(command, "commands", {}).values():
        translated(below)
    if hasattr(command, "subcommand_metavar"):
        command.subcommand_metavar = _("COMMAND [ARGS]...")
    return command


def translate_titles() -> None:
    if current_language() == "en" and "typer.rich_utils" not in sys.modules:
        return
    from typer import rich_utils  # noqa: PLC0415 - typer itself loads it with the first help or refusal

    for name, text in TITLES.items():
        setattr(rich_utils, name, _(text))


@contextmanager
def refusing() -> Iterator[None]:
    """Refusals of options and arguments, in the reader's language."""
    try:
        yield
    except NoArgsIsHelpError:
        raise
    except UsageError as refusal:
        if current_language() == "en":
            raise
        raise UsageError(in_words(refusal.format_message()), refusal.ctx) from refusal


def in_words(sentence: str) -> str:
    for template, pattern in REFUSALS.items():
        if found := re.fullmatch(pattern, sentence, re.DOTALL):
            values = found.groupdict()
            if "problem" in values:
                values["problem"] = _problem(values["problem"])
            return filled(template, **values)
    return sentence


def _problem(sentence: str) -> str:
    for template, pattern in PROBLEMS.items():
        if found := re.fullmatch(pattern, sentence):
            return filled(template, **found.groupdict())
    return sentence
