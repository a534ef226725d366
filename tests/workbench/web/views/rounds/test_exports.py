"""The Exports part of the Rounds screen."""

from tests.workbench.making import add_label, different_texts, import_texts
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.views.rounds.test_page import html_of, open_screen, press, shown
from workbench.accounts import Account
from workbench.exports.labelled_posts import list_exports
from workbench.imports.preparing import prepare
from workbench.project import Project
from workbench.web.wording.i18n import speaking

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


def test_a_csv_file_has_headings_in_the_readers_language(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    import_texts(project, lead, different_texts(20))
    prepare(project)
    for post in range(1, 21):
        add_label(project, lead, post, "normal")
    visit_as(lead)
    with speaking("zh"):
        app = open_screen()
        app.segmented_control(key="export-format").set_value("csv")
        press(app, BUTTON.replace("Export", "导出"))
    (exported,) = list_exports(project)
    first = (exported.folder / "labels.csv").read_text(encoding="utf-8-sig").split("\n")[0]
    assert first.startswith("正文,标签,编号,")


def test_without_labels_the_refusal_is_one_line(project: Project, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app = open_screen()
    press(app, BUTTON)
    assert "There are no labels yet." in shown(app)
    assert list_exports(project) == []


def test_annotators_find_no_export(project: Project, ann: Account, visit_as: VisitAs) -> None:
    visit_as(ann)
    assert "Export all labels" not in shown(open_screen())
