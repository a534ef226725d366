"""A column has the meaning that a person chose, and no other column has it too."""

from workbench.imports.columns import guess_facts, renamed
from workbench.imports.facts import Meaning, fact_of

NAMES = ("text", "Board", "forum", "fid", "time")


def kept(chosen: dict[Meaning, str | None]) -> dict[str, str]:
    """A row in which each cell is the name of its column, as it is kept."""
    names = dict(renamed(NAMES, chosen))
    return {names.get(name, name): name for name in NAMES}


def test_the_first_column_of_a_meaning_is_guessed() -> None:
    assert guess_facts(NAMES) == {"board": "Board", "time": "time"}


def test_a_guess_that_stays_changes_nothing() -> None:
    assert renamed(NAMES, {"board": "Board", "time": "time", "author": None}) == ()


def test_another_column_takes_the_meaning() -> None:
    assert fact_of(kept({"board": "forum"}), "board") == "forum"
    assert fact_of(kept({"board": "fid"}), "board") == "fid"
    assert fact_of(kept({"author": "fid"}), "author") == "fid"


def test_a_meaning_that_is_not_wanted_is_no_columns() -> None:
    row = kept({"board": None, "time": "time"})
    assert fact_of(row, "board") is None
    assert fact_of(row, "time") == "time"
    assert set(row.values()) == set(NAMES)
