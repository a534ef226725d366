"""The audit is searched newest first, page by page."""

from datetime import datetime, timedelta

import pytest

from tests.conftest import Clock
from tests.workbench.plans import plans_of
from workbench.accounts import Account, command_line
from workbench.audit import head_of, record
from workbench.auditing import listing
from workbench.auditing.listing import Page, Wanted, find
from workbench.errors import NotAllowedError
from workbench.project import Project


@pytest.fixture
def admin(project: Project) -> Account:
    return command_line(project)


@pytest.fixture
def first(project: Project, admin: Account, ann: Account, clock: Clock) -> int:
    """Twelve entries, an hour apart, by two persons; returns the number of the first."""
    first = head_of(project).number + 1
    for hour in range(12):
        clock.move(hours=1)
        with project.database.write() as session:
            person, action = (admin, "import") if hour % 3 else (ann, "download")
            record(session, project, person.id, action, f"文件 {hour}%.tsv", rows=hour)
    return first


def numbers(page: Page) -> list[int]:
    return [entry.number for entry in page.entries]


def all_pages(project: Project, admin: Account, wanted: Wanted, **limits: int) -> list[Page]:
    pages = [find(project, admin, wanted, **limits)]
    while (after := pages[-1].after) is not None:
        pages.append(find(project, admin, wanted, before=after, **limits))
    return pages


def test_pages_hold_every_entry_once_the_newest_first(project: Project, admin: Account, first: int) -> None:
    pages = all_pages(project, admin, Wanted(), most=5)
    assert [number for page in pages for number in numbers(page)] == [*range(first + 11, 0, -1)]
    assert {len(page.entries) for page in pages[:-1]} == {5}
    newest = pages[0].entries[0]
    assert (newest.person, newest.action, newest.subject, newest.detail) == (
        "command line",
        "import",
        "文件 11%.tsv",
        {"rows": 11},
    )


def test_a_page_holds_while_new_entries_come(project: Project, admin: Account, first: int) -> None:
    after = find(project, admin, Wanted(), most=5).after
    with project.database.write() as session:
        record(session, project, None, "import", "new.tsv")
    assert numbers(find(project, admin, Wanted(), before=after, most=5))[0] == first + 6


def test_person_action_and_part_of_the_subject_narrow_the_search(
    project: Project, admin: Account, ann: Account, first: int
) -> None:
    def found(wanted: Wanted) -> list[int]:
        return [number - first for number in numbers(find(project, admin, wanted)) if number >= first]

    assert found(Wanted(person_id=ann.id)) == [9, 6, 3, 0]
    assert found(Wanted(action="download", subject="文件 9")) == [9]
    assert found(Wanted(subject="1%")) == [11, 1]
    assert found(Wanted(subject="_")) == []


def test_a_time_narrows_the_search_though_the_clock_was_set_back(
    project: Project, admin: Account, first: int, clock: Clock
) -> None:
    clock.move(hours=-6)
    with project.database.write() as session:
        late = record(session, project, admin.id, "import", "late.tsv")
    begin = clock.moment
    during = Wanted(since=begin, until=begin + timedelta(hours=2))
    assert numbers(find(project, admin, during)) == [late, first + 6, first + 5]
    assert numbers(find(project, admin, Wanted(until=begin)))[0] == first + 4
    never = Wanted(since=begin + timedelta(days=9))
    assert find(project, admin, never) == Page([])
    assert find(project, admin, Wanted(until=datetime.min.replace(tzinfo=begin.tzinfo))) == Page([])


def test_a_page_looks_through_a_limited_number_of_entries(
    project: Project, admin: Account, ann: Account, first: int
) -> None:
    wanted = Wanted(person_id=ann.id, since=project.now() - timedelta(hours=11))
    pages = all_pages(project, admin, wanted, look_through=5)
    assert [numbers(page) for page in pages] == [[first + 9], [first + 6, first + 3], [first]]
    assert [page.is_cut for page in pages] == [True, True, False]


def test_no_page_reads_all_entries_or_sorts_them(project: Project, admin: Account) -> None:
    wanted = Wanted(admin.id, "import", "a", project.now(), project.now())

    def read(session: object) -> None:
        find(project, admin, wanted, before=9)

    *_bounds, entries = plans_of(project, read)
    assert entries[0] == "SEARCH audit_entry USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
    assert not any("TEMP B-TREE" in step for step in entries), entries


def test_a_line_of_an_export_has_its_time_in_utc(project: Project, admin: Account) -> None:
    (entry,) = find(project, admin, Wanted(), most=1).entries
    line = entry.to_dict()
    assert (line["at"], line["person"]) == ("2026-01-05T09:00:00.000000+00:00", "command line")


def test_people_are_sorted_by_name(project: Project, admin: Account, ben: Account, ann: Account) -> None:
    assert [*listing.people(project, admin).values()] == ["Ann", "Ben", "command line"]


def test_only_who_may_read_the_audit_searches_it(project: Project, ann: Account) -> None:
    for act in (lambda: find(project, ann, Wanted()), lambda: listing.people(project, ann)):
        with pytest.raises(NotAllowedError):
            act()
