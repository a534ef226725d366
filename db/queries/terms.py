"""Decisions about terms of the radar."""

from sqlalchemy import Select, func, select

from db.tables import Person, TermDecision


def standing_terms() -> Select[TermDecision, str]:
    """The decision in force on each term, with the name of who made it, the newest first; cleared terms are left out."""
    newest = select(func.max(TermDecision.id)).group_by(TermDecision.term)
    return (
        select(TermDecision, Person.name)
        .join(Person, Person.id == TermDecision.person_id)
        .where(TermDecision.id.in_(newest), TermDecision.standing.is_not(None))
        .order_by(TermDecision.id.desc())
    )


def decisions_on(term: str) -> Select[TermDecision]:
    """Newest first."""
    return select(TermDecision).where(TermDecision.term == term).order_by(TermDecision.id.desc())
