"""An encoder that masked words can train further: loaded, checked, saved beside its tokenizer."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerBase

from trainer.adapters.encoder import load_tokenizer, quiet
from trainer.adapters.folders import TOKENIZER_FILES
from trainer.config import TrainConfig
from trainer.errors import EncoderError
from trainer.pretrain.corpus import Special

NEEDED = ("mask", "cls", "sep", "pad")


@dataclass(frozen=True)
class MaskedEncoder:
    """`length` is the longest row in tokens."""

    model: PreTrainedModel
    tokenizer: Tokenizer
    special: Special
    length: int


def load_masked(folder: Path, name: str, device: torch.device) -> MaskedEncoder:
    """The encoder in `folder`, which refusals call `name`. Raises EncoderError if it cannot be adapted."""
    try:
        tokenizer = load_tokenizer(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(name, error) from error
    special, fast = _special(tokenizer, name), _fast(tokenizer, name)
    model = _load_model(folder, name, device)
    _refuse_shape(model, name)
    positions = getattr(model.config, "max_position_embeddings", None) or tokenizer.model_max_length
    length = min(TrainConfig().max_length, tokenizer.model_max_length, positions)
    return MaskedEncoder(model, fast, special, length)


def save_masked(model: PreTrainedModel, base: Path, folder: Path) -> None:
    """The weights and the config; the tokenizer is a copy of the base's, byte for byte: stored token ids stay valid."""
    with quiet():
        model.save_pretrained(folder)
    for pattern in TOKENIZER_FILES:
        for file in base.glob(pattern):
            shutil.copyfile(file, folder / file.name)


def _special(tokenizer: PreTrainedTokenizerBase, name: str) -> Special:
    ids: dict[str, int] = {
        kind: number
        for kind in NEEDED
        if (number := getattr(tokenizer, f"{kind}_token_id", None)) is not None
    }
    missing = [kind for kind in NEEDED if kind not in ids]
    if missing:
        raise EncoderError(
            "{name}: its tokenizer has no {kind} token, so masked words cannot adapt it; keep it as it is, or choose an encoder like BERT as the base",
            name=name,
            kind=missing[0],
        )
    others = set(tokenizer.all_special_ids) - set(ids.values())
    return Special(**ids, others=tuple(sorted(others)))


def _fast(tokenizer: PreTrainedTokenizerBase, name: str) -> Tokenizer:
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is None:
        raise EncoderError(
            "{name}: has no tokenizer.json and none can be made of its files, so it cannot be adapted; keep it as it is, or choose an encoder like BERT as the base",
            name=name,
        )
    alone = Tokenizer.from_str(fast.to_str())
    alone.no_truncation()
    alone.no_padding()
    return alone


def _load_model(folder: Path, name: str, device: torch.device) -> PreTrainedModel:
    try:
        with quiet():
            model, loading = AutoModel.from_pretrained(  # nosec B615 # a local folder
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                # The backward pass of fused attention is slower on a CPU.
                attn_implementation="eager" if device.type == "cpu" else "sdpa",
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise _unreadable(name, error) from error
    if "pooler.dense.weight" in loading["missing_keys"]:
        _begin_at_identity(model.pooler.dense)
    loaded: PreTrainedModel = model
    return loaded


def _refuse_shape(model: PreTrainedModel, name: str) -> None:
    if model.config.is_encoder_decoder:
        raise EncoderError(
            "{name}: has a decoder, so masked words cannot adapt it; keep it as it is, or choose an encoder like BERT as the base",
            name=name,
        )
    try:
        table = model.get_input_embeddings()
    except NotImplementedError:
        table = None
    width = getattr(model.config, "hidden_size", None)
    if not isinstance(table, nn.Embedding) or table.embedding_dim != width:
        raise EncoderError(
            "{name}: has no word vectors as wide as its layers, so masked words cannot adapt it; keep it as it is, or choose an encoder like BERT as the base",
            name=name,
        )


@torch.no_grad()
def _begin_at_identity(layer: nn.Linear) -> None:
    layer.weight.copy_(torch.eye(len(layer.weight)))
    layer.bias.zero_()


def _unreadable(name: str, error: Exception) -> EncoderError:
    return EncoderError("{folder}: cannot be loaded as an encoder ({error})", folder=name, error=error)
