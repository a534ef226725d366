"""Experiments: classifiers that read the mean of the last states instead of the pooled [CLS].

`mean_pooled` replaces the pooled vector while a model runs, so no adapter can be saved. `add_mean_layer` makes a plain
BERT encoder whose own pooled vector is the mean, up to a scale: it loads without any code of this project.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from trainer.adapters.encoder import Encoder, build
from trainer.config import TrainConfig

VALUE_SCALE = 1000.0
"""Over the residual of the [CLS] state, which is thereby lost in the layer norm."""
POOLER_SCALE = 0.1
"""Keeps the tanh of the pooler near its linear part."""


def add_mean_layer(base: Path, out: Path) -> Path:
    """Copy a BERT encoder with one more layer, in which every token attends equally to all tokens.

    The mean is over [CLS] and [SEP] too. Such a layer takes as long as any other.
    """
    short = AutoModel.from_pretrained(base, dtype=torch.float32)
    shape = BertConfig.from_dict(short.config.to_dict() | {"num_hidden_layers": len(short.encoder.layer) + 1})
    model = BertModel(shape)
    model.load_state_dict(short.state_dict(), strict=False)
    _average(model.encoder.layer[-1])
    _scale(model.pooler.dense, POOLER_SCALE)
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(base).save_pretrained(out)
    return out


def _average(layer: Any) -> None:
    attention = layer.attention
    for dense in (attention.self.query, attention.self.key, layer.intermediate.dense, layer.output.dense):
        _scale(dense, 0.0)
    _scale(attention.self.value, 1.0)
    _scale(attention.output.dense, VALUE_SCALE)


@torch.no_grad()
def _scale(dense: nn.Linear, factor: float) -> None:
    """Multiplies by the factor, and nothing else."""
    nn.init.eye_(dense.weight)
    dense.weight.mul_(factor)
    dense.bias.zero_()


@contextmanager
def mean_pooled() -> Iterator[None]:
    """Trainings build such classifiers. Only for bases whose classifier reads `pooler_output`, such as BERT."""
    with patch("trainer.fitting.training.build", _build):
        yield


def mean_of(states: Tensor, mask: Tensor | None) -> Tensor:
    """(rows, width) mean over the tokens of a text without its first and last; states (rows, length, width)."""
    is_text = torch.ones(states.shape[:2], dtype=torch.long) if mask is None else mask
    places = torch.arange(states.shape[1])
    inner = (places > 0) & (places < is_text.sum(1, keepdim=True) - 1)
    weights = inner.to(states)[:, :, None]
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


def _build(config: TrainConfig) -> Encoder:
    encoder = build(config)
    encoder.model.base_model.model.base_model.register_forward_hook(_replace_pooled, with_kwargs=True)  # type: ignore[union-attr,operator]
    return encoder


def _replace_pooled(_: nn.Module, __: tuple[Any, ...], inputs: Mapping[str, Any], outputs: Any) -> Any:
    outputs.pooler_output = mean_of(outputs.last_hidden_state, inputs.get("attention_mask"))
    return outputs
