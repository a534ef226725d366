"""Frozen vectors of texts, available before any text is labelled."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from trainer.adapters.encoder import quiet
from trainer.adapters.folders import resolve_base
from trainer.running.device import attention_for_any_shape, default_device
from trainer.scoring.scorer import as_tensors, token_budget
from trainer.texts.tokens import tokenise

LENGTH = 128
"""Tokens; longer texts are truncated."""


class Embedder:
    """Mean of a base encoder's last layer over a text's tokens, without adapter or training."""

    def __init__(self, model: nn.Module, tokenizer: PreTrainedTokenizerBase) -> None:
        self._device = default_device()
        self._model = model.eval().to(self._device)
        self._tokenizer = tokenizer
        self.width: int = model.config.hidden_size  # type: ignore[union-attr,assignment]

    @classmethod
    def load(cls, base: str) -> "Embedder":
        """Raises EncoderError if the base is not available."""
        folder = resolve_base(base)
        with quiet():
            model = AutoModel.from_pretrained(  # nosec B615 # a local folder
                folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)  # nosec B615 # a local folder
        return cls(model, tokenizer)

    @torch.inference_mode()
    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        tokens = tokenise(self._tokenizer, texts, LENGTH)
        distinct, which = tokens.distinct(np.arange(len(tokens)))
        vectors = np.zeros((len(distinct), self.width), dtype=np.float32)
        done = 0
        for batch in tokens.batches(distinct, token_budget(self._device)):
            ids, mask = tokens.padded(batch, self._tokenizer.pad_token_id or 0)
            with attention_for_any_shape():
                states = self._model(**as_tensors(ids, mask, self._device)).last_hidden_state
            # Without the special tokens at both ends.
            places = np.arange(ids.shape[1])
            inner = (places > 0) & (places < tokens.lengths[batch][:, None] - 1)
            weights = torch.from_numpy(inner.astype(np.float32)).to(self._device)[:, :, None]
            means = (states * weights).sum(1) / weights.sum(1).clamp(min=1)
            vectors[done : done + len(batch)] = means.float().cpu().numpy()
            done += len(batch)
        return vectors[which]
