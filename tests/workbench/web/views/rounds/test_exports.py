"""The Exports part of the Rounds screen."""

from tests.workbench.making import add_label, different_texts, import_texts
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.views.rounds.test_page import html_of, open_screen, press, shown
from workbench.accounts import Account
from workbench.exports.labelled_posts import list_exports
from workbench.imports.preparing import prepare
from workbench.project import Project

BUTTON = "FormSubmitter:export-Export"


def test_a_lead_makes_an_export_and_is_given_its_files(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    import_texts(project, lead, different_texts(90))
    prepare(project)
    for post in range(1, 91):
        add_label(project, lead, post, "normal")
    visit_as(lead)
    app = open_screen()
    press(app, BUTTON)
    (exported,) = list_exports(project)
    assert f'href="/download/labels/{exported.folder.name}/labels.jsonl" download' in html_of(app)
    assert f"{exported.receipt['posts']:,}" in shown(app)
    assert "audit" not in exported.receipt["splits"]
    assert f"{exported.receipt['left_out']['audit']} are in the sealed audit set" in shown(app)


def test_without_labels_the_refusal_is_one_line(project: Project, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app = open_screen()
    press(app, BUTTON)
    assert "There are no labels yet." in shown(app)
    assert list_exports(project) == []


def test_annotators_find_no_export(project: Project, ann: Account, visit_as: VisitAs) -> None:
    visit_as(ann)
    assert "Export all labels" not in shown(open_screen())
