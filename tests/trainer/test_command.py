import subprocess
import sys

import pytest

from trainer import command
from trainer.errors import TrainerError


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


def test_an_interrupt_is_130(arguments):
    assert command.run(failing(KeyboardInterrupt()), arguments) == 130


def test_a_child_dies_with_its_parent():
    """A killed parent cannot send a message, but its end of the pipe closes."""
    code = (
        "import time; from trainer import command\n"
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
