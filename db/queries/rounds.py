"""Rounds, promotions and thresholds, newest first."""

from sqlalchemy import Select, select

from db.tables import Policy, Promotion, Round


def rounds_by_number() -> Select[Round]:
    return select(Round).order_by(Round.number.desc())


def policies() -> Select[Policy]:
    return select(Policy).order_by(Policy.version.desc())


def promotions() -> Select[Promotion]:
    return select(Promotion).order_by(Promotion.id.desc())
