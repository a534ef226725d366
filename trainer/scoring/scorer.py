"""Fast probabilities of many texts.

Equal texts are scored once; the rest are sorted by length into batches of a token budget, so that almost
nothing is padding. The adapter is merged into its base, and on a GPU the model runs in bf16.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainer.adapters.card import Card
from trainer.adapters.encoder import Adapter, Encoder, load_adapter
from trainer.chunks import in_chunks
from trainer.errors import TrainerError
from trainer.labels import LABELS
from trainer.running.device import attention_for_any_shape, default_device, has_bf16
from trainer.statistics.calibration import Calibration
from trainer.statistics.vector_scaling import apply_calibration
from trainer.texts.tokens import Tokens, fingerprint, tokenise

GPU_TOKEN_BUDGET = 2**17
CPU_TOKEN_BUDGET = 1024
GPU_FLIGHT = 16
"""Batches in flight on a GPU between two synchronisations, which would otherwise leave it idle."""

Tick = Callable[[int, int], None]
"""Called with (texts done, texts in total)."""
Network = Callable[[NDArray[np.int64], NDArray[np.int64] | None], torch.Tensor]
"""Token ids and attention mask of a batch to its logits."""


class StoppedError(TrainerError):
    pass


class Scorer:
    """A loaded adapter that scores texts. Rows are in the order of the texts, columns in LABELS order."""

    def __init__(self, adapter: Adapter, *, device: str | torch.device | None = None) -> None:
        self.card: Card = adapter.card
        self.device = torch.device(device) if device is not None else default_device()
        model = adapter.encoder.model.to(self.device)
        self.model = model.to(torch.bfloat16) if has_bf16(self.device) else model
        self.encoder = adapter.encoder
        self.network = network_of(self.model)
        """Another network over the same labels may replace it."""

    @classmethod
    def load(cls, folder: Path, *, device: str | torch.device | None = None) -> "Scorer":
        return cls(load_adapter(folder), device=device)

    def tokenise(self, texts: Iterable[str]) -> Tokens:
        return tokenise(self.encoder.tokenizer, texts, self.card.config.max_length)

    @property
    def tokens_name(self) -> str:
        """Equal for adapters that can share stored tokens."""
        return fingerprint(self.encoder.tokenizer, self.card.config.max_length)

    def probabilities(
        self,
        texts: Sequence[str],
        *,
        calibrated: bool = True,
        on_progress: Tick | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> NDArray[np.float32]:
        """(n, 3). Raises StoppedError if `should_stop` returns true between batches."""
        return self.score_tokens(
            self.tokenise(texts), calibrated=calibrated, on_progress=on_progress, should_stop=should_stop
        )

    def score_tokens(
        self,
        tokens: Tokens,
        *,
        calibrated: bool = True,
        on_progress: Tick | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> NDArray[np.float32]:
        distinct, which = tokens.distinct(np.arange(len(tokens)))
        scores = self.logits(tokens, distinct, on_progress=on_progress, should_stop=should_stop)
        return self.calibrated(scores, calibrated=calibrated)[which]

    def logits(
        self,
        tokens: Tokens,
        longest_first: NDArray[np.int64],
        *,
        on_progress: Tick | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> NDArray[np.float32]:
        return _logits(
            self.network,
            self.device,
            self.encoder,
            tokens,
            longest_first,
            on_progress=on_progress,
            should_stop=should_stop,
        )

    def calibrated(self, scores: NDArray[np.float32], *, calibrated: bool = True) -> NDArray[np.float32]:
        calibration = self.card.calibration if calibrated else Calibration.identity()
        return apply_calibration(scores, calibration).astype(np.float32)


def logits(
    model: nn.Module,
    encoder: Encoder,
    tokens: Tokens,
    *,
    on_progress: Tick | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> NDArray[np.float32]:
    """(n, 3) logits in LABELS order of a model in evaluation mode, on its device. Equal texts are scored once."""
    device = next(model.parameters()).device
    distinct, which = tokens.distinct(np.arange(len(tokens)))
    scores = _logits(
        network_of(model), device, encoder, tokens, distinct, on_progress=on_progress, should_stop=should_stop
    )
    return scores[which]


def network_of(model: nn.Module) -> Network:
    def forward(ids: NDArray[np.int64], mask: NDArray[np.int64] | None) -> torch.Tensor:
        with attention_for_any_shape():
            scores: torch.Tensor = model(**as_tensors(ids, mask, next(model.parameters()).device)).logits
        return scores

    return forward


def token_budget(device: torch.device) -> int:
    return GPU_TOKEN_BUDGET if device.type == "cuda" else CPU_TOKEN_BUDGET


def _logits(
    network: Network,
    device: torch.device,
    encoder: Encoder,
    tokens: Tokens,
    longest_first: NDArray[np.int64],
    *,
    on_progress: Tick | None,
    should_stop: Callable[[], bool] | None,
) -> NDArray[np.float32]:
    pad_id = encoder.tokenizer.pad_token_id or 0
    columns = [encoder.labels.index(label) for label in LABELS]
    scores = np.empty((len(longest_first), len(LABELS)), dtype=np.float32)
    done = 0
    batches = tokens.batches(longest_first, token_budget(device))
    for flight in in_chunks(batches, GPU_FLIGHT if device.type == "cuda" else 1):
        if should_stop is not None and should_stop():
            raise StoppedError(
                "scoring stopped after {done} of {total} texts", done=done, total=len(longest_first)
            )
        results = [_forward(network, *tokens.padded(batch, pad_id)) for batch in flight]
        count = sum(map(len, flight))
        scores[done : done + count] = torch.cat(results).float().cpu().numpy()[:, columns]
        done += count
        if on_progress is not None:
            on_progress(done, len(longest_first))
    return scores


@torch.inference_mode()
def _forward(network: Network, ids: NDArray[np.int64], mask: NDArray[np.int64] | None) -> torch.Tensor:
    """Logits of one batch, which is halved as long as it does not fit the GPU."""
    try:
        return network(ids, mask)
    except torch.cuda.OutOfMemoryError as error:
        if len(ids) == 1:
            raise TrainerError("the GPU has no room for one text; free memory or use the CPU") from error
    torch.cuda.empty_cache()
    half = len(ids) // 2
    parts = ((ids[part], None if mask is None else mask[part]) for part in (slice(half), slice(half, None)))
    return torch.cat([_forward(network, *part) for part in parts])


def as_tensors(
    ids: NDArray[np.int64], mask: NDArray[np.int64] | None, device: torch.device
) -> dict[str, torch.Tensor]:
    # Without padding there is no mask, which is faster.
    arrays = {"input_ids": ids} if mask is None else {"input_ids": ids, "attention_mask": mask}
    return {name: torch.from_numpy(array).to(device, non_blocking=True) for name, array in arrays.items()}
