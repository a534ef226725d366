import json

import pytest

from trainer.messages import Message
from trainer.running.progress import Bar, Lines, Occasional, Part, Silent, reason_of, reporting


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_lines_come_a_few_times_a_second_and_tell_the_time_left(tmp_path):
    now = 0.0
    lines = Lines(tmp_path / "deep" / "progress.jsonl", clock=lambda: now)
    for done in range(1, 11):
        now = done / 10
        lines.step(done, 10, epoch=1, loss=0.5)
    lines.note(epoch=1, macro_f1=0.7)
    lines.close()
    written = read(tmp_path / "deep" / "progress.jsonl")
    assert [line["step"] for line in written[:-1]] == [1, 4, 7, 10]
    assert written[0] == {"step": 1, "steps": 10, "epoch": 1, "loss": 0.5, "seconds_left": None}
    assert written[-1] == {"epoch": 1, "macro_f1": 0.7}


def test_what_an_earlier_run_did_tells_nothing_of_the_time_left(tmp_path):
    now = 0.0
    lines = Lines(tmp_path / "progress.jsonl", clock=lambda: now)
    for moment, tell, done in [
        (1, lines.step, 1),
        (2, lines.step, 2),
        (3, lines.resume, 8),
        (5, lines.step, 9),
    ]:
        now = moment
        tell(done, 10)
    lines.close()
    left = [line["seconds_left"] for line in read(tmp_path / "progress.jsonl")]
    assert left == [None, 8.0, None, 2.0]


def test_a_part_is_told_in_steps_of_the_whole(tmp_path):
    whole = Lines(tmp_path / "progress.jsonl")
    Part(whole, before=0, after=30).step(10, 20, loss=0.5)
    Part(whole, before=0, after=30).note(epoch=1, macro_f1=0.7)
    quiet = Part(Part(whole, before=20, after=0), before=10, after=0, is_quiet=True)
    quiet.note(epoch=1)
    quiet.resume(5, 20)
    quiet.step(20, 20, loss=0.4)
    quiet.close()
    whole.close()
    first, note, *last = read(tmp_path / "progress.jsonl")
    assert (first["step"], first["steps"], first["loss"]) == (10, 50, 0.5)
    assert note == {"epoch": 1, "macro_f1": 0.7}
    assert [(line["step"], line["steps"], "loss" in line) for line in last] == [(50, 50, False)]


def test_lines_are_appended(tmp_path):
    path = tmp_path / "progress.jsonl"
    for _ in range(2):
        lines = Lines(path)
        lines.note(epoch=1)
        lines.close()
    assert len(read(path)) == 2


def test_a_terminal_gets_a_bar_on_standard_error(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    bar = reporting(None, "training")
    assert isinstance(bar, Bar)
    bar.resume(1, 3)
    bar.step(2, 3, epoch=1)
    bar.step(2, 0)
    bar.note(epoch=1, macro_f1=0.7)
    bar.close()
    captured = capsys.readouterr()
    assert "training" in captured.err
    assert captured.out == ""


def test_without_a_terminal_a_line_comes_every_30_seconds_and_at_the_end(capsys):
    now = 0.0
    lines = Occasional("training", clock=lambda: now)
    for second in range(101):
        now = second
        lines.step(second, 300, loss=0.5)
    lines.note(epoch=1)
    now = 150.0
    lines.close()
    assert capsys.readouterr() == (
        "",
        "training: 5 of 300, about 5 min left\n"
        "training: 35 of 300, about 4 min left\n"
        "training: 65 of 300, about 4 min left\n"
        "training: 95 of 300, about 3 min left\n"
        "training: 100 of 300, ends after 2 min\n",
    )


def test_lines_say_nothing_of_a_total_or_a_time_left_that_is_unknown(capsys):
    now = 0.0
    lines = Occasional("predicting", clock=lambda: now)
    lines.step(10_000, 0)
    now = 40.0
    lines.resume(20_000, 0)
    lines.close()
    assert capsys.readouterr().err.splitlines() == [
        "predicting: 20,000 done",
        "predicting: 20,000 done, ends after 40 s",
    ]


def test_work_that_has_not_counted_yet_is_at_work(capsys):
    now = 0.0
    lines = Occasional("queued", clock=lambda: now)
    lines.step(0, 0)
    now = 31.0
    lines.step(0, 0)
    assert capsys.readouterr().err == "queued: at work\n"


def test_short_work_without_a_terminal_has_no_lines(capsys):
    lines = reporting(None, "scoring")
    assert isinstance(lines, Occasional)
    lines.step(1, 2)
    lines.close()
    assert capsys.readouterr().err == ""


def test_work_that_is_refused_before_its_first_step_has_no_lines(capsys):
    Occasional("training").close()
    assert capsys.readouterr().err == ""


def test_silence_is_silent(capsys):
    silent = Silent()
    silent.step(1, 2)
    silent.note(epoch=1)
    silent.close()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("last", ['{"step": 3, "steps": 4}', '{"failure": {"templ', "[]", "3"])
def test_a_child_that_handed_nothing_over_is_known_by_its_last_line(tmp_path, last):
    progress = tmp_path / "progress.jsonl"
    progress.write_text(last, encoding="utf-8")
    assert reason_of(progress, "loading\nerror: gone {x}\n", 1) == Message.verbatim("gone {x}")


def test_a_child_that_says_nothing_is_known_by_how_it_ended(tmp_path):
    progress = tmp_path / "progress.jsonl"
    assert str(reason_of(progress, "", 3)) == "it ended with status 3"
    said = reason_of(progress, "the last words", -9)
    assert str(said) == "the system ended it with signal 9 (out of memory?)"
