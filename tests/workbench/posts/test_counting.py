"""Stored counts equal counts from the tables."""

from sqlalchemy import func, select, update

from db.tables import Post
from tests.workbench.making import different_texts, import_texts
from workbench.accounts import Account
from workbench.imports.preparing import prepare
from workbench.posts.counting import set_aside_file
from workbench.project import Project
from workbench.purging.criterion import Criterion
from workbench.purging.purge import purge
from workbench.queue import swap
from workbench.queue.status import read_status


def counted(project: Project) -> tuple[int, int, int]:
    """(posts, posts waiting for their group, quarantined posts), counted from the tables."""
    posts = select(func.count()).select_from(Post)
    with project.database.read() as session:
        return (
            session.scalar(posts) or 0,
            session.scalar(posts.where(Post.group_id.is_(None))) or 0,
            session.scalar(select(func.count()).select_from(Post).where(Post.is_quarantined)) or 0,
        )


def stored(project: Project) -> tuple[int, int, int]:
    status = read_status(project)
    return status.posts, status.preparing, status.quarantined


def set_aside(project: Project, *posts: int) -> None:
    with project.database.write() as session:
        session.execute(update(Post).where(Post.id.in_(posts)).values(is_quarantined=True))


def test_figures_are_right_from_an_import_to_a_purge(project: Project, lead: Account) -> None:
    assert stored(project) == (0, 0, 0)
    texts = different_texts(90)
    import_texts(project, lead, texts[:30])
    assert stored(project) == counted(project) == (30, 30, 0)
    prepare(project)
    set_aside(project, 3, 30)
    assert stored(project) == counted(project) == (30, 0, 2)
    swap.rebuild(project)
    assert stored(project) == counted(project) == (30, 0, 2)
    import_texts(project, lead, texts[30:60], start=31)
    swap.rebuild(project)  # waiting posts are not final yet
    assert stored(project) == counted(project) == (60, 30, 2)
    prepare(project)
    set_aside(project, 31, 45)
    assert stored(project) == counted(project) == (60, 0, 4)
    swap.rebuild(project)
    purge(project, lead, Criterion(post="p31"), is_dry=False)
    assert stored(project) == counted(project) == (59, 0, 3)


def test_a_file_that_a_power_cut_emptied_is_made_again(project: Project, lead: Account) -> None:
    import_texts(project, lead, different_texts(20))
    prepare(project)
    set_aside(project, 3)
    swap.rebuild(project)
    set_aside_file(project).write_bytes(b"")
    assert stored(project) == counted(project) == (20, 0, 1)
