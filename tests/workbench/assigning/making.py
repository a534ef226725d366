"""A queue of posts on boards."""

from sqlalchemy import select

from db.tables import Board, Post, PostGroup
from tests.workbench.making import different_texts, write_tsv
from workbench.accounts import Account
from workbench.imports import intake
from workbench.imports.preparing import prepare
from workbench.imports.tsv import open_tsv
from workbench.project import Project
from workbench.queue import swap

BOARDS = ("水库", "交易", "Tech")


def queue_of_boards(project: Project, lead: Account, count: int = 60) -> dict[str, int]:
    """Posts on three boards and on none in turn; returns the numbers of the boards by name."""
    names = (*BOARDS, "")
    rows = [
        {"id": f"p{at}", "text": text, "board": names[at % len(names)]}
        for at, text in enumerate(different_texts(count))
    ]
    with open_tsv(write_tsv(project.home / "boards.tsv", rows)) as source:
        intake.import_rows(project, lead, source)
    prepare(project)
    swap.rebuild(project)
    with project.database.read() as session:
        return dict(session.execute(select(Board.name, Board.id)).all())


def board_of(project: Project, post_id: int) -> int | None:
    with project.database.read() as session:
        return session.get_one(Post, post_id).board_id


def split_of(project: Project, post_id: int) -> str | None:
    split = select(PostGroup.split).join(Post, Post.group_id == PostGroup.id).where(Post.id == post_id)
    with project.database.read() as session:
        return session.scalar(split)
