"""A project is created once, opened where it is, and configured by its file and the environment."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from db.migrate import upgrade
from db.session import open_database
from db.tables import LabelSet, Person
from workbench.errors import InputError, WorkbenchError
from workbench.names import name_key
from workbench.project import Project, cookie_secret, init_project, open_project
from workbench.services import refuse_open_door
from workbench.settings import load_settings

ROOT = Path(__file__).parents[2]


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
        ("claim_minutes = inf\n", "claim_minutes"),
        ("scoring_hours = inf\n", "scoring_hours"),
        ("rejects_kept_days = 99999999999\n", "rejects_kept_days"),
        ("newest_days = 99999999999\n", "newest_days"),
        (f"queue_at_most = {10**30}\n", "queue_at_most"),
        ('passphrase = "open sesame open"\n', "Everybody has a password of their own now"),
        ('allowed_hosts = "box"\n', "allowed_hosts"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "workbench.toml").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_settings(tmp_path)


def test_settings_in_another_encoding_are_named(tmp_path: Path) -> None:
    (tmp_path / "workbench.toml").write_bytes("base_model = '模型'\n".encode("gb18030"))
    with pytest.raises(InputError, match="not valid TOML"):
        load_settings(tmp_path)


def test_the_cookie_key_is_made_once_and_for_its_owner_alone(project: Project) -> None:
    assert cookie_secret(project) == cookie_secret(project)
    assert (project.data / "cookie.key").stat().st_mode & 0o077 == 0


def test_beyond_this_machine_the_app_listens_only_behind_https(project: Project) -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        refuse_open_door(project, host)
    for public_url in (None, "http://label.example.org"):
        settings = project.settings.model_copy(update={"public_url": public_url})
        for host in ("0.0.0.0", "192.168.1.5", "forum.example"):
            with pytest.raises(InputError, match="behind a proxy with https"):
                refuse_open_door(replace(project, settings=settings), host)
    settings = project.settings.model_copy(update={"public_url": "https://label.example.org"})
    refuse_open_door(replace(project, settings=settings), "0.0.0.0")


def test_people_from_before_names_had_keys_keep_their_names_and_get_keys_of_their_own(
    project: Project, open_home: Callable[[Path], Project]
) -> None:
    names = ["Ann", "\u0410nn", "Ben"]
    with project.database.write() as session:
        session.add_all(Person(name=name, role="annotator", created_at=project.now()) for name in names)
    reopened = open_home(project.home)
    with reopened.database.read() as session:
        people = dict(session.execute(select(Person.name, Person.name_key)).all())
    assert [people["Ann"], people["Ben"]] == [name_key("Ann"), name_key("Ben")]
    assert people["\u0410nn"] not in {None, name_key("Ann")}


@pytest.mark.parametrize("key", ["k", "s", "u", "c"])
def test_a_label_gets_no_key_that_does_something_else(tmp_path: Path, key: str) -> None:
    """K keeps a doubtful label, so no label may use it."""
    (tmp_path / "workbench.toml").write_text(f'label_keys = ["j", "{key}", "x"]\n', encoding="utf-8")
    with pytest.raises(InputError, match="label_keys"):
        load_settings(tmp_path)


@pytest.mark.parametrize("left", ["", "\n", "short"])
def test_a_cookie_key_that_was_emptied_is_replaced(project: Project, left: str) -> None:
    file = project.data / "cookie.key"
    first = cookie_secret(project)
    file.write_text(left, encoding="ascii")
    second = cookie_secret(project)
    assert second not in {first, left}
    assert len(second) >= 32
    assert cookie_secret(project) == second
    assert file.stat().st_mode & 0o077 == 0


def test_the_folders_of_a_project_are_for_its_user_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        project = init_project(tmp_path / "private")
    finally:
        os.umask(before)
    project.database.dispose()
    modes = [
        (project.home / name).stat().st_mode & 0o777 for name in ("", "data", "models", "workbench.toml")
    ]
    assert modes == [0o700, 0o700, 0o700, 0o600]


def test_no_file_that_a_command_writes_can_be_read_by_others(tmp_path: Path) -> None:
    home, tsv = tmp_path / "open", tmp_path / "posts.tsv"
    home.mkdir(mode=0o755)
    tsv.write_text("id\ttext\n1\t你好\n", encoding="utf-8")
    for arguments in (["init"], ["import", str(tsv)], ["guidelines", "--help"]):
        command = [sys.executable, "-P", "-m", "workbench.cli", *arguments, "--home", str(home)]
        subprocess.run(
            command, check=True, capture_output=True, umask=0, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
    assert [path for path in home.rglob("*") if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKBENCH_PUBLIC_URL", "label.example.org"),
        ("WORKBENCH_PUBLIC_URL", "https://label.example.org/path"),
        ("WORKBENCH_PUBLIC_URL", "https://label.example.org:99999"),
        ("WORKBENCH_PUBLIC_URL", "https://label.example.org#here"),
        ("WORKBENCH_PUBLIC_URL", "https://ann@label.example.org"),
        ("WORKBENCH_PUBLIC_URL", "https://标注.example.org"),
        ("WORKBENCH_ALLOWED_HOSTS", '["https://a"]'),
        ("WORKBENCH_ALLOWED_HOSTS", '["*"]'),
        ("WORKBENCH_FORWARDED_ALLOW_IPS", '["*"]'),
        ("WORKBENCH_FORWARDED_ALLOW_IPS", '["proxy"]'),
    ],
)
def test_an_address_of_another_form_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=name.removeprefix("WORKBENCH_").lower()):
        load_settings(project.home)
