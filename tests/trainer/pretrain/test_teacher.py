"""Lines chosen from a corpus and a teacher's vectors of them, with a teacher of two dimensions."""

from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pytest

from trainer.pretrain import teacher
from trainer.pretrain.exclusion import Exclusion
from trainer.pretrain.taught import read_taught


class Counting:
    """A sentence's vector is its length and one."""

    def encode(self, texts):
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)


@pytest.fixture
def with_teacher(monkeypatch):
    monkeypatch.setattr(teacher, "load_teacher", Counting)
    monkeypatch.setattr(metadata, "version", lambda _: "1")


def write(path, lines):
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_vectors_belong_to_their_lines(with_teacher, tmp_path, capsys):
    corpus = write(tmp_path / "a.txt", ["字" * length for length in range(1, 40)])
    out = tmp_path / "t.safetensors"
    limits = ["--shortest", "5", "--longest", "30"]
    assert teacher.main(["--corpus", str(corpus), "--out", str(out), *limits]) == 0
    lines, vectors = read_taught(out)
    assert sorted(map(len, lines)) == list(range(5, 31))
    assert vectors[:, 0].tolist() == [len(line) for line in lines]
    assert "26 lines" in capsys.readouterr().out


def test_lines_come_by_weight_without_copies_or_excluded_texts(tmp_path):
    first = write(tmp_path / "a.txt", [f"第一个文件的第{number}行" for number in range(100)] * 2)
    second = write(tmp_path / "b.txt", [f"第二个文件的第{number}行" for number in range(100)])
    exclusion = Exclusion(frozenset({"第一个文件的第7行"}))
    lines = teacher.choose_lines({str(first): 3.0, str(second): 1.0}, exclusion, 80, 1, 100, 0)
    assert len(set(lines)) == len(lines) == 80
    assert sum(line.startswith("第一") for line in lines) == 60
    everything = teacher.choose_lines({str(first): 1.0}, exclusion, 1000, 1, 100, 0)
    assert len(everything) == 99


def test_the_teacher_computes_with_one_thread(monkeypatch):
    """More of them wait for each other where other work has the cores."""
    monkeypatch.setattr(teacher, "import_module", lambda _: SimpleNamespace(USE=dict))
    assert teacher.load_teacher() == {"threads": 1}


def test_without_the_package_one_sentence_says_how_to_get_it(tmp_path, capsys, monkeypatch):
    def missing(_):
        raise ImportError

    monkeypatch.setattr(teacher, "import_module", missing)
    corpus = write(tmp_path / "a.txt", ["一二三四五六七"])
    assert teacher.main(["--corpus", str(corpus), "--out", str(tmp_path / "t.safetensors")]) == 1
    said = capsys.readouterr().err
    assert "requirements-teacher.txt" in said
    assert len(said.splitlines()) == 1
