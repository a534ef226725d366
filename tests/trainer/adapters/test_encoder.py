import json
import pickle
import shutil
from dataclasses import replace

import huggingface_hub
import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification
from transformers.quantizers.quantizers_utils import should_convert_module

from tests.encoders import make_tiny_encoder
from tests.trainer.toy import copy_of
from trainer.adapters import folders
from trainer.adapters.encoder import NOT_IN_8_BITS, build, load_adapter, save_adapter
from trainer.adapters.folders import ADAPTATION, base_fingerprint, resolve_base
from trainer.config import TrainConfig
from trainer.errors import AdapterError, EncoderError
from trainer.files import sha256_of
from trainer.labels import LABELS, Label
from trainer.scoring.scorer import Scorer

TEXTS = ["天气真好", "加微信 abc", "去死"]


class Canary:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (open, (str(self.trace), "w"))


def test_a_fresh_encoder_trains_lora_pooler_and_classifier(tiny_base):
    model = build(TrainConfig(base=str(tiny_base))).model
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert any("pooler" in name for name in trained)
    assert any("classifier" in name for name in trained)
    linear = [name for name, _ in model.named_modules() if name.endswith(("query", "key", "value", "dense"))]
    assert all(any(name in other for other in trained) for name in linear if ".original_module" not in name)
    assert model.config.id2label == dict(enumerate(LABELS))


def test_half_precision_weights_are_trained_in_full(tiny_base, tmp_path):
    half = make_tiny_encoder(tmp_path / "half")
    weights = {name: value.half() for name, value in load_file(half / "model.safetensors").items()}
    save_file(weights, half / "model.safetensors", metadata={"format": "pt"})
    assert {value.dtype for value in build(TrainConfig(base=str(half))).model.parameters()} == {torch.float32}


# peft 0.21 asks transformers 5.23 by a deprecated name.
@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_what_was_trained_is_what_is_loaded(trained, adapter, toy_config):
    """LoRA, pooler and classifier are restored unchanged; merging changes almost nothing."""
    base = AutoModelForSequenceClassification.from_pretrained(toy_config.base, num_labels=3)
    unmerged = PeftModel.from_pretrained(base, trained).eval()
    untrained = build(toy_config).model
    for part in ("pooler.modules_to_save.default.dense.weight", "classifier.modules_to_save.default.weight"):
        kept = next(value for name, value in unmerged.named_parameters() if name.endswith(part))
        fresh = next(value for name, value in untrained.named_parameters() if name.endswith(part))
        merged = adapter.encoder.model.get_parameter(
            ("bert." if "pooler" in part else "") + part.replace("modules_to_save.default.", "")
        )
        torch.testing.assert_close(kept, merged)
        assert not torch.allclose(kept, fresh, atol=1e-3)
    ids = torch.tensor([adapter.encoder.tokenizer(TEXTS[0])["input_ids"]])
    with torch.inference_mode():
        difference = unmerged(input_ids=ids).logits - adapter.encoder.model(input_ids=ids).logits
    assert difference.abs().max() < 1e-4


def test_the_starter_is_found_beside_the_package_or_in_it(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "__file__", str(tmp_path / "trainer" / "adapters" / "folders.py"))
    with pytest.raises(EncoderError, match="starter encoder is not installed"):
        resolve_base("starter")
    installed = tmp_path / "trainer" / "_starter"
    installed.mkdir(parents=True)
    (installed / "config.json").touch()
    assert resolve_base("starter") == installed
    shipped = tmp_path / "models" / "starter"
    shipped.mkdir(parents=True)
    (shipped / "config.json").touch()
    assert resolve_base("starter") == shipped


def test_a_base_that_is_not_there_is_told_in_one_sentence(tmp_path, monkeypatch):
    def no_network(*_, **__):
        raise ConnectionError

    monkeypatch.setattr(huggingface_hub, "snapshot_download", no_network)
    with pytest.raises(EncoderError, match="hf download nobody/nothing"):
        resolve_base("nobody/nothing")
    with pytest.raises(EncoderError, match="no such folder"):
        resolve_base(str(tmp_path / "nowhere"))
    with pytest.raises(EncoderError, match=r"no config\.json"):
        resolve_base(str(tmp_path))


def test_a_hub_model_is_taken_from_the_cache_first(tiny_base, monkeypatch):
    asked = []

    def cached(repository, **options):
        asked.append((repository, options.get("revision"), options.get("local_files_only", False)))
        return str(tiny_base)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", cached)
    assert resolve_base("owner/model@refs/pr/1") == tiny_base
    assert asked == [("owner/model", "refs/pr/1", True)]


def test_a_base_without_safetensors_is_refused_unopened(tmp_path):
    trace = tmp_path / "trace"
    base = make_tiny_encoder(tmp_path / "base")
    (base / "model.safetensors").unlink()
    (base / "pytorch_model.bin").write_bytes(pickle.dumps(Canary(trace)))
    with pytest.raises(EncoderError, match="no safetensors weights"):
        build(TrainConfig(base=str(base)))
    assert not trace.exists()


def test_a_broken_base_is_told(tmp_path):
    base = make_tiny_encoder(tmp_path / "base")
    (base / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(EncoderError, match="cannot be loaded"):
        build(TrainConfig(base=str(base)))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_fingerprint_notices_every_file_that_matters(tmp_path, name):
    base = make_tiny_encoder(tmp_path / "base")
    before = base_fingerprint(base)
    (base / "notes.txt").write_text("irrelevant", encoding="utf-8")
    assert base_fingerprint(base) == before
    (base / name).write_bytes((base / name).read_bytes() + b" ")
    assert base_fingerprint(base) != before


@pytest.mark.parametrize("name", ["training_args.bin", "deep/optimizer.pt", "x.PKL"])
def test_a_planted_pickle_is_refused_unopened(trained, tmp_path, name):
    folder, trace = copy_of(trained, tmp_path), tmp_path / "trace"
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(Canary(trace)))
    with pytest.raises(AdapterError, match="was not opened"):
        load_adapter(folder)
    assert not trace.exists()


def test_truncated_weights_are_refused(trained, tmp_path):
    folder = copy_of(trained, tmp_path)
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(AdapterError, match="truncated or changed"):
        load_adapter(folder)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json", "tokenizer.json"])
def test_a_changed_or_missing_file_is_refused(trained, tmp_path, name):
    folder = copy_of(trained, tmp_path)
    content = bytearray((folder / name).read_bytes())
    content[-10] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(AdapterError, match="truncated or changed"):
        load_adapter(folder)
    (folder / name).unlink()
    with pytest.raises(AdapterError, match="is missing"):
        load_adapter(folder)


def test_weights_that_are_no_safetensors_are_refused_though_the_card_vouches_for_them(edit_card, tmp_path):
    folder = edit_card(lambda _: None)
    (folder / "adapter_model.safetensors").write_bytes(pickle.dumps(Canary(tmp_path / "trace")))
    vouch(folder)
    with pytest.raises(AdapterError, match="does not fit its base"):
        load_adapter(folder)
    assert not (tmp_path / "trace").exists()


def test_a_card_must_vouch_for_the_weights(edit_card):
    with pytest.raises(AdapterError, match="does not vouch"):
        load_adapter(edit_card(lambda card: card["files"].pop("adapter_model.safetensors")))


def test_other_labels_are_refused(edit_card):
    with pytest.raises(AdapterError, match="compliant"):
        load_adapter(edit_card(lambda card: card.update(labels=["compliant", "suspicious", "violation"])))


def test_labels_in_another_order_are_read_by_name(trained, edit_card):
    order = ["violation", "normal", "suspicious"]
    folder = edit_card(lambda card: card.update(labels=order))
    weights = load_file(folder / "adapter_model.safetensors")
    rows = [Label(label).position for label in order]
    permuted = {
        name: value[rows].clone() if "classifier" in name else value for name, value in weights.items()
    }
    save_file(permuted, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    vouch(folder)
    np.testing.assert_allclose(
        Scorer.load(folder).probabilities(TEXTS), Scorer.load(trained).probabilities(TEXTS), atol=1e-6
    )


def test_another_base_is_refused(edit_card, tmp_path):
    other = make_tiny_encoder(tmp_path / "other", seed=1)
    with pytest.raises(AdapterError, match="trained on another"):
        load_adapter(edit_card(lambda card: card["base"].update(name=str(other))))


def test_an_adapter_whose_base_is_gone_says_so(edit_card, tmp_path):
    with pytest.raises(EncoderError, match="no such folder"):
        load_adapter(edit_card(lambda card: card["base"].update(name=str(tmp_path / "gone"))))


def test_an_adapted_base_is_found_beside_an_adapter_that_was_moved_with_it(edit_card, tiny_base):
    folder = edit_card(lambda card: card["base"].update(name="/an/earlier/place/base-0001"))
    beside = shutil.copytree(tiny_base, folder.parent / "base-0001")
    (beside / ADAPTATION).write_text("{}", encoding="utf-8")
    assert load_adapter(folder).card.base.fingerprint == base_fingerprint(beside)
    (beside / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(AdapterError, match="trained on another"):
        load_adapter(folder)


def test_a_merged_adapter_cannot_be_saved_as_one(adapter, tmp_path):
    with pytest.raises(AdapterError, match="not merged"):
        save_adapter(tmp_path, replace(adapter.encoder), adapter.card)


def test_an_adapter_config_names_the_base_as_given(trained, toy_config):
    config = json.loads((trained / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == toy_config.base


def vouch(folder):
    """Update the card's hashes, as a careful forger would."""
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["files"] = {name: sha256_of(folder / name) for name in card["files"]}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "is_converted"),
    [("bert.pooler.dense", False), ("classifier", False), ("bert.encoder.layer.0.output.dense", True)],
)
def test_a_base_in_8_bits_keeps_its_heads_whole(name, is_converted):
    assert should_convert_module(name, list(NOT_IN_8_BITS)) is is_converted
