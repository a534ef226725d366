"""An import accounts for every row, can be repeated, and leaves nothing when it dies."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.tables import Import, Post, PostFacts, PostText
from tests.workbench.making import import_texts, write_tsv
from workbench import imports
from workbench.accounts import Account
from workbench.errors import InputError, NotAllowedError
from workbench.project import Project
from workbench.tsv import open_tsv


def count(project: Project, table: type) -> int:
    with project.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def import_file(project: Project, account: Account, path: Path) -> imports.Receipt:
    with open_tsv(path) as source:
        return imports.import_rows(project, account, source)


def test_every_row_is_accepted_duplicate_or_rejected(project: Project, lead: Account, tmp_path: Path) -> None:
    file = tmp_path / "posts.tsv"
    file.write_text("id\ttext\tboard\n1\ta\tx\n1\ta\tx\n2\ta\tx\n1\tb\tx\n3\t\tx\n4\n", encoding="utf-8")
    receipt = import_file(project, lead, file)
    assert (receipt.accepted, receipt.duplicates, receipt.rejected) == (2, 1, 3)
    assert [(reject.line, reject.reason) for reject in imports.rejects_of(project, receipt.import_id)] == [
        (5, "id 1 is already known with another text"),
        (6, "no text"),
        (7, "expected 3 columns, found 1"),
    ]
    assert count(project, Post) == count(project, PostText) == count(project, PostFacts) == 2


def test_the_same_file_twice_changes_nothing(project: Project, lead: Account) -> None:
    first = import_texts(project, lead, ["one", "two"])
    again = import_texts(project, lead, ["one", "two"])
    assert (first.accepted, again.accepted, again.duplicates) == (2, 0, 2)
    assert count(project, Post) == 2


def test_without_ids_the_text_is_the_identity(project: Project, lead: Account, tmp_path: Path) -> None:
    file = write_tsv(tmp_path / "texts.tsv", [{"text": "same"}, {"text": "same"}, {"text": "other"}])
    receipt = import_file(project, lead, file)
    assert (receipt.accepted, receipt.duplicates) == (2, 1)


def test_an_import_that_dies_half_way_leaves_nothing_and_can_be_run_again(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"text {number}" for number in range(10)]
    monkeypatch.setattr(imports, "CHUNK", 3)

    def die(rows: int, _read: int) -> None:
        if rows >= 6:
            raise KeyboardInterrupt

    rows = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    with open_tsv(write_tsv(project.home / "a.tsv", rows)) as source, pytest.raises(KeyboardInterrupt):
        imports.import_rows(project, lead, source, on_progress=die)
    assert count(project, Post) == count(project, PostText) == 0
    assert import_file(project, lead, project.home / "a.tsv").accepted == 10


def test_what_a_killed_import_left_is_swept_away_by_the_next(project: Project, lead: Account) -> None:
    receipt = import_texts(project, lead, ["one", "two"])
    with project.database.write() as session:
        session.get_one(
            Import, receipt.import_id
        ).state = "storing"  # as if SIGKILL came before the last commit
    assert import_texts(project, lead, ["one", "two", "three"]).accepted == 3
    with project.database.read() as session:
        assert session.scalars(select(Import.state).order_by(Import.id)).all() == ["failed", "stored"]


def test_a_second_import_at_the_same_time_is_refused(project: Project, lead: Account) -> None:
    file = write_tsv(project.home / "a.tsv", [{"text": "a"}])

    def import_another(_rows: int, _read: int) -> None:
        with pytest.raises(InputError, match="Another import is running"):
            import_file(project, lead, file)

    with open_tsv(file) as source:
        assert imports.import_rows(project, lead, source, on_progress=import_another).accepted == 1


def test_annotators_may_not_import(project: Project, ann: Account) -> None:
    with pytest.raises(NotAllowedError):
        import_texts(project, ann, ["a"])
    assert count(project, Post) == 0
