"""Frozen vectors of texts: what they are about, before anybody has labelled one."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from trainer.dataset import pad, scoring_batches, tokenise
from trainer.device import default_device
from trainer.encoder import quiet
from trainer.folders import resolve_base
from trainer.score import CPU_TOKEN_BUDGET, GPU_TOKEN_BUDGET, as_tensors

LENGTH = 128
"""Tokens; longer texts are cut."""


class Embedder:
    """The mean of a base encoder's last layer over a text's own tokens; no adapter, no training."""

    def __init__(self, model: nn.Module, tokenizer: PreTrainedTokenizerBase) -> None:
        self._device = default_device()
        self._model = model.eval().to(self._device)
        self._tokenizer = tokenizer
        self.width: int = model.config.hidden_size  # type: ignore[union-attr,assignment]

    @classmethod
    def load(cls, base: str) -> "Embedder":
        """Raises EncoderError when there is no such base."""
        folder = resolve_base(base)
        with quiet():
            model = AutoModel.from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return cls(model, tokenizer)

    @torch.inference_mode()
    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, width), in the order of the texts."""
        tokens = tokenise(self._tokenizer, texts, LENGTH)
        found = np.zeros((len(tokens), self.width), dtype=np.float32)
        budget = GPU_TOKEN_BUDGET if self._device.type == "cuda" else CPU_TOKEN_BUDGET
        for batch in scoring_batches(tokens, budget):
            ids, mask = pad([tokens[row] for row in batch], self._tokenizer.pad_token_id or 0)
            states = self._model(**as_tensors(ids, mask, self._device)).last_hidden_state
            # Without the marks at both ends, which belong to no text.
            inner = np.zeros(ids.shape, dtype=np.float32)
            for row, at in enumerate(batch):
                inner[row, 1 : len(tokens[at]) - 1] = 1
            weights = torch.from_numpy(inner).to(self._device)[:, :, None]
            found[batch] = ((states * weights).sum(1) / weights.sum(1).clamp(min=1)).float().cpu().numpy()
        return found
