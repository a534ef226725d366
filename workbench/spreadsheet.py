"""Text that a spreadsheet program may open."""

BOM = "\ufeff"
"""First in the file: without it Excel takes Chinese for another encoding."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def not_a_formula(text: str) -> str:
    """A spreadsheet runs what begins like a formula; a leading quote keeps it text."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
