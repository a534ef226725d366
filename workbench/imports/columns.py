"""Which columns of a file are the board, the thread, the author and the time: guessed by name, or chosen by a person."""

from collections.abc import Iterator, Mapping, Sequence

from workbench.imports.facts import COLUMNS, Meaning, meaning_of

FIELDS: tuple[Meaning, ...] = ("board", "thread", "author", "time")
Renamed = tuple[tuple[str, str], ...]


def guess_facts(names: Sequence[str]) -> dict[Meaning, str]:
    """The first column of each meaning."""
    return {field: name for field in FIELDS for name in reversed(names) if meaning_of(name) == field}


def renamed(names: Sequence[str], chosen: Mapping[Meaning, str | None]) -> Renamed:
    """The columns to be kept under other names, so that a column has the meaning that it was chosen for, and no other."""
    return tuple(pair for field, column in chosen.items() for pair in _renamed(names, field, column))


def _renamed(names: Sequence[str], field: Meaning, column: str | None) -> Iterator[tuple[str, str]]:
    if column is not None and meaning_of(column) != field:
        yield column, COLUMNS[field][0]
    # Of several columns with one meaning the first counts: only those that would come before the chosen one need another name.
    guessed = guess_facts(names).get(field)
    if guessed != column:
        yield from ((name, f"other {name}") for name in names if meaning_of(name) == field and name != column)
