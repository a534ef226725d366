"""The figures of the Audit page against the raw entries and receipts."""

import json
import re
import shutil

import numpy as np
import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from tests.conftest import Clock
from tests.workbench.making import add_policy, make_champion, ready_queue
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.figures.plain import plain, rows
from workbench.accounts import Account, command_line
from workbench.labelling import guidelines
from workbench.project import Project
from workbench.thresholds.verdicts import decide

Entries = dict[int, tuple[str, bytes]]
"""(action, digest) by number."""


def screen() -> None:
    from workbench.web.views.audit import page as audit_page  # noqa: PLC0415 - AppTest runs this function's source alone

    audit_page.show()


@pytest.fixture
def entries(project: Project, lead: Account, visit_as: VisitAs, clock: Clock) -> Entries:
    """More than two pages of what people did, with three receipts of verdicts, one of them in a copied folder."""
    ready_queue(project, lead, 30)
    make_champion(project, lead, np.random.default_rng(3).dirichlet([1, 1, 1], 30))
    add_policy(project, lead)
    for number in range(110):
        guidelines.publish(project, lead, f"rules {number}")
        if number in {20, 60}:
            clock.move(minutes=1)
            decide(project, lead, is_new_only=number > 20)
    shutil.copytree(project.data / "verdicts", project.data / "exports" / "kept", dirs_exist_ok=True)
    for file in (project.data / "exports" / "kept").glob("new-*"):
        file.unlink()
    for head in ("none", "no head"):
        folder = project.data / "exports" / head
        folder.mkdir()
        (folder / "receipt.json").write_text(json.dumps({"audit_head": head}), encoding="utf-8")
    visit_as(command_line(project))
    with project.database.read() as session:
        found = session.execute(text("SELECT id, action, digest FROM audit_entry")).all()
    return {row.id: (row.action, row.digest) for row in found}


@pytest.fixture
def app(entries: Entries) -> AppTest:
    return AppTest.from_function(screen, default_timeout=20).run()


def listed(app: AppTest) -> list[int]:
    """The numbers of the entries of all pages, from the newest on."""
    numbers: list[int] = []
    while True:
        numbers += [int(row[0].replace(",", "")) for row in rows(plain(app)) if row[0] != "no."]
        older = next((one for one in app.button if (one.key or "").startswith("audit-older")), None)
        if older is None or older.disabled:
            return numbers
        older.click().run()


def test_all_entries_are_checked_and_listed_once(app: AppTest, entries: Entries) -> None:
    assert len(entries) > 110
    assert f"Intact up to entry {len(entries)}, checked" in plain(app)
    assert listed(app) == sorted(entries, reverse=True)


def test_a_search_lists_the_entries_of_that_act(app: AppTest, entries: Entries) -> None:
    app.selectbox(key="audit-action").set_value("import").run()
    wanted = [number for number, (action, _digest) in entries.items() if action == "import"]
    assert wanted
    assert listed(app) == sorted(wanted, reverse=True)


def test_the_head_and_the_receipts_that_name_an_entry_as_it_is(
    app: AppTest, entries: Entries, project: Project
) -> None:
    agreeing = 0
    for file in project.data.rglob("*receipt.json"):
        head = json.loads(file.read_text("utf-8"))["audit_head"]
        agreeing += head in {f"{number}:{digest.hex()[:16]}" for number, (_act, digest) in entries.items()}
    assert agreeing == 3
    last = max(entries)
    shown = re.search(r"Head: (\S+)\. Receipts that agree with it: (\d+)\.", plain(app))
    assert shown is not None
    assert shown.groups() == (f"{last}:{entries[last][1].hex()[:16]}", str(agreeing))
