import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.errors import TrainerError
from trainer.files import new_file, new_folder, put_in_place, sha256_of, write_json, write_text


def test_a_folder_appears_whole(tmp_path):
    out = tmp_path / "deep" / "out"
    with new_folder(out) as folder:
        write_json(folder / "a.json", {"文": 1})
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["a.json"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_failure_leaves_nothing(tmp_path):
    def fail_half_way():
        with new_folder(tmp_path / "out") as folder:
            (folder / "half").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []


def test_what_an_interrupted_run_left_is_swept_away(tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "old").write_text("x", encoding="utf-8")
    with new_folder(tmp_path / "out") as folder:
        assert list(folder.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_kill_half_way_shows_nothing(tmp_path):
    code = (
        "import pathlib, sys, time; from trainer.files import new_folder\n"
        "with new_folder(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'half').touch(); print('up', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=10) == -signal.SIGTERM
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_may_be_filled_and_a_full_one_is_kept(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with new_folder(out) as folder:
        (folder / "first").touch()
    with pytest.raises(TrainerError, match="already exists"), new_folder(out):
        pass
    assert [path.name for path in out.iterdir()] == ["first"]


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(TrainerError, match="cannot write"), new_folder(tmp_path / "out") as folder:
            (folder / "large").write_bytes(bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    file = tmp_path / "a.txt"
    write_text(file, "old")

    def fail_half_way():
        with new_file(file) as part:
            part.write_text("ne", encoding="utf-8")
            assert file.read_text(encoding="utf-8") == "old"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [
        ("a.txt", "old")
    ]
    write_text(file, "新\n")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.txt", "新\n".encode())]


def test_a_file_and_its_folder_are_synced_around_the_rename(tmp_path, monkeypatch):
    events = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(handle):
        events.append(Path(f"/proc/self/fd/{handle}").resolve().name)
        real_sync(handle)

    def replace(part, final):
        events.append("renamed")
        return real_replace(part, final)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    write_text(tmp_path / "a.txt", "a")
    assert events == [f".a.txt.{os.getpid()}.part", "renamed", tmp_path.name]


def test_a_folder_takes_the_place_of_what_an_earlier_attempt_left(tmp_path):
    for name in ("made", "deep/final"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / name[0]).touch()
    put_in_place(tmp_path / "made", tmp_path / "deep" / "final")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "final", "m"]


def test_a_hash_is_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a").startswith("ba7816bf")
