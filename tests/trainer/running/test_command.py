import subprocess
import sys

import pytest

from trainer.errors import AdapterError, TrainerError
from trainer.messages import Message
from trainer.running import command
from trainer.running.progress import Lines, reason_of


@pytest.fixture
def arguments():
    return command.parser("trainer.x", "x").parse_args([])


def failing(error):
    def work(_):
        raise error

    return work


def test_done_is_0(arguments, capsys):
    assert command.run(lambda _: None, arguments) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [TrainerError("the loss\nis gone"), OSError("the loss is gone")])
def test_a_refusal_is_1_and_one_line(arguments, capsys, error):
    assert command.run(failing(error), arguments) == 1
    assert capsys.readouterr().err == "error: the loss is gone\n"


def test_a_mistake_of_ours_is_one_line_too(arguments, capsys):
    assert command.run(failing(KeyError("x")), arguments) == 1
    assert capsys.readouterr().err == "error: KeyError: 'x' (--debug shows where)\n"


@pytest.mark.parametrize("error", [TrainerError("x"), KeyError("x")])
def test_debug_shows_where(error):
    arguments = command.parser("trainer.x", "x").parse_args(["--debug"])
    with pytest.raises(type(error)):
        command.run(failing(error), arguments)


@pytest.fixture
def child_arguments(tmp_path):
    parser = command.parser("trainer.x", "x")
    command.add_child_arguments(parser)
    return parser.parse_args(["--progress", str(tmp_path / "logs" / "progress.jsonl")])


REFUSAL = AdapterError("{folder}: does not fit its base ({error})", folder="a", error="size\n  3 {x}")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (REFUSAL, Message("{folder}: does not fit its base ({error})", folder="a", error="size 3 {x}")),
        (OSError("disk\n{full}"), Message.verbatim("disk {full}")),
        (KeyError("x"), Message("{kind}: {reason} (--debug shows where)", kind="KeyError", reason="'x'")),
    ],
)
def test_a_parent_gets_the_message_as_data_and_a_person_the_same_line(
    child_arguments, capsys, error, message
):
    progress = Lines(child_arguments.progress)
    progress.step(1, 3)
    assert command.run(failing(error), child_arguments) == 1
    line = capsys.readouterr().err
    assert line == f"error: {message}\n"
    assert reason_of(child_arguments.progress, line, 1) == message


def test_a_disk_that_is_full_leaves_the_line_to_the_parent(child_arguments, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "hand_over", full)
    assert command.run(failing(REFUSAL), child_arguments) == 1
    reason = reason_of(child_arguments.progress, f"loading\n{capsys.readouterr().err}", 1)
    assert reason == Message.verbatim("a: does not fit its base (size 3 {x})")


def test_an_interrupt_is_130(arguments):
    assert command.run(failing(KeyboardInterrupt()), arguments) == 130


def test_a_child_dies_with_its_parent():
    """A killed parent cannot send a message, but its end of the pipe closes."""
    code = (
        "import time; from trainer.running import command\n"
        "parser = command.parser('x', 'x'); command.add_child_arguments(parser)\n"
        "work = lambda _: print('up', flush=True) or time.sleep(60)\n"
        "command.run(work, parser.parse_args(['--watch-stdin']))"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == b"up\n"
        assert child.poll() is None
        child.stdin.close()
        assert child.wait(timeout=10) != 0


def test_ctrl_c_is_130_and_one_line(arguments, capsys):
    assert command.run(failing(KeyboardInterrupt()), arguments) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_number_beyond_any_machine_is_one_line(arguments, capsys):
    assert command.run(failing(OverflowError("Python int too large to convert to C long")), arguments) == 1
    assert capsys.readouterr().err == "error: One of the numbers is too large.\n"


def test_a_message_does_not_steer_the_terminal(arguments, capsys):
    assert command.run(failing(OSError("no file \x1b[2Ja\u202e.tsv")), arguments) == 1
    assert capsys.readouterr().err == "error: no file \ufffd[2Ja\ufffd.tsv\n"
