"""The adapter in use: its round, and the coverage of its scores."""

from sqlalchemy.orm import Session

from db.tables import Champion
from workbench.project import Project
from workbench.scores.round_scores import PartlyScored, RoundScores


def champion_number(session: Session) -> int | None:
    champion = session.get(Champion, 1)
    return None if champion is None else champion.round_number


def partly_scored_in_use(session: Session, project: Project) -> PartlyScored | None:
    number = champion_number(session)
    return None if number is None else RoundScores.of(project, number).partly_scored()
