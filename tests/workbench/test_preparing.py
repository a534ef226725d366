"""Groups and splits are given once: copies stay together, on one side, for ever."""

from collections import defaultdict
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db.tables import Post, PostGroup, PostText
from tests.workbench.making import different_texts, import_texts
from trainer.duplicates import SPLITS, group_key, normalise, split_of
from workbench import preparing
from workbench.accounts import Account
from workbench.preparing import prepare
from workbench.project import Project

LONG = "这个显卡我用了两年多一直没出过问题现在想升级所以出掉有意的私聊价格可以谈"


def groups(project: Project) -> list[int | None]:
    with project.database.read() as session:
        return list(session.scalars(select(Post.group_id).order_by(Post.id)))


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


def test_grouping_does_not_depend_on_the_size_of_the_steps(
    project: Project, lead: Account, monkeypatch: object
) -> None:
    texts = [LONG, *different_texts(4), LONG + "。", LONG.replace("显卡", "键盘"), *different_texts(4)]
    import_texts(project, lead, texts)
    preparing.CHUNK, was = 2, preparing.CHUNK
    try:
        prepare(project)
    finally:
        preparing.CHUNK = was
    found = groups(project)
    assert found[0] == found[5] == found[6]
    assert found[1:5] == found[7:]


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


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    picks=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["", "!", "。", " ", "\u200b", "哈"])),
        min_size=1,
        max_size=25,
    ),
    salt=st.integers(0, 10**9),
)
def test_no_group_ever_stands_in_two_splits(
    project: Project, lead: Account, picks: list[tuple[int, str]], salt: int
) -> None:
    base = different_texts(6)
    rows = [f"{base[pick]}{ending}" for pick, ending in picks]
    import_texts(project, lead, rows, start=salt)
    prepare(project)
    by_text: dict[str, set[str]] = defaultdict(set)
    with project.database.read() as session:
        for text, split in session.execute(
            select(PostText.text, PostGroup.split)
            .join(Post, Post.id == PostText.post_id)
            .join(PostGroup, PostGroup.id == Post.group_id)
            .where(Post.is_quarantined.is_(False))
        ):
            by_text[normalise(text)[:24]].add(split)
    assert all(len(splits) == 1 for splits in by_text.values())


def test_splits_have_their_shares() -> None:
    drawn = [split_of(group_key(f"text {number}")) for number in range(5_000)]
    for name, share in SPLITS:
        assert abs(drawn.count(name) / len(drawn) - share) < 0.02
