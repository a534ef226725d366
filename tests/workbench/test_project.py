"""A project is created once, opened where it is, and configured by its file and the environment."""

from pathlib import Path

import pytest

from db.migrate import upgrade
from db.session import open_database
from db.tables import LabelSet
from workbench.errors import InputError, WorkbenchError
from workbench.project import Project, cookie_secret, init_project, open_project
from workbench.services import refuse_open_door
from workbench.settings import load_settings


def test_a_second_init_is_refused(project: Project) -> None:
    with pytest.raises(InputError, match="already holds a project"):
        init_project(project.home)


def test_a_missing_project_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="workbench init"):
        open_project(tmp_path)


def test_an_init_that_was_killed_half_way_is_completed_when_opened(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    upgrade(open_database(tmp_path / "data" / "workbench.db"))
    project = open_project(tmp_path)
    with project.database.read() as session:
        assert session.get(LabelSet, 1) is not None
        assert session.connection().exec_driver_sql("SELECT count(*) FROM workflow_status").scalar() == 0


def test_a_damaged_database_is_told_plainly(project: Project) -> None:
    project.database.dispose()
    (project.data / "workbench.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(WorkbenchError, match="is damaged"):
        open_project(project.home)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "workbench.toml").write_text("band_low = 0.3\nport = 9000\n", encoding="utf-8")
    monkeypatch.setenv("WORKBENCH_PORT", "9001")
    settings = load_settings(tmp_path)
    assert (settings.band_low, settings.port) == (0.3, 9001)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("bnad_low = 0.3\n", "bnad_low"),
        ("band_low = 0.7\nband_high = 0.6\n", "band_low must be below band_high"),
        ("band_low = \n", "not valid TOML"),
        ('port = "many"\n', "port"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "workbench.toml").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_settings(tmp_path)


def test_the_cookie_key_is_made_once_and_for_its_owner_alone(project: Project) -> None:
    assert cookie_secret(project) == cookie_secret(project)
    assert (project.data / "cookie.key").stat().st_mode & 0o077 == 0


def test_without_a_passphrase_the_app_stays_on_this_machine(project: Project) -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        refuse_open_door(project, host)
    for host in ("0.0.0.0", "192.168.1.5", "forum.example"):
        with pytest.raises(InputError, match="Set WORKBENCH_PASSPHRASE"):
            refuse_open_door(project, host)


@pytest.mark.parametrize("key", ["k", "s", "u", "c"])
def test_a_label_gets_no_key_that_does_something_else(tmp_path: Path, key: str) -> None:
    """K keeps a doubtful label, so no label may use it."""
    (tmp_path / "workbench.toml").write_text(f'label_keys = ["j", "{key}", "x"]\n', encoding="utf-8")
    with pytest.raises(InputError, match="label_keys"):
        load_settings(tmp_path)
