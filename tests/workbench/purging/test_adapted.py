"""A purge counts the posts that an adapted encoder has read; the encoder is kept."""

from db.tables import Adaptation
from tests.workbench.making import add_adaptation, different_texts, import_texts
from workbench.accounts import Account
from workbench.adapting.posts import count_read
from workbench.imports.preparing import prepare
from workbench.project import Project
from workbench.purging.criterion import Criterion
from workbench.purging.purge import purge


def test_the_encoders_that_have_read_a_purged_post_are_named_and_marked(
    project: Project, lead: Account
) -> None:
    import_texts(project, lead, different_texts(20))
    prepare(project)
    add_adaptation(project, lead, 1, read=[1, 2, 3], is_in_use=False)
    add_adaptation(project, lead, 2, read=[2, 3])
    shown = purge(project, lead, Criterion(post="p1"))
    assert (list(shown.adaptations), shown.is_done) == ([1], False)
    assert list(purge(project, lead, Criterion(post="p1"), is_dry=False).adaptations) == [1]
    with project.database.read() as session:
        assert [session.get_one(Adaptation, number).purged for number in (1, 2)] == [1, 0]
    assert count_read(project.base_folder(1), [1]) == 0
    assert count_read(project.base_folder(1), [2, 3]) == 2
    assert not list(purge(project, lead, Criterion(post="p1"), is_dry=False).adaptations)


def test_texts_of_an_adaptation_that_was_killed_are_removed(project: Project, lead: Account) -> None:
    import_texts(project, lead, different_texts(5))
    prepare(project)
    left = project.models / ".base-0007"
    left.mkdir()
    (left / "texts.txt").touch()
    purge(project, lead, Criterion(post="p1"), is_dry=False)
    assert not left.exists()
