"""A search for any two characters returns the posts that contain them in any form, and for a name its board."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from db.search import last_indexed, matching
from tests.workbench.making import different_texts, import_texts, write_tsv
from trainer.texts.normalisation import normalise
from workbench import accounts
from workbench.accounts import Account
from workbench.imports import search_index
from workbench.imports.intake import import_rows
from workbench.imports.preparing import prepare
from workbench.imports.tsv import open_tsv
from workbench.posts.query import contains, words_of
from workbench.posts.search import Filter, choices, find
from workbench.project import Project, open_project


def texts_found(project: Project, account: Account, query: str, **values: object) -> list[str]:
    return [post.text for post in find(project, account, Filter(text=query, **values)).posts]


@pytest.fixture
def filled(project: Project, lead: Account) -> Project:
    rows = [
        {"id": "1", "text": "加我微信，领红包", "board": "数码 闲聊"},
        {"id": "2", "text": "加我微\u200b 信 VX１２３", "board": "数码闲聊"},
        {"id": "3", "text": "微型电脑，信号很好", "board": "Off Topic"},
        {"id": "4", "text": "信微", "board": ""},
        {"id": "5", "text": '引号"和 OR NOT *(', "board": ""},
        {"id": "6", "text": "嗯", "board": ""},
    ]
    with open_tsv(write_tsv(project.home / "x.tsv", rows)) as source:
        import_rows(project, lead, source)
    prepare(project)
    return project


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("微信", ["2", "1"]),
        ("微 信", ["4", "3", "2", "1"]),
        ('"微 信"', ["2", "1"]),
        ("“微 信”", ["2", "1"]),
        ("「微 信」 vx", ["2"]),
        ("红包 微信", ["1"]),
        ("红包　微信", ["1"]),
        ("微信 号", []),
        ("信号 微", ["3"]),
        ('红包 "微信" 微', ["1"]),
        ("vx123", ["2"]),
        ("ＶＸ", ["2"]),
        ('"和', ["5"]),
        ("ornot*(", ["5"]),
        ("信微", ["4"]),
        ("红包 广告", []),
        ("嗯", ["6"]),
        ("信", ["4", "3", "2", "1"]),
    ],
)
def test_a_text_is_found_by_what_it_says_newest_first(
    filled: Project, lead: Account, query: str, ids: list[str]
) -> None:
    assert [post.external_id for post in find(filled, lead, Filter(text=query)).posts] == ids


def test_pairs_that_stand_apart_are_no_hit(project: Project, lead: Account) -> None:
    import_texts(project, lead, ["甲乙，乙丙", "甲乙丙"])
    prepare(project)
    with project.database.read() as session:
        assert session.scalars(matching(search_index.pairs("甲乙丙"))).all() == [2, 1]
    assert texts_found(project, lead, "甲乙丙") == ["甲乙丙"]


def test_a_board_is_found_however_it_is_spelled_alone_and_with_words(filled: Project, lead: Account) -> None:
    boards = choices(filled, lead).boards
    assert [(board.name, board.posts) for board in boards] == [("数码闲聊", 2), ("Off Topic", 1)]
    assert len(find(filled, lead, Filter(board="数码闲聊")).posts) == 2
    assert texts_found(filled, lead, "微信", board="off topic") == []
    assert texts_found(filled, lead, "信号", board="OFF TOPIC") == ["微型电脑，信号很好"]


def test_the_index_goes_on_after_the_last_post_it_holds(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_texts(project, lead, different_texts(25))
    monkeypatch.setattr(search_index, "BATCH", 10)
    real = search_index.index_missing
    monkeypatch.setattr(search_index, "index_missing", lambda _project: 0)
    prepare(project)
    with project.database.read() as session:
        assert search_index.is_behind(session)

    def die(_seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(search_index.time, "sleep", die)  # after the first transaction
        with pytest.raises(KeyboardInterrupt):
            real(project)
    assert find(project, lead, Filter(text="没有")).is_partial
    assert real(project) == 15
    assert real(project) == 0
    with project.database.read() as session:
        assert not search_index.is_behind(session)
        assert last_indexed(session) == 25
    assert not find(project, lead, Filter(text="没有")).is_partial


def test_what_is_not_prepared_is_not_found_yet(project: Project, lead: Account) -> None:
    import_texts(project, lead, ["加我微信"])
    assert texts_found(project, lead, "微信") == []
    prepare(project)
    assert texts_found(project, lead, "微信") == ["加我微信"]


def test_one_character_looks_through_the_newest_and_says_so(filled: Project, lead: Account) -> None:
    hits = find(filled, lead, Filter(text="信"), look_through=3)
    assert [post.external_id for post in hits.posts] == ["4"]
    assert (hits.is_short, hits.is_cut, hits.after) == (True, True, 4)
    rest = find(filled, lead, Filter(text="信"), before=hits.after)
    assert [post.external_id for post in rest.posts] == ["3", "2", "1"]
    assert (rest.is_cut, rest.after) == (False, None)


@given(st.text(max_size=30), st.data())
def test_whatever_stands_in_a_text_has_its_pairs_among_its_terms(text: str, data: st.DataObject) -> None:
    normal = normalise(text)
    start = data.draw(st.integers(0, len(normal)))
    piece = normal[start : data.draw(st.integers(start, len(normal)))]
    assert search_index.pairs(piece) <= search_index.terms_of(text, {})
    assert contains(text, [piece])


@given(text=st.text(st.characters(exclude_categories=("Cs",)), min_size=2, max_size=12))
def test_the_index_finds_every_pair_whatever_its_characters(blank_index: Project, text: str) -> None:
    """FTS5 tokenises by its own Unicode classes: no pair may be split or dropped."""
    terms = search_index.terms_of(text, {})
    with blank_index.database.read() as session:
        session.begin_nested()
        search_index.add(session, [(1, " ".join(sorted(terms)))])
        matched = {term for term in terms if session.scalars(matching([term])).all() == [1]}
        session.rollback()
    assert matched == terms


@example(query="微\udcff信")
@given(query=st.text(st.characters() | st.sampled_from('"“”「」 *():^-微信\x00'), max_size=30))
def test_any_query_is_searched_without_an_error_and_its_hits_hold_all_words(
    blank_index: Project, query: str
) -> None:
    lead = accounts.command_line(blank_index)
    page = find(blank_index, lead, Filter(text=query))
    assert all(contains(post.text, words_of(query)) for post in page.posts)


@pytest.fixture(scope="module")
def blank_index(blank_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = open_project(copytree(blank_home, tmp_path_factory.mktemp("index") / "project"))
    yield project
    project.database.dispose()
