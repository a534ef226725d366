"""The audit is compared with the heads in receipts of the project."""

import json

import numpy as np
import pytest

from tests.workbench.making import add_label, add_policy, make_champion, ready_queue
from workbench.accounts import Account, command_line
from workbench.audit import head_of, record
from workbench.auditing.checking import check_audit, examine_audit
from workbench.errors import InputError, NotAllowedError
from workbench.exports.labelled_posts import export_labels
from workbench.project import Project
from workbench.purging.criterion import Criterion
from workbench.purging.purge import purge
from workbench.rounds import lifecycle
from workbench.rounds.bundles import bundle
from workbench.thresholds.verdicts import decide, receipt_of
from workbench.worker import steps


@pytest.fixture
def admin(project: Project) -> Account:
    return command_line(project)


@pytest.fixture
def labelled_posts(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 60)
    for post in range(1, 61):
        add_label(project, lead, post, "violation" if post % 3 else "normal")


def write_anew(project: Project, number: int) -> None:
    """What a person with the database's file can do: remove entries, and record others in their place."""
    with project.database.write() as session:
        rows = session.connection()
        rows.exec_driver_sql("DROP TRIGGER audit_entry_no_delete")
        rows.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        newest = rows.exec_driver_sql("SELECT max(id) FROM audit_entry").scalar_one()
        rows.exec_driver_sql(f"DELETE FROM audit_entry WHERE id >= {number}")
        for _ in range(number, newest + 1):
            record(session, project, None, "import", "another.tsv")


@pytest.mark.usefixtures("labelled_posts")
def test_every_receipt_names_the_head_of_its_time(project: Project, lead: Account, admin: Account) -> None:
    scores = np.tile([0.5, 0.2, 0.3], (60, 1))
    make_champion(project, lead, scores)
    add_policy(project, lead)
    heads = {}

    def noted(name: str, receipt: dict[str, str]) -> None:
        heads[name] = receipt["audit_head"]

    before = str(head_of(project))
    noted("labels", dict(export_labels(project, lead).receipt))
    decided = decide(project, lead)
    noted("verdicts", json.loads(receipt_of(decided.file).read_text(encoding="utf-8")))
    assert decided.audit_head == heads["verdicts"]
    bundle(project, lead, project.home / "b.tar.gz")
    (rows,) = (project.data / "bundles").glob("*/receipt.json")
    noted("bundle", json.loads(rows.read_text(encoding="utf-8")))
    number = lifecycle.start(project, lead)
    steps.export(project, number)
    noted("round", json.loads((project.annotations / "receipt.json").read_text(encoding="utf-8")))
    assert heads["labels"] == before
    assert len(set(heads.values())) == len(heads)
    checked = check_audit(project, admin, [before])
    assert (checked.problem, checked.head, checked.heads) == (None, head_of(project), len(heads))


@pytest.mark.usefixtures("labelled_posts")
def test_a_purge_says_which_entry_it_is(project: Project, lead: Account, admin: Account) -> None:
    done = purge(project, lead, Criterion(post="p1"), is_dry=False)
    assert done.audit_head == str(head_of(project))
    assert check_audit(project, admin, [done.audit_head]).is_intact
    assert purge(project, lead, Criterion(post="p2")).audit_head is None


@pytest.mark.usefixtures("labelled_posts")
def test_a_rewritten_audit_contradicts_a_receipt_in_the_project(
    project: Project, lead: Account, admin: Account
) -> None:
    export = export_labels(project, lead)
    place = str((export.folder / "receipt.json").relative_to(project.home))
    number = int(export.receipt["audit_head"].partition(":")[0])
    write_anew(project, number)
    problem = check_audit(project, admin).problem
    assert problem is not None
    assert problem.values == {"place": place, "number": number}
    assert not examine_audit(project).is_intact


def test_a_head_that_was_noted_elsewhere_is_compared(project: Project, admin: Account) -> None:
    head = head_of(project)
    with project.database.write() as session:
        record(session, project, admin.id, "import", "a.tsv")
    assert check_audit(project, admin, [str(head)]).is_intact
    other = f"{head.number}:{'0' * 16}"
    assert check_audit(project, admin, [other]).problem is not None
    with pytest.raises(InputError, match="is not the head of an audit"):
        check_audit(project, admin, ["latest"])


@pytest.mark.parametrize("content", ["", "{", "[]", '{"audit_head": 7}', '{"audit_head": "none"}', "{}"])
def test_a_receipt_without_a_head_is_passed_over(project: Project, admin: Account, content: str) -> None:
    (project.data / "exports" / "1").mkdir(parents=True)
    (project.data / "exports" / "1" / "receipt.json").write_text(content, encoding="utf-8")
    assert check_audit(project, admin).is_intact


def test_only_who_may_read_the_audit_checks_it(project: Project, ann: Account) -> None:
    with pytest.raises(NotAllowedError):
        check_audit(project, ann)
