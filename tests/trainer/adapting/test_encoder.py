"""Which encoders can be adapted, and the sentences about those that cannot."""

import json
from pathlib import Path

import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
)

from trainer.adapting.encoder import load_masked
from trainer.adapting.run import begin, finish, go_on, settings
from trainer.errors import EncoderError
from trainer.running.progress import Silent

CPU = torch.device("cpu")
SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
}


def replace_model(folder: Path, model: torch.nn.Module) -> Path:
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder)
    return folder


def vocabulary_of(folder: Path) -> int:
    return json.loads((folder / "config.json").read_text())["vocab_size"]


def test_special_tokens_are_those_of_the_tokenizer(base):
    masked = load_masked(base, "mine", CPU)
    assert (masked.special.pad, masked.special.cls, masked.special.sep, masked.special.mask) == (0, 2, 3, 4)
    assert masked.special.others == (1,)
    assert masked.length == 128


def test_a_pooler_that_the_file_lacks_begins_as_the_identity(base):
    pooler = load_masked(base, "mine", CPU).model.pooler.dense
    assert torch.equal(pooler.weight, torch.eye(32))
    assert not pooler.bias.any()


@pytest.mark.parametrize("kind", ["masked", "without pooler"])
def test_others_like_bert_are_adapted_too(base, corpus, tmp_path, accelerator, kind):
    size = vocabulary_of(base)
    if kind == "masked":
        replace_model(base, BertForMaskedLM(BertConfig(vocab_size=size, **SHAPE)))
    else:
        shape = {"max_position_embeddings": 128, "n_layers": 1, "n_heads": 2, "dim": 32, "hidden_dim": 64}
        replace_model(base, DistilBertModel(DistilBertConfig(vocab_size=size, **shape)))
    adapting = begin(settings([corpus], steps=2), base, str(base), tmp_path / "c", accelerator)
    go_on(adapting, tmp_path / "c", accelerator, Silent())
    finish(adapting, tmp_path / "out", accelerator)
    assert load_masked(tmp_path / "out", "adapted", CPU).length == 128


def test_no_mask_token(base):
    settings_file = base / "tokenizer_config.json"
    values = json.loads(settings_file.read_text())
    settings_file.write_text(
        json.dumps(values | {"tokenizer_class": "PreTrainedTokenizerFast", "mask_token": None})
    )
    with pytest.raises(EncoderError, match=r"^mine: its tokenizer has no mask token"):
        load_masked(base, "mine", CPU)


def test_word_vectors_of_another_width(base):
    config = ElectraConfig(vocab_size=vocabulary_of(base), embedding_size=16, **SHAPE)
    with pytest.raises(EncoderError, match=r"^mine: has no word vectors as wide as its layers"):
        load_masked(replace_model(base, ElectraModel(config)), "mine", CPU)


def test_weights_that_do_not_load(base):
    (base / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(EncoderError, match=r"^mine: cannot be loaded as an encoder"):
        load_masked(base, "mine", CPU)
