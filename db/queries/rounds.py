"""Rounds, adaptations, promotions and thresholds, newest first."""

from sqlalchemy import Select, select

from db.tables import Adaptation, Policy, Promotion, Round


def rounds_by_number() -> Select[Round]:
    return select(Round).order_by(Round.number.desc())


def adaptations() -> Select[Adaptation]:
    return select(Adaptation).order_by(Adaptation.number.desc())


def policies() -> Select[Policy]:
    return select(Policy).order_by(Policy.version.desc())


def promotions() -> Select[Promotion]:
    return select(Promotion).order_by(Promotion.id.desc())
