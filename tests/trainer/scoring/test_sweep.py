import shutil
import signal
import sys

import numpy as np
import pytest

from tests.trainer.toy import toy_examples
from trainer.errors import TrainerError
from trainer.running.children import start
from trainer.scoring import sweep as sweep_module
from trainer.scoring.scorer import Scorer, StoppedError
from trainer.scoring.sweep import Precision, load_precision, save_precision, try_out
from trainer.texts.tokens import write_tokens

TEXTS = [example.text for example in toy_examples(60, 3)] * 2


@pytest.fixture
def scorer(adapter):
    return Scorer(adapter, device="cpu")


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


def sweep(*given, precision=Precision("fp32"), **options):  # noqa: B008 - frozen
    return sweep_module.sweep(*given, precision=precision, **options)


def test_a_pass_says_what_the_adapter_says(trained, scorer, files, tmp_path):
    swept = sweep(trained, scorer, files, EVERYTHING, tmp_path / "sweep")
    np.testing.assert_allclose(swept.probabilities, scorer.probabilities(TEXTS), atol=1e-5)
    assert swept.distinct == len(set(TEXTS))
    assert swept.seconds > 0
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


@pytest.mark.ci
def test_several_processes_say_the_same(trained, scorer, files, tmp_path):
    told = []
    swept = sweep(
        trained, scorer, files, EVERYTHING, tmp_path / "sweep", processes=2, on_progress=told.append
    )
    np.testing.assert_allclose(swept.probabilities, scorer.probabilities(TEXTS), atol=1e-5)
    assert told[-1] == sweep_module.Progress(len(TEXTS), len(TEXTS), 1.0)
    logs = {log.name for log in (tmp_path / "sweep").glob("share-*.log")}
    assert logs == {"share-0.log", "share-1.log"}


def test_a_process_that_fails_ends_the_pass_and_the_others(scorer, files, trained, tmp_path, monkeypatch):
    child, others = sweep_module._child, []

    def first_fails(work, _model, device, share, count):
        if share == 0:
            return child(work, tmp_path / "gone", device, share, count)
        others.append(start([sys.executable, "-c", "input()"], has_own_group=True))
        return others[-1]

    monkeypatch.setattr(sweep_module, "_child", first_fails)
    with pytest.raises(TrainerError, match=r"scoring failed: .*no such adapter folder"):
        sweep(trained, scorer, files, EVERYTHING, tmp_path / "sweep", processes=2)
    assert [other.returncode for other in others] == [-signal.SIGKILL]


def test_several_processes_are_stopped(trained, scorer, files, tmp_path):
    with pytest.raises(StoppedError):
        sweep(trained, scorer, files, EVERYTHING, tmp_path / "sweep", processes=2, should_stop=lambda: True)


@pytest.fixture(scope="module")
def exports():
    """Files, filled by `exported_once`."""
    return []


class TestTryingOut:
    @pytest.fixture(autouse=True)
    def few_are_many(self, monkeypatch):
        monkeypatch.setattr(sweep_module, "TRIED_FROM", 10)
        monkeypatch.setattr(sweep_module, "TRIED", 40)

    @pytest.fixture
    def slow(self, scorer, monkeypatch):
        """An fp32 network that is slower than ONNX Runtime under any load."""
        network = scorer.network
        monkeypatch.setattr(
            scorer, "network", lambda ids, mask: max((network(ids, mask) for _ in range(30)), key=len)
        )

    @pytest.fixture
    def exported_once(self, exports, tmp_path_factory, monkeypatch):
        """Tests of one encoder share its export, which takes seconds."""
        quantise = sweep_module.quantise

        def copied(encoder, folder):
            if not exports:
                exports.append(quantise(encoder, tmp_path_factory.mktemp("exported")))
            return shutil.copy(exports[0], folder)

        monkeypatch.setattr(sweep_module, "quantise", copied)

    @pytest.mark.usefixtures("slow", "exported_once")
    def test_eight_bits_are_used_where_they_say_the_same(self, trained, scorer, files, tmp_path):
        exact = scorer.probabilities(TEXTS)
        found = try_out(scorer, files, EVERYTHING, tmp_path)
        assert found.name == "int8"
        assert found.agreement >= 0.995
        assert found.posts_per_second > 0
        swept = sweep(trained, scorer, files, EVERYTHING, tmp_path / "sweep", precision=found)
        assert 0 < np.abs(swept.probabilities - exact).max() < 0.1

    @pytest.mark.usefixtures("slow", "exported_once")
    def test_eight_bits_are_left_alone_where_they_do_not(self, scorer, files, tmp_path, monkeypatch):
        network_of = sweep_module.eight_bit_network

        def wrong(file):
            network = network_of(file)
            return lambda ids, mask: -network(ids, mask)

        monkeypatch.setattr(sweep_module, "eight_bit_network", wrong)
        network = scorer.network
        found = try_out(scorer, files, EVERYTHING, tmp_path)
        assert found.name == "fp32"
        assert found.agreement < 0.9
        assert scorer.network is network

    def test_an_encoder_that_cannot_be_exported_is_scored_in_full_precision(
        self, scorer, files, tmp_path, monkeypatch
    ):
        def refuse(_encoder, _folder):
            raise ValueError("no such operator")

        monkeypatch.setattr(sweep_module, "quantise", refuse)
        found = try_out(scorer, files, EVERYTHING, tmp_path)
        assert (found.name, found.agreement) == ("fp32", None)
        assert found.posts_per_second > 0

    def test_of_few_texts_nothing_is_tried(self, scorer, files, tmp_path):
        assert try_out(scorer, files, EVERYTHING[:9], tmp_path) == Precision("fp32")

    def test_what_was_found_holds_for_its_adapter_alone(self, trained, tmp_path):
        found = Precision("int8", 0.997, 12.5)
        save_precision(tmp_path / "pass", trained, found)
        assert load_precision(tmp_path / "pass", trained) == found
        other = tmp_path / "other"
        other.mkdir()
        (other / "adapter_model.safetensors").write_bytes(b"another")
        assert load_precision(tmp_path / "pass", other) is None
        assert load_precision(tmp_path / "none", trained) is None
