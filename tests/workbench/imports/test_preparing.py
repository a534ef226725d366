"""Groups and splits are assigned once and do not change; copies stay together on one side."""

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, event, select

from db.tables import Import, Post, PostGroup, PostText
from tests.workbench.making import different_texts, import_texts, ready_queue
from trainer.texts.duplicates import NEAR, band_keys, shingles, similarity, split_of
from trainer.texts.normalisation import group_key, normalise
from workbench import accounts
from workbench.accounts import Account
from workbench.imports import preparing
from workbench.imports.preparing import prepare
from workbench.labelling import answers
from workbench.project import Project, open_project

LONG = "这个显卡我用了两年多一直没出过问题现在想升级所以出掉有意的私聊价格可以谈"

HEADS = ["今天下午我在城南", "去年冬天他们从北方", "有位朋友昨晚给大家", "听说隔壁小区新开了"]
TAILS = ["价格可以慢慢商量", "谁要的话留言就好", "明天之前还没决定", "照片发在下面楼里"]
CORES = [
    "搬家整理出来一台用了两年多的旧显卡风扇有点响其他都没毛病包装盒子也还留着",
    "看完电影回来的路上忽然下起大雨我们几个在桥洞底下躲了半个小时才走得成",
]
EDITS: list[Callable[[str], str]] = [
    str,
    lambda text: text + "！",
    ".".join,
    lambda text: "\u200b" + text.replace("了", "\u3000了"),
    lambda text: text[:20] + "哈" + text[21:],
    lambda text: text[1:-2],
    lambda text: "楼主你好" + text,
    lambda text: text + "ａс",
]
"""Heads, tails and edits produce near-copies; posts with neither head nor tail in common are not near-copies."""

posts = st.builds(
    lambda head, core, tail, edit: edit(head + core + tail),
    *map(st.sampled_from, (HEADS, CORES, TAILS, EDITS)),
)
Row = tuple[str, int, str, bool]
"""(text, group, split, is_quarantined) of a post."""


def groups(project: Project) -> list[int | None]:
    with project.database.read() as session:
        return list(session.scalars(select(Post.group_id).order_by(Post.id)))


def rows(project: Project) -> list[Row]:
    with project.database.read() as session:
        posts = session.execute(
            select(PostText.text, Post.group_id, PostGroup.split, Post.is_quarantined)
            .join(Post, Post.id == PostText.post_id)
            .join(PostGroup, PostGroup.id == Post.group_id)
            .order_by(Post.id)
        )
        return [(text, int(group or 0), split, aside) for text, group, split, aside in posts]


@contextmanager
def steps_of(size: int) -> Iterator[None]:
    preparing.CHUNK, was = size, preparing.CHUNK
    try:
        yield
    finally:
        preparing.CHUNK = was


@contextmanager
def copy_of(home: Path) -> Iterator[Project]:
    with TemporaryDirectory() as folder:
        project = open_project(shutil.copytree(home, Path(folder) / "project"))
        try:
            yield project
        finally:
            project.database.dispose()


def near_pairs(posts: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """Near-copies by the product's definition: a band in common, and similar enough."""
    keys = [set(bands) for bands in band_keys([text for text, *_ in posts]).tolist()]
    for (one, ones), (other, others) in combinations(zip(posts, keys, strict=True), 2):
        if ones & others and similarity(shingles(one[0]), shingles(other[0])) >= NEAR:
            yield one, other


def grow(project: Project, imports: Sequence[Sequence[str]], size: int) -> list[Row]:
    """Imports and prepares in turn, and checks that no earlier post changes."""
    lead = accounts.command_line(project)
    before: list[Row] = []
    with steps_of(size):
        for number, texts in enumerate(imports):
            import_texts(project, lead, texts, start=1 + 100 * number)
            prepare(project)
            after = rows(project)
            assert after[: len(before)] == before
            before = after
    return before


def test_equal_and_near_texts_share_a_group_and_others_do_not(project: Project, lead: Account) -> None:
    import_texts(
        project,
        lead,
        [LONG, LONG, LONG.replace("两年", "三年"), "ＡＢＣ\u200b 你好", "abc你好", *different_texts(5)],
    )
    assert prepare(project) == 10
    first, same, near, wide, narrow, *others = groups(project)
    assert first == same == near
    assert wide == narrow != first
    assert len({first, wide, *others}) == 7


def test_later_imports_join_earlier_groups_and_change_none(project: Project, lead: Account) -> None:
    import_texts(project, lead, [LONG, *different_texts(3)])
    prepare(project)
    before = groups(project)
    import_texts(project, lead, [LONG + "！", LONG.replace("可以谈", "不议价")], start=100)
    prepare(project)
    assert groups(project)[:4] == before
    assert groups(project)[4:] == [before[0], before[0]]


def test_grouping_does_not_depend_on_the_size_of_the_steps(project: Project, lead: Account) -> None:
    texts = [LONG, *different_texts(4), LONG + "。", LONG.replace("显卡", "键盘"), *different_texts(4)]
    import_texts(project, lead, texts)
    with steps_of(2):
        prepare(project)
    grouped = groups(project)
    assert grouped[0] == grouped[5] == grouped[6]
    assert grouped[1:5] == grouped[7:]


@pytest.mark.parametrize(("is_open", "steps"), [(False, [7]), (True, [3, 3, 1])])
def test_groups_are_written_in_short_steps_only_while_somebody_has_a_post_open(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch, is_open: bool, steps: list[int]
) -> None:
    ready_queue(project, lead)
    if is_open:
        assert answers.hold_posts(project, lead)
    import_texts(project, lead, [*different_texts(6, length=30), LONG], start=100)
    seen: list[int] = []
    save = preparing._save

    def see(connection: Connection, placed: Sequence[preparing._Placement]) -> None:
        seen.append(len(placed))
        save(connection, placed)

    monkeypatch.setattr(preparing, "STEP", 3)
    monkeypatch.setattr(preparing, "_save", see)
    prepare(project)
    assert seen == steps
    assert None not in groups(project)


def test_a_post_between_two_splits_is_set_aside(project: Project, lead: Account) -> None:
    held_out, bridge, pool = next(
        (head, middle, tail)
        for middle, other in pairwise(different_texts(600, length=60))
        for head, tail in [(other[:7] + middle[7:], middle[:-7] + other[-7:])]
        if (split_of(group_key(head)), split_of(group_key(tail))) == ("test", "pool")
    )
    import_texts(project, lead, [held_out, pool, bridge])
    prepare(project)
    with project.database.read() as session:
        rows = session.execute(
            select(PostGroup.split, Post.is_quarantined)
            .join(PostGroup, PostGroup.id == Post.group_id)
            .order_by(Post.id)
        ).all()
    assert rows[0] == ("test", False)
    assert rows[1] == ("pool", False)
    assert rows[2][1] is True


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    imports=st.lists(st.lists(posts, min_size=1, max_size=10), min_size=1, max_size=3),
    size=st.integers(1, 5),
)
def test_no_copies_ever_stand_in_two_splits(blank_home: Path, imports: list[list[str]], size: int) -> None:
    with copy_of(blank_home) as project, copy_of(blank_home) as other:
        grown = grow(project, imports, size)
        assert grow(other, imports, preparing.CHUNK) == grown
    not_quarantined = [row for row in grown if not row[3]]
    for one, copy in near_pairs(not_quarantined):
        assert one[2] == copy[2], (one, copy)
    by_text: dict[str, set[str]] = defaultdict(set)
    for text, _, split, _ in not_quarantined:
        by_text[normalise(text)].add(split)
    assert all(len(splits) == 1 for splits in by_text.values())


def test_what_was_stored_in_bulk_is_certain_before_its_files_go_and_before_it_is_called_prepared(
    project: Project, lead: Account
) -> None:
    synchronous: list[int] = []

    def see(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE import SET"):
            driver = connection.connection.dbapi_connection
            assert driver is not None
            synchronous.append(driver.execute("PRAGMA synchronous").fetchone()[0])

    event.listen(Engine, "before_cursor_execute", see)
    try:
        import_texts(project, lead, different_texts(5))
        prepare(project)
    finally:
        event.remove(Engine, "before_cursor_execute", see)
    *imported, stored, certain, prepared = synchronous
    assert set(imported) == {2}
    assert (stored, certain, prepared) == (1, 2, 2), "2: on a connection that waits for the disk"


def test_an_import_that_comes_after_the_last_look_is_not_called_prepared(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_texts(project, lead, different_texts(5))
    look = preparing._prepare_chunk

    def look_and_import(project: Project, connection: Connection) -> int:
        count = look(project, connection)
        if not count:
            import_texts(project, lead, ["一条刚刚才到的新帖子，谁也没有看过"], start=100)
        return count

    monkeypatch.setattr(preparing, "_prepare_chunk", look_and_import)
    prepare(project)
    with project.database.read() as session:
        assert session.scalars(select(Import.state).order_by(Import.id)).all() == ["prepared", "stored"]
