"""Keys and reasons that leads change: checked, kept in versions, in force over the settings."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from db.tables import AnswerOptions
from workbench.accounts import Account
from workbench.errors import InputError, NotAllowedError
from workbench.labelling.options import Options, set_options, settings_in_force
from workbench.project import Project

CHOSEN = Options(("a", "d", "x"), ("广告", "辱骂"), ())


def test_the_settings_hold_until_a_lead_changes_them(project: Project, lead: Account) -> None:
    assert settings_in_force(project) == project.settings
    set_options(project, lead, CHOSEN)
    assert Options.of(settings_in_force(project)) == CHOSEN
    set_options(project, lead, replace(CHOSEN, skip_reasons=("看不懂",)))
    assert settings_in_force(project).skip_reasons == ("看不懂",)
    with project.database.read() as session:
        assert session.scalars(select(AnswerOptions.version)).all() == [1, 2]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"label_keys": ("1", "1", "2")}, "Every label needs a key of its own."),
        ({"label_keys": ("1", "2", "s")}, "The key s cannot be that of a label"),
        ({"label_keys": ("1", "2", "4")}, "The key 4 cannot be that of a label"),
        ({"violation_reasons": ("a",) * 7}, "at most 6 reasons"),
        ({"violation_reasons": ("a", "a")}, "Two reasons are the same."),
        ({"skip_reasons": (" ",)}, "A reason has 1 to 40 characters."),
        ({"skip_reasons": ("长" * 41,)}, "A reason has 1 to 40 characters."),
    ],
)
def test_what_the_page_could_not_use_is_refused(
    project: Project, lead: Account, wrong: dict[str, tuple[str, ...]], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        set_options(project, lead, replace(CHOSEN, **wrong))  # type: ignore[arg-type]
    assert settings_in_force(project) == project.settings


def test_an_annotator_changes_none(project: Project, ann: Account) -> None:
    with pytest.raises(NotAllowedError):
        set_options(project, ann, CHOSEN)
