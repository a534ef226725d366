"""What people choose for themselves: language and theme of the pages, the same on each of their machines."""

from dataclasses import dataclass

from db.tables import Person
from workbench.accounts import Account, Right, acting
from workbench.errors import InputError
from workbench.project import Project

THEMES = ("system", "light", "dark")
LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Preferences:
    language: str | None
    """None, as for the theme: what the browser asks for."""
    theme: str | None
    welcomed_as: str | None = None
    """The role for which they have been shown around."""


def read_preferences(project: Project, account: Account) -> Preferences:
    with project.database.read() as session:
        person = session.get_one(Person, account.id)
        return Preferences(person.language, person.theme, person.welcomed_as)


def prefer(
    project: Project, account: Account, *, language: str | None = None, theme: str | None = None
) -> None:
    """Store what is given. Raises InputError for a language or a theme that there is not."""
    if language is not None and language not in LANGUAGES:
        raise InputError("There is no such language: {language}.", language=language)
    if theme is not None and theme not in THEMES:
        raise InputError("There is no such theme: {theme}.", theme=theme)
    with acting(project, account, Right.LABEL) as session:
        person = session.get_one(Person, account.id)
        person.language = language or person.language
        person.theme = theme or person.theme


def end_welcome(project: Project, account: Account) -> None:
    """The person has been shown around, or did not want to be. Another role shows them around again."""
    with acting(project, account, Right.LABEL) as session:
        person = session.get_one(Person, account.id)
        person.welcomed_as = person.role
