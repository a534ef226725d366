"""The time of an action, in the ways logs write it."""

from datetime import UTC, datetime

import pytest

from workbench.labelling.files.times import moment, time_column

AT = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01 09:05",
        "2026/3/1 9:05:00",
        "2026年3月1日 9:05",
        "2026年3月1日 9时05分",
        "2026-03-01T09:05:00Z",
        "2026-03-01T17:05:00+08:00",
        "2026-03-01T09:05:00.000000Z",
        str(int(AT.timestamp())),
        f"{int(AT.timestamp())}000",
        f"{int(AT.timestamp())}.0",
        f"{int(AT.timestamp())}000000",
        "2026年3月1日9时5分0秒",
        "2026年3月1日 星期日 上午9:05",
        "2026/03/01 上午 09:05:00",
        "2026/3/1 9:05:00.000",
        "2026-03-01 9:05 AM",
        "２０２６-03-01 9：05",
        "2026-03-01 09:05:00 UTC",
        "2026-03-01 17:05:00 +0800",
        "2026/3/1 5:05:00 PM +08:00",
        "20260301T090500Z",
    ],
)
def test_one_moment_in_each_spelling(text: str) -> None:
    assert moment(text) == AT


@pytest.mark.parametrize(
    ("text", "hour"),
    [("上午 12:05", 0), ("12:05 AM", 0), ("下午12:05", 12), ("12:05 pm", 12), ("下午 15:05", 15)],
)
def test_noon_is_after_midnight(text: str, hour: int) -> None:
    assert moment(f"2026-03-01 {text}") == AT.replace(hour=hour)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-01", "9" * 400, "2026-03-01 25:00", "03/01/2026", "2026-03-019:05", "46355.5"],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert moment(text) is None


@pytest.mark.parametrize(
    ("names", "column"),
    [
        (["id", "时间", "操作时间"], "操作时间"),
        (["created_at", "Action_Time"], "Action_Time"),
        (["Created At", "Action Time"], "Action Time"),
        (["id", "time"], "time"),
        (["id", "发布时间", "posted_at"], None),
    ],
)
def test_the_time_of_the_action_comes_before_that_of_the_post(names: list[str], column: str | None) -> None:
    assert time_column(names) == column
