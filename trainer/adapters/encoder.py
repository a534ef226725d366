"""A base encoder with a LoRA adapter and a classification head over LABELS: build, save, load."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model, prepare_model_for_kbit_training
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from trainer.adapters.card import Base, Card, write_card
from trainer.adapters.folders import base_fingerprint, resolve_base, same_base, vouched_card
from trainer.adapters.lora_config import ADAPTER_CONFIG, HEADS
from trainer.config import ALL_LINEAR, TrainConfig
from trainer.errors import AdapterError, EncoderError
from trainer.files import sha256_of, write_json
from trainer.labels import LABELS

NOT_IN_8_BITS = tuple(rf"(.*\.)?{head}" for head in HEADS)
"""transformers matches a pattern from the start of the full module name: `pooler` would not match bert.pooler.dense."""


@dataclass(frozen=True)
class Encoder:
    """A classifier over `labels`, in the order of its outputs, with its tokenizer and its base."""

    model: nn.Module
    tokenizer: PreTrainedTokenizerBase
    base: Base
    labels: tuple[str, ...] = LABELS


@dataclass(frozen=True)
class Adapter:
    """A loaded adapter: merged into its base in fp32, in evaluation mode, on the CPU."""

    encoder: Encoder
    card: Card


def build(config: TrainConfig) -> Encoder:
    """The base of `config` with a new LoRA adapter and a new classifier.

    Initial weights come from torch's global generator, which the caller seeds. Raises EncoderError.
    """
    folder = resolve_base(config.base)
    model = _load_8bit(folder) if config.eight_bit else _load_base(folder, LABELS)
    heads = {name.rpartition(".")[2] for name, _ in model.named_modules()} & set(HEADS)
    if not config.train_pooler:
        heads -= {"pooler"}
    lora = LoraConfig(
        task_type=TaskType.SEQ_CLS,  # without it peft leaves the classifier frozen at random, and unsaved
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=_target_modules(model, config),
        modules_to_save=sorted(heads),
    )
    with quiet():
        peft_model = get_peft_model(model, lora)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)  # nosec B615 # a local folder
    lora.base_model_name_or_path = config.base  # peft stores the local folder
    return Encoder(peft_model, tokenizer, _describe(config.base, folder, model))


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    with quiet():
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)  # nosec B615 # a local folder
    return tokenizer


def merged(encoder: Encoder) -> Encoder:
    """For scoring: the adapter added into the base. Consumes the encoder passed in."""
    if not isinstance(encoder.model, PeftModel):
        return encoder
    model: nn.Module = encoder.model.merge_and_unload()
    return replace(encoder, model=model.eval())


def save_adapter(folder: Path, encoder: Encoder, card: Card) -> Card:
    if not isinstance(encoder.model, PeftModel):
        raise AdapterError("only an adapter that is not merged yet can be saved")
    with quiet():
        # "auto" would ask the hub whether the vocabulary grew; it never does.
        encoder.model.save_pretrained(str(folder), save_embedding_layers=False)
        encoder.tokenizer.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # written by peft; the card writes another
    _sort_modules(folder / ADAPTER_CONFIG)
    files = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
    whole = replace(card, files=files)
    write_card(folder, whole)
    return whole


def _sort_modules(config: Path) -> None:
    """peft writes sets, whose order differs between processes: the file's hash would too."""
    values = json.loads(config.read_text(encoding="utf-8"))
    ordered = {name: sorted(value) for name, value in values.items() if isinstance(value, list)}
    write_json(config, values | ordered)


def load_adapter(folder: Path) -> Adapter:
    """Load an adapter folder, merged into its base.

    All checks precede the opening of weights. Raises AdapterError for a missing card, other label names,
    another base, changed files or a pickle, and EncoderError if the base is not available. Labels in another
    order are read by name.
    """
    card = vouched_card(folder)
    base = same_base(folder, card, card.base.name)
    try:
        with quiet():
            model = PeftModel.from_pretrained(_load_base(base, card.labels), str(folder)).merge_and_unload()
            # Of the base, whose files are verified: that of the folder is a copy, and may come from elsewhere.
            tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)  # nosec B615 # a local folder
    except (OSError, ValueError, TypeError, AttributeError, RuntimeError, KeyError, SafetensorError) as error:
        raise AdapterError(
            "{folder}: does not fit its base ({error}); restore it or train again", folder=folder, error=error
        ) from error
    return Adapter(Encoder(model.eval(), tokenizer, card.base, card.labels), card)


def _load_8bit(folder: Path) -> nn.Module:
    """The base with frozen linear layers in 8 bits, on the current GPU. Raises EncoderError."""
    if not torch.cuda.is_available():
        raise EncoderError("eight_bit needs a CUDA GPU, and there is none; leave it out")
    if find_spec("bitsandbytes") is None:
        raise EncoderError("eight_bit needs bitsandbytes; run `pip install bitsandbytes`, or leave it out")
    bits = BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=list(NOT_IN_8_BITS))  # type: ignore[no-untyped-call]
    model = _load_base(folder, LABELS, quantization_config=bits, device_map={"": torch.cuda.current_device()})
    prepared: nn.Module = prepare_model_for_kbit_training(  # type: ignore[no-untyped-call]
        model, use_gradient_checkpointing=False
    )
    return prepared


def _load_base(folder: Path, labels: tuple[str, ...], **settings: Any) -> nn.Module:
    try:
        with quiet():
            model: nn.Module = AutoModelForSequenceClassification.from_pretrained(  # nosec B615 # a local folder
                folder,
                num_labels=len(labels),
                id2label=dict(enumerate(labels)),
                label2id={label: position for position, label in enumerate(labels)},
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                **settings,
            )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise EncoderError(
            "{folder}: cannot be loaded as an encoder ({error})", folder=folder, error=error
        ) from error
    return model


def _target_modules(model: nn.Module, config: TrainConfig) -> list[str]:
    layers = sorted(_linear_layers(model))
    if config.target_modules == ALL_LINEAR:
        return layers
    if unknown := set(config.modules()) - {name.rpartition(".")[2] for name in layers}:
        raise EncoderError(
            "{base}: has no layer named {layer}; see target_modules",
            base=config.base,
            layer=repr(min(unknown)),
        )
    return config.modules()


def _linear_layers(model: nn.Module) -> Iterator[str]:
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and not set(name.split(".")) & set(HEADS):
            yield name


def _describe(name: str, folder: Path, model: nn.Module) -> Base:
    config: Any = model.config
    return Base(
        name, base_fingerprint(folder), config.model_type, config.hidden_size, config.num_hidden_layers
    )


@cache
def _silence_libraries() -> None:
    """transformers and the hub client print to standard error, which is reserved for one error line."""
    disable_progress_bar()  # type: ignore[no-untyped-call]
    for library in ("transformers", "huggingface_hub"):
        logging.getLogger(library).setLevel(logging.ERROR)


@contextmanager
def quiet() -> Iterator[None]:
    _silence_libraries()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # raised by peft about transformers
        yield
