"""The settings of a received adapter: none may hang or bloat the loader, or name code."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.adapters.test_encoder import vouch
from tests.trainer.toy import copy_of
from trainer.adapters import encoder
from trainer.adapters.card import read_card
from trainer.adapters.encoder import load_adapter
from trainer.adapters.folders import vouched_card
from trainer.adapters.lora_config import ADAPTER_CONFIG, _are_modules, _is_ours
from trainer.errors import AdapterError


def edited(trained, tmp_path, **changes: Any):
    """An adapter with other settings and a card that vouches for them."""
    folder = copy_of(trained, tmp_path)
    file = folder / ADAPTER_CONFIG
    values = json.loads(file.read_text(encoding="utf-8")) | changes
    file.write_text(json.dumps(values), encoding="utf-8")
    vouch(folder)
    return folder


def test_what_our_trainer_writes_is_accepted(trained):
    assert vouched_card(trained) == read_card(trained)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("target_modules", "(a+)+$"),
        ("target_modules", "(.*?)*query" * 50),
        ("target_modules", ["(a+)+$"]),
        ("target_modules", []),
        ("target_modules", ["query"] * 5_001),
        ("target_modules", [["query"]]),
        ("target_modules", None),
        ("rank_pattern", {".*": 60_000}),
        ("alpha_pattern", {"(a+)+": 1}),
        ("r", 60_000),
        ("r", True),
        ("lora_alpha", "32"),
        ("lora_dropout", 0.9),
        ("modules_to_save", ["embeddings"]),
        ("modules_to_save", "(a+)+"),
        ("auto_mapping", {"base_model_class": "Evil", "parent_library": "os"}),
        ("megatron_config", {"x": 1}),
        ("megatron_core", "os"),
        ("task_type", "CAUSAL_LM"),
        ("peft_type", "LOHA"),
        ("peft_type", "NOT_THERE"),
        ("bias", "all"),
        ("init_lora_weights", "eva"),
        ("init_lora_weights", 1),
        ("use_dora", True),
        ("layer_replication", [[0, 1_000_000]]),
        ("layers_pattern", "(a+)+"),
        ("exclude_modules", "(a+)+"),
        ("target_parameters", ["x"]),
        ("trainable_token_indices", [1]),
        ("loftq_config", {"loftq_bits": 4}),
        ("runtime_config", {"x": 1}),
        ("a_setting_of_tomorrow", 0),
        ("base_model_name_or_path", "x" * 5_000),
    ],
)
def test_an_evil_setting_is_refused_in_one_sentence_before_peft_reads_it(
    trained, tmp_path, monkeypatch, setting, value
):
    monkeypatch.setattr(encoder, "PeftModel", None)
    with pytest.raises(AdapterError, match=rf"{setting} is not as our trainer writes it"):
        load_adapter(edited(trained, tmp_path, **{setting: value}))


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "[]", "{", "null", '{"r": 1' + " " * 1_000_001 + "}"], ids=range(5)
)
def test_a_file_that_is_no_small_object_is_refused(trained, tmp_path, content):
    folder = copy_of(trained, tmp_path)
    (folder / ADAPTER_CONFIG).write_text(content, encoding="utf-8")
    vouch(folder)
    with pytest.raises(AdapterError, match="not readable"):
        vouched_card(folder)


def test_a_deep_or_huge_card_is_refused(trained, tmp_path):
    folder = copy_of(trained, tmp_path)
    for content in ("[" * 100_000, " " * 10_000_001):
        (folder / "card.json").write_text(content, encoding="utf-8")
        with pytest.raises(AdapterError, match="not a readable card"):
            read_card(folder)


@pytest.mark.parametrize("tokenizer_class", ["NotThere", "os.system", "GPT2Tokenizer"])
def test_the_tokenizer_of_the_folder_is_not_loaded(trained, tmp_path, tokenizer_class):
    """It may name a class; that of the base is verified."""
    folder = copy_of(trained, tmp_path)
    settings = {"tokenizer_class": tokenizer_class, "auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    vouch(folder)
    ids = load_adapter(folder).encoder.tokenizer("天气真好")["input_ids"]
    assert ids == load_adapter(trained).encoder.tokenizer("天气真好")["input_ids"]


@given(st.text(max_size=30))
def test_a_name_of_a_module_holds_no_character_of_a_pattern(name):
    assert not _are_modules(name)
    assert not _are_modules([name]) or not set(name) & set(r"\\^$*+?{}[]|()")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_an_unknown_setting_is_accepted_only_if_it_is_empty(value):
    is_empty = value is None or value is False or (isinstance(value, str | list) and not value)
    assert _is_ours("a_setting_of_tomorrow", value, None) is is_empty
