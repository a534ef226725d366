"""An experiment: classifiers that read the mean of the last states instead of the pooled [CLS]."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from trainer.adapters.encoder import Encoder, build
from trainer.config import TrainConfig


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
