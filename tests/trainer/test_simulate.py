"""The command: files in, curves out, resumable after a kill."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.trainer.toy import toy_examples
from trainer.simulate import Runs, main, notes, read_points
from trainer.simulation.replay import Plan, Post
from trainer.texts.dataset import Example


def write_labelled(path: Path, examples: Sequence[Example]) -> Path:
    lines = [f"{row.id}\t{row.text}\t{row.label}" for row in examples]
    path.write_text("\n".join(["id\ttext\tlabel", *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("simulated")
    pool = write_labelled(folder / "pool.tsv", toy_examples(120, 0))
    test = write_labelled(folder / "test.tsv", toy_examples(60, 1))
    return ["--pool", str(pool), "--test", str(test), "--budget", "40", "--batch", "10", "--start", "20"]


def command(files: list[str], base: Path, out: Path, *more: str) -> list[str]:
    return [*files, "--base", str(base), "--learner", "frozen", "--out", str(out), *more]


def test_it_writes_points_curves_and_a_summary(
    files: list[str], tiny_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    status = main(
        command(files, tiny_base, out, "--strategy", "default,random,badge", "--seeds", "2", "--json")
    )
    assert status == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["strategies"]) == {"default", "random", "badge"}
    assert found == json.loads((out / "summary.json").read_text(encoding="utf-8"))
    default = found["strategies"]["default"]
    assert 0 < default["auc"] <= 1
    assert set(default["labels_to"]) == {"90", "95", "99"}
    assert (out / "curves.png").exists()
    assert len((out / "curves.csv").read_text(encoding="utf-8").splitlines()) == 1 + 3 * 2 * 3 + 1
    assert found["full"] > 1 / 3


def test_given_again_it_measures_nothing_twice_and_adds_what_is_new(
    files: list[str], tiny_base: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert main(command(files, tiny_base, out, "--strategy", "random", "--seeds", "1")) == 0
    before = read_points(out)
    cut = (out / "points.jsonl").read_text(encoding="utf-8").split("\n")
    # Killed in the middle of the second point's line.
    (out / "points.jsonl").write_text("\n".join([cut[0], cut[1][:20]]), encoding="utf-8")
    assert main(command(files, tiny_base, out, "--strategy", "random,margin", "--seeds", "1")) == 0
    after = read_points(out)
    assert [point for point in after if point.strategy == "random"] == before[:-1]
    assert {point.strategy for point in after} == {"random", "margin", "full"}


def test_the_trainer_of_live_rounds_learns(files: list[str], tiny_base: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [
        *files,
        "--base",
        str(tiny_base),
        "--strategy",
        "uncertain",
        "--seeds",
        "1",
        "--out",
        str(out),
    ]
    assert main([*arguments, "--no-full", "--batch", "20"]) == 0
    assert [point.labels for point in read_points(out)] == [20, 40]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--strategy", "guess"], "no strategy 'guess'"),
        (["--budget", "5"], "start between 1 and the budget"),
        (["--pool", "missing.tsv"], "missing.tsv: cannot be read"),
        (["--base", "./nowhere"], "no such folder"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_one_line(
    files: list[str],
    tiny_base: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    words: str,
) -> None:
    assert main([*command(files, tiny_base, tmp_path / "out"), *more]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_an_unknown_label_is_named_with_its_line(
    files: list[str], tiny_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "pool.tsv"
    wrong.write_text("id\ttext\tlabel\n1\t你好\tspam\n", encoding="utf-8")
    assert main([*command(files, tiny_base, tmp_path / "out"), "--pool", str(wrong)]) == 1
    assert f"{wrong}, line 2: unknown label 'spam'" in capsys.readouterr().err


def test_a_folder_of_another_simulation_is_left_alone(
    files: list[str], tiny_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(command(files, tiny_base, out, "--strategy", "random", "--seeds", "1", "--no-full")) == 0
    before = (out / "points.jsonl").read_bytes()
    assert main(command(files, tiny_base, out, "--batch", "7")) == 1
    assert "holds another simulation" in capsys.readouterr().err
    assert (out / "points.jsonl").read_bytes() == before


def test_copies_of_test_posts_are_left_out_of_the_pool_and_counted(
    files: list[str], tiny_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = write_labelled(tmp_path / "pool.tsv", different(60) + different(70)[65:])
    test = write_labelled(tmp_path / "test.tsv", different(70)[60:])
    arguments = [*command(files, tiny_base, tmp_path / "out"), "--pool", str(pool), "--test", str(test)]
    assert main([*arguments, "--strategy", "random", "--seeds", "1", "--json"]) == 0
    printed = capsys.readouterr()
    assert "note: 5 posts of the pool are copies of test posts: they are left out, 60 remain." in printed.err
    assert json.loads(printed.out)["copies_left_out"] == 5
    assert max(at for point in read_points(tmp_path / "out") for at in point.positions) < 60


def different(count: int) -> list[Example]:
    """Examples without near-copies among them."""
    draw = random.Random(5)
    tails = ("".join(map(chr, draw.choices(range(0x4E00, 0x5A00), k=20))) for _ in range(count))
    return [
        replace(row, text=row.text + tail) for row, tail in zip(toy_examples(count, 3), tails, strict=True)
    ]


@pytest.mark.parametrize(
    ("pool", "test", "words"),
    [
        (different(30), different(30), "every post of"),
        ([], different(30), "has no rows below its header"),
        (different(30), [], "has no rows below its header"),
        (different(30), different(1), "all posts are labelled normal"),
        (different(1), different(30), "all posts are labelled normal"),
    ],
)
def test_files_that_measure_nothing_are_refused(
    files: list[str],
    tiny_base: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    pool: list[Example],
    test: list[Example],
    words: str,
) -> None:
    given = [
        "--pool",
        str(write_labelled(tmp_path / "p.tsv", pool)),
        "--test",
        str(write_labelled(tmp_path / "t.tsv", test)),
    ]
    assert main([*command(files, tiny_base, tmp_path / "out"), *given]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("plan", "strategies", "words"),
    [
        (Plan(budget=50, batch=10, start=50), ("default", "random"), "the strategies cannot differ"),
        (Plan(budget=200, batch=10, start=80), ("default", "random"), "the strategies cannot differ"),
        (
            Plan(budget=200, batch=10, start=20),
            ("default", "random"),
            "covers the whole pool (80 different posts)",
        ),
        (Plan(budget=40, batch=10, start=20), ("default", "random"), None),
        (Plan(budget=50, batch=10, start=50), ("random",), None),
    ],
)
def test_it_says_when_strategies_could_not_differ(
    plan: Plan, strategies: tuple[str, ...], words: str | None
) -> None:
    pool = [Post(row.id, row.text, row.label) for row in different(80)]
    said = list(notes(pool, 0, plan, Runs(strategies, range(1), has_full=False)))
    assert len(said) == (words is not None)
    assert words is None or words in said[0]
