"""Which posts an adaptation reads."""

import numpy as np
import pytest

from tests.workbench.making import different_texts, import_texts, posts_of
from workbench.accounts import Account
from workbench.adapting import posts
from workbench.adapting.posts import count_pool, count_read, draw_posts, forget, write_numbers, write_texts
from workbench.imports.preparing import prepare
from workbench.project import Project

SPLITS = ("validation", "test", "audit")


@pytest.fixture
def texts(project: Project, lead: Account) -> list[str]:
    texts = different_texts(400)
    import_texts(project, lead, texts)
    prepare(project)
    return texts


def corpus_of(project: Project) -> list[str]:
    with project.database.read() as session:
        numbers = draw_posts(session)
    write_texts(project, numbers, project.home / "texts.txt")
    return (project.home / "texts.txt").read_text(encoding="utf-8").split("\n")[:-1]


def test_texts_of_held_out_posts_never_reach_the_corpus(project: Project, texts: list[str]) -> None:
    held_out = {texts[post - 1] for split in SPLITS for post in posts_of(project, split)}
    assert len(held_out) > 40
    assert sorted(corpus_of(project)) == sorted(set(texts) - held_out)


def test_posts_that_are_not_prepared_or_set_aside_are_not_read(
    project: Project, lead: Account, texts: list[str]
) -> None:
    first = posts_of(project, "pool")[0]
    with project.database.write() as session:
        session.connection().exec_driver_sql(f"UPDATE post SET is_quarantined = 1 WHERE id = {first}")
        assert count_pool(session) == len(posts_of(project, "pool")) - 1
    import_texts(project, lead, ["还没有分组的帖子"], start=1_000)
    corpus = corpus_of(project)
    assert texts[first - 1] not in corpus
    assert "还没有分组的帖子" not in corpus


def test_a_text_is_one_line_of_utf_8(project: Project, lead: Account) -> None:
    import_texts(project, lead, [f"{text}\u2028又一行\x0b再一行" for text in different_texts(30)])
    prepare(project)
    corpus = corpus_of(project)
    assert len(corpus) == len(posts_of(project, "pool"))
    assert all(len(line.splitlines()) == 1 for line in corpus)


def test_of_a_large_pool_a_part_is_drawn_at_random(
    project: Project, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posts, "MOST_POSTS", 50)
    with project.database.read() as session:
        numbers = draw_posts(session)
    assert len(numbers) == 50
    assert set(numbers.tolist()) < set(posts_of(project, "pool"))
    assert np.all(np.diff(numbers) > 0)
    assert numbers.max() > 200


def test_purged_posts_are_counted_and_forgotten(project: Project) -> None:
    folder = project.models
    write_numbers(np.array([2, 5, 9]), folder / posts.FILE)
    assert count_read(folder, [5, 9, 11]) == 2
    assert forget(folder, [5, 9, 11]) == 2
    assert (count_read(folder, [5, 9]), count_read(folder, [2])) == (0, 1)
    assert forget(project.home, [1]) == 0
