"""The forum's other columns: their meanings, and names that have none."""

from datetime import date
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.imports.facts import (
    COLUMNS,
    day_of,
    fact_of,
    has_fact,
    link_of,
    meaning_of,
    pictures_of,
    thread_key,
)
from workbench.web.wording import words

FACTS = st.dictionaries(
    st.sampled_from([name for names in COLUMNS.values() for name in names] + ["verdict"]), st.text()
)


@pytest.mark.parametrize(
    ("column", "meaning"),
    [
        (" Board ", "board"),
        ("标题", "thread"),
        ("TID", "thread_id"),
        ("主题ID", "thread_id"),
        ("URL", "link"),
    ],
)
def test_a_column_is_known_by_its_name_in_any_case(column: str, meaning: str) -> None:
    assert meaning_of(column) == meaning


def test_a_column_with_a_name_of_its_own_means_nothing() -> None:
    assert meaning_of("verdict") is None


def test_no_name_means_two_things() -> None:
    names = [name for column_names in COLUMNS.values() for name in column_names]
    assert len(names) == len(set(names))
    assert all(meaning_of(name.upper()) for name in names)


def test_the_first_value_that_says_something_counts() -> None:
    assert fact_of({"topic": " ", "title": " 求助 ", "标题": "别的"}, "thread") == "求助"
    assert fact_of({"title": ""}, "thread") is None


@pytest.mark.parametrize("column", ["link", "图片", "tid", "verdict"])
def test_only_board_thread_author_and_time_have_a_word_beside_the_post(column: str) -> None:
    assert words.facts_word(column) is None


@pytest.mark.parametrize(
    "address", ["https://bbs.example.cn/t/1?p=2#3", "http://例子.中国/帖子", "HTTPS://[::1]:8080/"]
)
def test_an_absolute_address_is_a_link(address: str) -> None:
    assert link_of({"链接": f" {address} "}) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/t/1",
        "//example.cn/t",
        "bbs.example.cn/t",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://example.cn",
        "https://",
        "https:///t",
        "https://me:secret@example.cn",
        "https://bank.cn@example.cn/",
        "https://example.cn\\@bank.cn",
        "https://exam\tple.cn",
        "https://example.cn/\u202egpj.exe",
        "https://example.cn/a b",
        "https://[::1",
        "https://example.cn:99999/",
        "https://example.cn/" + "a" * 2_000,
    ],
)
def test_what_could_lead_elsewhere_is_no_link(address: str) -> None:
    assert link_of({"url": address}) is None


def test_a_second_column_may_hold_the_link() -> None:
    assert link_of({"link": "t/1", "url": "https://example.cn/t/1"}) == "https://example.cn/t/1"


@given(FACTS)
def test_no_link_has_another_scheme_or_a_hidden_character(facts: dict[str, str]) -> None:
    link = link_of(facts)
    assert link is None or (urlsplit(link).scheme in {"http", "https"} and link.isprintable())


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("", 0),
        ("0", 0),
        ("no", 0),
        ("False", 0),
        ("NaN", 0),
        ("无", 0),
        ("[]", 0),
        ("-1", 0),
        ("1", 1),
        ("true", 1),
        ("YES", 1),
        ("有", 1),
        ("3", 3),
        ("2.0", 2),
        ("83712", 1),
        ("9" * 5_000, 1),
        ("a.jpg", 1),
        ("a.jpg,b.jpg , c.png", 3),
        ("a.jpg|b.jpg", 2),
        ("a.jpg b.jpg", 2),
        ("a.jpg、b.jpg；c.jpg", 3),
        ('["a.jpg", "b.jpg"]', 2),
        ("https://e.cn/a.jpg", 1),
        ("https://e.cn/a.jpg?resize,w_100", 1),
        ("https://e.cn/a.jpg,https://e.cn/b.jpg", 2),
    ],
)
def test_pictures_are_counted(value: str, count: int) -> None:
    assert pictures_of({"Images": value}) == count


def test_two_columns_tell_of_the_same_pictures() -> None:
    assert pictures_of({"image": "1", "pics": "a.jpg,b.jpg"}) == 2
    assert pictures_of({"board": "3"}) == 0


@given(FACTS)
def test_a_count_is_never_negative(facts: dict[str, str]) -> None:
    assert pictures_of(facts) >= 0


def test_posts_of_a_thread_share_a_key_whatever_their_columns_are_called() -> None:
    key = thread_key({"board": "灌水", "title": "求助", "author": "甲"})
    assert key == thread_key({"作者": "乙", "版块": "灌水 ", "主题": " 求助"})
    assert key != thread_key({"board": "交易", "title": "求助"})
    assert key != thread_key({"title": "求助"})


def test_the_number_of_a_thread_wins_over_its_title() -> None:
    assert thread_key({"tid": "7", "title": "求助"}) == thread_key({"tid": "7", "title": "求助（已解决）"})
    assert thread_key({"tid": "7", "title": "求助"}) != thread_key({"tid": "8", "title": "求助"})
    assert thread_key({"tid": "7"}) != thread_key({"title": "7"})
    assert thread_key({"tid": " ", "title": "求助"}) == thread_key({"title": "求助"})


def test_without_a_thread_there_is_no_key() -> None:
    assert thread_key({}) is None
    assert thread_key({"board": "灌水", "title": " "}) is None


def test_a_key_stays_what_it_was_as_it_is_stored() -> None:
    assert thread_key({"board": "灌水", "tid": "7"}) == -2096486073667213091


@given(FACTS)
def test_a_key_fits_a_signed_column_of_64_bits(facts: dict[str, str]) -> None:
    key = thread_key(facts)
    assert key is None or -(2**63) <= key < 2**63


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2025-03-04 10:02", date(2025, 3, 4)),
        ("2025/3/4", date(2025, 3, 4)),
        ("2025年3月4日", date(2025, 3, 4)),
        ("2025-03-04T23:59:59Z", date(2025, 3, 4)),
        ("1700000000", date(2023, 11, 14)),
        ("1700000000123", date(2023, 11, 14)),
        ("2025-13-04", None),
        ("2025-3-444", None),
        ("3 days ago", None),
        ("", None),
    ],
)
def test_the_day_a_post_was_written(written: str, day: date | None) -> None:
    assert day_of({"时间": written}) == day


def test_every_author_column_counts() -> None:
    facts = {"author": " 老王 ", "user": "wang", "text": "老林"}
    assert [has_fact(facts, "author", name) for name in ("老王", "wang", "老林", "王")] == [
        True,
        True,
        False,
        False,
    ]
