"""Boards of posts get their numbers once, and a column that is no board does not fill the project with names."""

import pytest
from sqlalchemy import select

from db.tables import Board, Post
from tests.workbench.making import different_texts, write_tsv
from workbench.accounts import Account
from workbench.imports import boards, intake, preparing
from workbench.imports.boards import LONGEST_NAME, board_name
from workbench.imports.preparing import prepare
from workbench.imports.tsv import open_tsv
from workbench.project import Project


def import_boards(project: Project, lead: Account, names: list[str], *, start: int = 1) -> None:
    texts = different_texts(start + len(names))[start:]
    rows = [
        {"id": f"p{at}", "text": text, "版块": name}
        for at, (text, name) in enumerate(zip(texts, names, strict=True), start=start)
    ]
    with open_tsv(write_tsv(project.home / f"from-{start}.tsv", rows)) as source:
        intake.import_rows(project, lead, source)
    prepare(project)


def boards_of_posts(project: Project) -> list[str | None]:
    query = select(Board.name).select_from(Post).outerjoin(Board, Board.id == Post.board_id)
    with project.database.read() as session:
        return list(session.scalars(query.order_by(Post.id)))


def test_posts_of_later_chunks_and_files_get_the_same_boards(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "CHUNK", 2)
    first, second = ["水库", "交易", "水库", ""], ["交易", "Tech"]
    import_boards(project, lead, first)
    import_boards(project, lead, second, start=5)
    assert boards_of_posts(project) == ["水库", "交易", "水库", None, "交易", "Tech"]
    with project.database.read() as session:
        assert len(session.scalars(select(Board.id)).all()) == 3


def test_beyond_so_many_boards_posts_have_none(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards, "MOST_BOARDS", 2)
    import_boards(project, lead, ["一", "二", "三", "二"])
    assert boards_of_posts(project) == ["一", "二", None, "二"]


def test_a_name_without_needless_spaces_and_not_too_long() -> None:
    assert board_name({"Board": "  a \t b "}) == "a b"
    assert board_name({"board": "长" * LONGEST_NAME}) == "长" * LONGEST_NAME
    assert board_name({"board": "长" * (LONGEST_NAME + 1)}) is None
    assert board_name({"author": "a"}) is None
