"""Weekly exports keep the order and the hours of the posts; opinions name what a person makes of them."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from workbench.demo.files import MINUTE, Opinions, read_rows, sample_folder, write_exports

MORNINGS = [date(2026, 3, 2) + timedelta(weeks=week) for week in range(4)]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_exports(sample_folder(), tmp_path_factory.mktemp("exports"), MORNINGS)


def test_every_post_is_exported_once_in_order(exports: list[Path]) -> None:
    ids = [row["id"] for file in exports for row in read_rows(file)]
    assert ids == [row["id"] for row in read_rows(sample_folder() / "posts.tsv")]


def test_each_export_holds_the_posts_before_its_morning(exports: list[Path]) -> None:
    for file, morning, before in zip(exports, MORNINGS, [date.min, *MORNINGS], strict=False):
        days = {datetime.strptime(row["time"], MINUTE).date() for row in read_rows(file)}  # noqa: DTZ007
        assert days
        assert max(days) <= morning
        assert min(days) >= before


def test_posts_keep_their_hour(exports: list[Path]) -> None:
    hours = [row["time"][11:] for file in exports for row in read_rows(file)]
    assert hours == [row["time"][11:] for row in read_rows(sample_folder() / "posts.tsv")]


def test_a_person_without_an_own_opinion_says_what_a_careful_moderator_says(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text("id\tlabel\n1\tnormal\n2\tsuspicious\n", encoding="utf-8")
    (tmp_path / "opinions.tsv").write_text(
        "id\twho\tsays\tuntil\tnote\tlead\treason\n2\tb\tviolation\t1\t推销\t没有联系方式\t\n",
        encoding="utf-8",
    )
    opinions = Opinions.read(tmp_path)
    assert opinions.of("1", "b", is_first=True).says == "normal"
    assert opinions.of("2", "a", is_first=True).says == "suspicious"
    assert opinions.of("2", "b", is_first=True).says == "violation"
    assert opinions.of("2", "b", is_first=False).says == "suspicious"
    assert opinions.explanations == {"2": "没有联系方式"}
