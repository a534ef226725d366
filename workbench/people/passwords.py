"""Passwords: which are accepted, and their Argon2id hashes with the costs that OWASP recommends."""

import unicodedata
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from zxcvbn import zxcvbn

from workbench.errors import InputError

SHORTEST, LONGEST = 12, 128
"""Characters."""
LONGEST_JUDGED = 72
"""More is slow to judge and no easier to guess."""
EASY_GUESSES = 9
"""Decimal digits of the number of guesses; below it a leaked table of hashes gives the password away."""

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_at_once = BoundedSemaphore(2)
"""A hash takes 19 MiB and a core: many sign-ins at once wait here."""
_NO_HASH = _hasher.hash("of no one")


def hash_password(password: str, name: str) -> str:
    """Raises InputError for a password that is too short, too long, or easily guessed by who knows the name."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputError(
            "Choose a password of {least} to {most} characters, such as four words.",
            least=SHORTEST,
            most=LONGEST,
        )
    judged = zxcvbn(_normalised(password)[:LONGEST_JUDGED], user_inputs=[name, "workbench"])
    if judged["guesses_log10"] < EASY_GUESSES:
        raise InputError("That password is easily guessed. Choose another, such as four words.")
    with _at_once:
        return _hasher.hash(_normalised(password))


def is_password(given: str, stored: str | None) -> bool:
    """Takes as long for a person without a password, so that names cannot be found out by the time."""
    with _at_once:
        try:
            is_right = _hasher.verify(stored or _NO_HASH, _normalised(given[:LONGEST]))
            return is_right and stored is not None and len(given) <= LONGEST
        except (VerifyMismatchError, InvalidHashError):
            return False


def _normalised(password: str) -> str:
    """Keyboards write the same character in several ways."""
    return unicodedata.normalize("NFKC", password)
