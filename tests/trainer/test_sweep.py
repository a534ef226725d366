import json

import numpy as np
import pytest

from tests.trainer.toy import toy_examples
from trainer import sweep as sweep_module
from trainer.errors import TrainerError
from trainer.scorer import Scorer, StoppedError
from trainer.sweep import Precision, sweep
from trainer.tokens import write_tokens

TEXTS = [example.text for example in toy_examples(60, 3)] * 2


@pytest.fixture
def scorer(adapter):
    return Scorer(adapter)


@pytest.fixture
def files(scorer, tmp_path):
    """The texts in two files, as a store keeps them."""
    made = []
    for at, some in enumerate((TEXTS[:50], TEXTS[50:])):
        made.append(tmp_path / f"{at}.arrow")
        write_tokens(made[-1], np.arange(len(some)), scorer.tokenise(some))
    return made


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(sweep_module, "PART_TOKENS", {"cpu": 200})


EVERYTHING = np.arange(len(TEXTS))


def test_a_pass_says_what_the_adapter_says(trained, scorer, files, tmp_path):
    swept = sweep(trained, scorer, files, EVERYTHING, tmp_path / "sweep")
    np.testing.assert_allclose(swept.probabilities, scorer.probabilities(TEXTS), atol=1e-5)
    assert swept.distinct == len(set(TEXTS))
    assert swept.precision == Precision("fp32")
    some = np.array([3, 110, 7])
    few = sweep(trained, scorer, files, some, tmp_path / "few")
    np.testing.assert_allclose(few.probabilities, swept.probabilities[some], atol=1e-5)
    assert sweep(trained, scorer, files, some[:0], tmp_path / "none").probabilities.shape == (0, 3)


def test_progress_ends_with_every_post(trained, scorer, files, tmp_path):
    told = []
    sweep(trained, scorer, files, EVERYTHING, tmp_path / "sweep", on_progress=told.append)
    assert told[-1] == sweep_module.Progress(len(TEXTS), len(TEXTS), 1.0)
    shares = [progress.share for progress in told]
    assert shares == sorted(shares)
    assert len(told) > 2


def test_a_stopped_pass_goes_on_after_its_last_part(trained, scorer, files, tmp_path, monkeypatch):
    expected = sweep(trained, scorer, files, EVERYTHING, tmp_path / "whole").probabilities
    told = []
    with pytest.raises(StoppedError):
        sweep(
            trained,
            scorer,
            files,
            EVERYTHING,
            tmp_path / "sweep",
            on_progress=told.append,
            should_stop=lambda: bool(told) and told[-1].share > 0.5,
        )
    scored, network = [], scorer.network
    monkeypatch.setattr(scorer, "network", lambda ids, mask: scored.append(len(ids)) or network(ids, mask))
    swept = sweep(trained, scorer, files, EVERYTHING, tmp_path / "sweep")
    assert 0 < sum(scored) < swept.distinct * 0.75
    np.testing.assert_array_equal(swept.probabilities, expected)


def test_what_another_work_left_is_not_taken_for_this_one(trained, scorer, files, tmp_path):
    sweep(trained, scorer, files, EVERYTHING[:60], tmp_path / "sweep")
    swept = sweep(trained, scorer, files, EVERYTHING, tmp_path / "sweep")
    np.testing.assert_allclose(swept.probabilities, scorer.probabilities(TEXTS), atol=1e-5)


def test_several_processes_say_the_same(trained, scorer, files, tmp_path):
    told = []
    swept = sweep(
        trained, scorer, files, EVERYTHING, tmp_path / "sweep", processes=2, on_progress=told.append
    )
    np.testing.assert_allclose(swept.probabilities, scorer.probabilities(TEXTS), atol=1e-5)
    assert told == sorted(told, key=lambda progress: progress.posts)


def test_a_process_that_fails_ends_the_pass(scorer, files, trained, tmp_path, monkeypatch):
    child = sweep_module._child
    monkeypatch.setattr(
        sweep_module,
        "_child",
        lambda work, _model, *rest: child(work, tmp_path / "gone", *rest),
    )
    with pytest.raises(TrainerError, match="a process ended with status 1"):
        sweep(trained, scorer, files, EVERYTHING, tmp_path / "sweep", processes=2)


def test_several_processes_are_stopped(trained, scorer, files, tmp_path):
    with pytest.raises(StoppedError):
        sweep(trained, scorer, files, EVERYTHING, tmp_path / "sweep", processes=2, should_stop=lambda: True)


class TestEightBits:
    @pytest.fixture(autouse=True)
    def few_are_many(self, monkeypatch):
        monkeypatch.setattr(sweep_module, "EIGHT_BIT_FROM", 10)
        monkeypatch.setattr(sweep_module, "CHECKED", 40)

    @pytest.fixture
    def slow(self, scorer, monkeypatch):
        """An fp32 network that ONNX Runtime beats whatever else this machine does."""
        network = scorer.network
        monkeypatch.setattr(
            scorer, "network", lambda ids, mask: max((network(ids, mask) for _ in range(30)), key=len)
        )

    @pytest.mark.usefixtures("slow")
    def test_are_used_where_they_say_the_same(self, trained, scorer, files, tmp_path):
        exact = scorer.probabilities(TEXTS)
        swept = sweep(trained, scorer, files, EVERYTHING, tmp_path / "sweep")
        assert swept.precision.name == "int8"
        assert swept.precision.agreement >= 0.995
        gap = np.abs(swept.probabilities - exact).max()
        assert 0 < gap < 0.1

    @pytest.mark.usefixtures("slow")
    def test_are_left_alone_where_they_do_not(self, trained, scorer, files, tmp_path, monkeypatch):
        network_of = sweep_module.eight_bit_network

        def wrong(file):
            network = network_of(file)
            return lambda ids, mask: -network(ids, mask)

        monkeypatch.setattr(sweep_module, "eight_bit_network", wrong)
        expected = scorer.probabilities(TEXTS)
        swept = sweep(trained, scorer, files, EVERYTHING, tmp_path / "sweep")
        assert swept.precision.name == "fp32"
        assert swept.precision.agreement < 0.9
        np.testing.assert_allclose(swept.probabilities, expected, atol=1e-5)
        # What was decided stands when the pass is taken up again.
        kept = json.loads((tmp_path / "sweep" / "work.json").read_text(encoding="utf-8"))
        assert kept["precision"] == {"name": "fp32", "agreement": swept.precision.agreement}
