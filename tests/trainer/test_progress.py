import json

from trainer.progress import Bar, Lines, Silent, reporting


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


def test_lines_are_appended(tmp_path):
    path = tmp_path / "progress.jsonl"
    for _ in range(2):
        lines = Lines(path)
        lines.note(epoch=1)
        lines.close()
    assert len(read(path)) == 2


def test_a_person_gets_a_bar_on_standard_error(capsys):
    bar = reporting(None, "training")
    assert isinstance(bar, Bar)
    bar.step(1, 2, epoch=1)
    bar.note(epoch=1, macro_f1=0.7)
    bar.close()
    captured = capsys.readouterr()
    assert "training" in captured.err
    assert captured.out == ""


def test_silence_is_silent(capsys):
    silent = Silent()
    silent.step(1, 2)
    silent.note(epoch=1)
    silent.close()
    assert capsys.readouterr() == ("", "")
