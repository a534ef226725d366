"""Rounds, promotions and thresholds."""

from sqlalchemy import Select, select

from db.tables import Policy, Promotion, Round


def rounds_by_number() -> Select[Round]:
    """All rounds, newest first."""
    return select(Round).order_by(Round.number.desc())


def policies() -> Select[Policy]:
    """Versions of the thresholds, newest first."""
    return select(Policy).order_by(Policy.version.desc())


def promotions() -> Select[Promotion]:
    """Moves of the champion pointer, newest first."""
    return select(Promotion).order_by(Promotion.id.desc())
