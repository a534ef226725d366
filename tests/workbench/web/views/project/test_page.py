"""The Project page: guidelines, keys, reasons and verdicts, for leads."""

from html import unescape

import pytest
from streamlit.testing.v1 import AppTest

from tests.workbench.web.conftest import VisitAs
from workbench.accounts import Account
from workbench.labelling import guidelines
from workbench.project import Project
from workbench.web import current_project


def screen() -> None:
    from workbench.web.views.project import page as project_page  # noqa: PLC0415 - AppTest runs this function's source alone

    project_page.show()


@pytest.fixture
def app(lead: Account, visit_as: VisitAs) -> AppTest:
    visit_as(lead)
    return AppTest.from_function(screen, default_timeout=20).run()


def shown(app: AppTest) -> str:
    assert not app.exception
    return " ".join(element.proto.body for element in app.get("html"))


def press(app: AppTest, key: str) -> AppTest:
    return next(button for button in app.button if button.key == key).click().run()


def test_guidelines_are_looked_at_and_published_as_a_version(app: AppTest, project: Project) -> None:
    written = "# **Rules**\n<img src=http://evil.example/a.png>\n\u202eback"
    app.text_area[0].set_value(written).run()
    page = shown(app)
    assert "&lt;img src=http://evil.example/a.png&gt;" in page
    assert "\u202e" not in page
    press(app, "publish")
    with project.database.read() as session:
        assert guidelines.text_in_force(session) == written
    assert "Version 2 is in force." in unescape(shown(app)) or "Version 1 is in force." in unescape(
        shown(app)
    )
    assert next(button for button in app.button if button.key == "publish").disabled


def test_a_version_of_another_lead_is_not_overwritten(app: AppTest, project: Project, lead: Account) -> None:
    app.text_area[0].set_value("mine").run()
    guidelines.publish(project, lead, "theirs")
    press(app, "publish")
    assert "Another version of the guidelines came into force meanwhile." in unescape(shown(app))
    assert app.text_area[0].value == "mine"
    with project.database.read() as session:
        assert guidelines.text_in_force(session) == "theirs"


def test_keys_and_reasons_are_changed_with_checks(app: AppTest) -> None:
    app.selectbox(key="key-violation").select("1")
    press_form(app)
    assert "Every label needs a key of its own." in unescape(shown(app))
    app.selectbox(key="key-violation").select("x")
    app.text_input(key="violation-reason-4").set_value("")
    app.text_input(key="violation-reason-5").set_value(" 人身攻击 ")
    press_form(app)
    settings = current_project.project().settings
    assert settings.label_keys == ("1", "2", "x")
    assert settings.violation_reasons[0] == "人身攻击"


def press_form(app: AppTest) -> None:
    next(button for button in app.button if button.key and "options-save" in button.key).click().run()


def test_verdicts_that_cannot_be_written_are_refused_in_words(app: AppTest) -> None:
    press(app, "decide")
    assert 'class="refusal"' in shown(app)
