"""`workbench users`: who is in the project, on the machine that runs it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from workbench import accounts, addresses
from workbench.accounts import ROLES
from workbench.commands.terminal import HomeOption, out, say
from workbench.commands.wording.language import _
from workbench.commands.wording.words import word
from workbench.people import identities, invitations, members
from workbench.people.identities import PROXY
from workbench.people.invitations import DAYS, Link
from workbench.people.members import Member
from workbench.project import Project, open_project

commands = typer.Typer()
users_app = typer.Typer(help="People: who may come in, and in which role.", no_args_is_help=True)
commands.add_typer(users_app, name="users")

NameArgument = Annotated[str, typer.Argument(help="The person's name.")]
RoleOption = Annotated[str, typer.Option("--role", help=f"One of {', '.join(ROLES)}.")]
DaysOption = Annotated[int, typer.Option("--days", help="How long the link works.")]


@users_app.command("list")
def users_list(home: HomeOption = Path()) -> None:
    """Everybody in the project."""
    project = open_project(home)
    table = Table(_("name"), _("role"), _("state"), _("last seen"), box=None)
    for member in members.listing(project, accounts.command_line(project)):
        seen = f"{member.seen_at:%Y-%m-%d %H:%M} UTC" if member.seen_at else _("never")
        table.add_row(member.name, word(member.role), _state(member), seen)
    out.print(table)


@users_app.command("add")
def users_add(
    name: NameArgument, role: RoleOption = "annotator", days: DaysOption = DAYS, home: HomeOption = Path()
) -> None:
    """Add a person, and print a link with which they choose a password."""
    project = open_project(home)
    by = accounts.command_line(project)
    account = members.add(project, by, name, role)
    _print_link(project, account.name, invitations.password_link(project, by, account.id, days))


@users_app.command("link")
def users_link(name: NameArgument, days: DaysOption = DAYS, home: HomeOption = Path()) -> None:
    """Print a link with which a person chooses a new password. Earlier links of theirs no longer work."""
    project = open_project(home)
    by = accounts.command_line(project)
    member = members.find_member(project, by, name)
    _print_link(project, member.name, invitations.password_link(project, by, member.id, days))


@users_app.command("role")
def users_role(name: NameArgument, role: Annotated[str, typer.Argument()], home: HomeOption = Path()) -> None:
    """Change a person's role. They sign in again."""
    project = open_project(home)
    by = accounts.command_line(project)
    member = members.find_member(project, by, name)
    members.change_role(project, by, member.id, role)
    say("{name}: {role}.", name=member.name, role=word(role))


@users_app.command("disable")
def users_disable(name: NameArgument, home: HomeOption = Path()) -> None:
    """Keep a person out. Their labels stay theirs."""
    project = open_project(home)
    by = accounts.command_line(project)
    member = members.find_member(project, by, name)
    members.disable(project, by, member.id)
    say("{name} can no longer come in.", name=member.name)


@users_app.command("enable")
def users_enable(name: NameArgument, home: HomeOption = Path()) -> None:
    """Let a disabled person in again."""
    project = open_project(home)
    by = accounts.command_line(project)
    member = members.find_member(project, by, name)
    members.enable(project, by, member.id)
    say("{name} can come in again.", name=member.name)


@users_app.command("link-identity")
def users_link_identity(
    name: NameArgument,
    identity: Annotated[str, typer.Argument(help="As the refused sign-in shows it.")],
    issuer: Annotated[str, typer.Option(help="By default the provider of the settings, or the proxy.")] = "",
    home: HomeOption = Path(),
) -> None:
    """Let the one whom a sign-in service means by an identity come in as this person."""
    project = open_project(home)
    by = accounts.command_line(project)
    member = members.find_member(project, by, name)
    identities.link(project, by, member.id, issuer or project.settings.oidc_issuer or PROXY, identity)
    say("{name} can come in by that identity.", name=member.name)


@users_app.command("unlink-identities")
def users_unlink_identities(name: NameArgument, home: HomeOption = Path()) -> None:
    """Remove a person's identities of sign-in services, and end their sessions."""
    project = open_project(home)
    by = accounts.command_line(project)
    member = members.find_member(project, by, name)
    count = identities.unlink(project, by, member.id)
    say("{name}: {count} removed.", name=member.name, count=count)


def _state(member: Member) -> str:
    if not member.is_active:
        return _("disabled")
    if member.has_password:
        return ""
    return _("by the organisation") if member.has_identity else _("no password yet")


def _print_link(project: Project, name: str, link: Link) -> None:
    settings = project.settings
    here = addresses.shown(addresses.reached_at(settings.host, settings.port))
    address = settings.public_url or f"http://{here}"
    say("For {name}, once, until {time} UTC:", name=name, time=f"{link.expires_at:%Y-%m-%d %H:%M}")
    out.print(f"{address}/join/{link.secret}", markup=False, soft_wrap=True)
