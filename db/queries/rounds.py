"""Rounds, adaptations, promotions and thresholds, newest first."""

from datetime import datetime

from sqlalchemy import Select, case, func, or_, select

from db.tables import Adaptation, Policy, Promotion, Round


def rounds_by_number() -> Select[Round]:
    return select(Round).order_by(Round.number.desc())


def adaptations() -> Select[Adaptation]:
    return select(Adaptation).order_by(Adaptation.number.desc())


def labels_taken() -> Select[datetime | None]:
    """Up to when labels had their round: the newest that was begun, or whose files hold later labels.

    A round that failed or was cancelled counts from its start, as no other is to start by itself with its labels.
    """
    is_over = Round.state.in_(("failed", "cancelled"))
    until = case((is_over, Round.created_at), else_=func.coalesce(Round.labels_until, Round.created_at))
    return select(func.max(until))


def labels_learned() -> Select[datetime | None]:
    """Up to when a measured round has labels; one that failed, was cancelled or still trains has learned nothing."""
    is_measured = or_(Round.state.in_(("awaiting", "promoted", "rejected")), Round.state_before.is_not(None))
    return select(func.max(func.coalesce(Round.labels_until, Round.created_at))).where(is_measured)


def policies() -> Select[Policy]:
    return select(Policy).order_by(Policy.version.desc())


def promotions() -> Select[Promotion]:
    return select(Promotion).order_by(Promotion.id.desc())
