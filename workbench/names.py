"""Names of people that look alike are the same name.

The key of a name is its skeleton after UTS #39, without case, spaces, marks and invisible characters: two names with one
key cannot be told apart on a screen.
"""

import unicodedata

from confusable_homoglyphs.confusables import confusables_data

from trainer.texts.characters import Table, fold
from workbench.errors import InputError

LONGEST_NAME = 40
RESERVED = ("command line", "命令行")
"""The name of commands on this machine, as it is stored and as pages show it in any language."""
_SAME = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l"})


def clean_name(name: str) -> str:
    """The name without needless spaces. Raises InputError for one that is unreadable or reserved."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or not name_key(name):
        raise InputError("Give a name of 1 to {most} characters.", most=LONGEST_NAME)
    if name_key(name) in {name_key(reserved) for reserved in RESERVED}:
        raise InputError("That name is taken. Choose another.")
    return name


def name_key(name: str) -> str:
    """Of at most LONGEST_NAME characters, spaces aside: more would be slow to normalise."""
    folded = unicodedata.normalize("NFKC", " ".join(name.split())[:LONGEST_NAME]).casefold()
    return unicodedata.normalize("NFKD", folded).translate(_FOLD).translate(_SAME)


def _skeleton(character: str) -> str:
    """One character for all that look alike, directly or through another one."""
    folded = fold(character)
    if not folded or folded.isascii():
        return folded
    alike, new = {folded}, [folded]
    while new:
        entries = confusables_data.get(new.pop(), ())
        found = {entry["c"] for entry in entries if len(entry["c"]) == 1} - alike
        alike |= found
        new += found
    return min(alike)


_FOLD = Table(_skeleton)
