"""The merged model returns the adapter's probabilities."""

import json
from dataclasses import replace

import numpy as np
import pytest
from transformers import pipeline

from tests.trainer.toy import copy_of, toy_examples
from trainer import merge as merging
from trainer.adapters.card import read_card, write_card
from trainer.errors import AdapterError, TrainerError
from trainer.files import sha256_of
from trainer.labels import LABELS
from trainer.merge import TOLERANCE, main, merge, onnx_probabilities, served_probabilities
from trainer.scoring.scorer import Scorer
from trainer.statistics.calibration import Calibration

TEXTS = [*(example.text for example in toy_examples(40, 9)), "好" * 300, " a b "]
STRONG = Calibration(2.5, {"normal": -0.7, "suspicious": 0.4, "violation": 0.9}, "validation", 200)


@pytest.fixture
def calibrated(trained, tmp_path):
    """The trained adapter with a calibration that changes much."""
    folder = copy_of(trained, tmp_path)
    write_card(folder, replace(read_card(folder), calibration=STRONG))
    return folder


def test_plain_transformers_give_the_adapters_calibrated_probabilities(calibrated, trained, tmp_path):
    gap = merge(calibrated, tmp_path / "out")
    expected = Scorer.load(calibrated, device="cpu").probabilities(TEXTS)
    assert gap <= TOLERANCE
    assert np.abs(served_probabilities(tmp_path / "out", TEXTS) - expected).max() < 1e-4
    assert np.abs(expected - Scorer.load(trained, device="cpu").probabilities(TEXTS)).max() > 0.05


def test_a_pipeline_names_the_labels(calibrated, tmp_path):
    merge(calibrated, tmp_path / "out")
    classify = pipeline("text-classification", str(tmp_path / "out"), top_k=None, device="cpu")
    expected = Scorer.load(calibrated, device="cpu").probabilities(TEXTS[:5])
    for row, scores in zip(expected, classify(TEXTS[:5], truncation=True), strict=True):
        found = {entry["label"]: entry["score"] for entry in scores}
        assert [found[label] for label in LABELS] == pytest.approx(row.tolist(), abs=1e-4)


def test_labels_in_another_order_are_served_by_name(edit_card, trained, tmp_path):
    """The order of the head's outputs comes from the card."""
    order = [LABELS[2], LABELS[0], LABELS[1]]
    folder = edit_card(lambda card: card.update(labels=order))
    merge(folder, tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    assert [config["id2label"][str(at)] for at in range(3)] == order
    expected = Scorer.load(folder, device="cpu").probabilities(TEXTS)
    assert np.abs(served_probabilities(tmp_path / "out", TEXTS) - expected).max() < 1e-4


def test_the_folder_is_safetensors_with_cards_that_vouch_for_it(trained, tmp_path):
    merge(trained, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "card.json", "README.md"} <= names
    assert not any(name.endswith((".bin", ".pt")) or "adapter" in name for name in names)
    card = json.loads((tmp_path / "out" / "card.json").read_text(encoding="utf-8"))
    assert card["adapter"] == json.loads((trained / "card.json").read_text(encoding="utf-8"))
    assert card["files"] == {
        name: sha256_of(tmp_path / "out" / name) for name in names - {"card.json", "README.md"}
    }
    assert "THIS_FOLDER" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_what_would_be_served_otherwise_is_not_written(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(merging, "_calibrate", lambda network, *_: network.classifier.weight.data.mul_(3))
    with pytest.raises(TrainerError, match="differs from the adapter"):
        merge(trained, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_merged_is_one_line(trained, tmp_path, capsys):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    assert main([f"--model={trained}", f"--out={tmp_path / 'there'}"]) == 1
    assert "already exists" in capsys.readouterr().err
    assert main([f"--model={tmp_path}", f"--out={tmp_path / 'out'}"]) == 1
    assert "card.json is missing" in capsys.readouterr().err


def test_a_head_without_room_for_the_calibration_is_refused(calibrated, adapter):
    headless = adapter.encoder.model.bert
    with pytest.raises(AdapterError, match="cannot carry the calibration"):
        merging._calibrate(headless, read_card(calibrated), calibrated)


def test_onnx_says_the_same_at_any_length(calibrated, tmp_path):
    merge(calibrated, tmp_path / "out", is_onnx=True)
    expected = Scorer.load(calibrated, device="cpu").probabilities(TEXTS)
    assert np.abs(onnx_probabilities(tmp_path / "out", TEXTS) - expected).max() < 1e-4
