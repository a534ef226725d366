"""Probabilities for many texts, fast.

    python -m trainer.score --model DIR --pool FILE --out DIR

Equal texts are scored once, the rest sorted by length into batches of a token budget, so that next to nothing
is padded; the adapter is merged into its base; on a GPU the model runs in bf16.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import nn

from trainer import command
from trainer.calibration import apply_calibration
from trainer.card import Calibration, Card
from trainer.config import LABELS
from trainer.dataset import TokenIds, pad, scoring_batches, tokenise
from trainer.device import default_device, has_bf16, leave_a_core
from trainer.encoder import Adapter, Encoder, load_adapter
from trainer.errors import TrainerError
from trainer.files import new_folder, refuse_existing
from trainer.progress import reporting
from trainer.texts import read_texts

GPU_TOKEN_BUDGET = 2**17
CPU_TOKEN_BUDGET = 1024
GPU_FLIGHT = 16
"""Batches sent to a GPU between two looks at the results: waiting for each would leave it idle."""

Tick = Callable[[int, int], None]
"""Called with (texts done, texts in all)."""


class StoppedError(TrainerError):
    """Scoring ended early because it was asked to."""


class Scorer:
    """A loaded adapter that scores texts. Rows come in the order of the texts, columns in LABELS order."""

    def __init__(self, adapter: Adapter, *, device: str | torch.device | None = None) -> None:
        self.card: Card = adapter.card
        self.device = torch.device(device) if device is not None else default_device()
        model = adapter.encoder.model.to(self.device)
        self._model = model.to(torch.bfloat16) if has_bf16(self.device) else model
        self._encoder = adapter.encoder

    @classmethod
    def load(cls, folder: Path, *, device: str | torch.device | None = None) -> "Scorer":
        """Load an adapter folder; raises AdapterError or EncoderError."""
        return cls(load_adapter(folder), device=device)

    def tokenise(self, texts: Sequence[str]) -> list[TokenIds]:
        """Token ids of each text: worth keeping, they only depend on the base encoder."""
        return tokenise(self._encoder.tokenizer, texts, self.card.config.max_length)

    def probabilities(
        self,
        texts: Sequence[str],
        *,
        calibrated: bool = True,
        on_progress: Tick | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> NDArray[np.float32]:
        """(n, 3) probabilities. Raises StoppedError when `should_stop` says so between batches."""
        return self.score_tokens(
            self.tokenise(texts), calibrated=calibrated, on_progress=on_progress, should_stop=should_stop
        )

    def score_tokens(
        self,
        tokens: Sequence[TokenIds],
        *,
        calibrated: bool = True,
        on_progress: Tick | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> NDArray[np.float32]:
        """The same from what `tokenise` returned."""
        distinct: dict[bytes, int] = {}
        rows = [distinct.setdefault(ids.tobytes(), len(distinct)) for ids in tokens]
        firsts: dict[int, TokenIds] = {}
        for row, ids in zip(rows, tokens, strict=True):
            firsts.setdefault(row, ids)
        unique = list(firsts.values())
        scores = logits(self._model, self._encoder, unique, on_progress=on_progress, should_stop=should_stop)
        calibration = self.card.calibration if calibrated else Calibration.identity()
        return apply_calibration(scores, calibration).astype(np.float32)[rows]


def logits(
    model: nn.Module,
    encoder: Encoder,
    tokens: Sequence[TokenIds],
    *,
    on_progress: Tick | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> NDArray[np.float32]:
    """(n, 3) raw scores in LABELS order of a model in evaluation mode, wherever it lies."""
    device = next(model.parameters()).device
    budget, at_once = (GPU_TOKEN_BUDGET, GPU_FLIGHT) if device.type == "cuda" else (CPU_TOKEN_BUDGET, 1)
    pad_id = encoder.tokenizer.pad_token_id or 0
    columns = [encoder.labels.index(label) for label in LABELS]
    scores = np.empty((len(tokens), len(LABELS)), dtype=np.float32)
    done = 0
    batches = scoring_batches(tokens, budget)
    while flight := list(islice(batches, at_once)):
        if should_stop is not None and should_stop():
            raise StoppedError(f"scoring stopped after {done} of {len(tokens)} texts")
        results = [_forward(model, [tokens[position] for position in batch], pad_id) for batch in flight]
        positions = [position for batch in flight for position in batch]
        scores[positions] = torch.cat(results).float().cpu().numpy()[:, columns]
        done += len(positions)
        if on_progress is not None:
            on_progress(done, len(tokens))
    return scores


@torch.inference_mode()
def _forward(model: nn.Module, tokens: list[TokenIds], pad_id: int) -> torch.Tensor:
    """Logits of one batch, halved for as long as it does not fit the GPU."""
    try:
        ids, mask = pad(tokens, pad_id)
        scores: torch.Tensor = model(**as_tensors(ids, mask, next(model.parameters()).device)).logits
    except torch.cuda.OutOfMemoryError as error:
        if len(tokens) == 1:
            raise TrainerError("the GPU has no room for one text; free memory or use the CPU") from error
    else:
        return scores
    torch.cuda.empty_cache()
    half = len(tokens) // 2
    return torch.cat([_forward(model, part, pad_id) for part in (tokens[:half], tokens[half:])])


def as_tensors(
    ids: NDArray[np.int64], mask: NDArray[np.int64] | None, device: torch.device
) -> dict[str, torch.Tensor]:
    """The keyword arguments of a model's forward pass; without padding no mask, which is faster."""
    arrays = {"input_ids": ids} if mask is None else {"input_ids": ids, "attention_mask": mask}
    return {name: torch.from_numpy(array).to(device, non_blocking=True) for name, array in arrays.items()}


def scores_table(ids: Sequence[str], probabilities: NDArray[np.float32]) -> pa.Table:
    """Columns id, one probability by label name, label, confidence, margin."""
    ordered = np.sort(probabilities, axis=1)
    columns: dict[str, Any] = {"id": pa.array(ids, pa.string())}
    columns |= {label: probabilities[:, position] for position, label in enumerate(LABELS)}
    columns["label"] = [LABELS[position] for position in probabilities.argmax(axis=1)]
    columns["confidence"] = ordered[:, -1]
    columns["margin"] = ordered[:, -1] - ordered[:, -2]
    return pa.table(columns)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command.parser("trainer.score", "Score a pool of posts with an adapter.")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="adapter folder")
    parser.add_argument("--pool", type=Path, required=True, metavar="FILE", help="TSV or JSONL with `text`")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for the scores")
    command.add_child_arguments(parser)
    return command.run(_score, parser.parse_args(arguments))


def _score(options: argparse.Namespace) -> None:
    refuse_existing(options.out)
    leave_a_core()
    posts = list(read_texts(options.pool))
    scorer = Scorer.load(options.model)
    progress = reporting(options.progress, "scoring")
    probabilities = scorer.probabilities([text for _, text in posts], on_progress=progress.step)
    progress.close()
    with new_folder(options.out) as folder:
        pq.write_table(scores_table([name for name, _ in posts], probabilities), folder / "scores.parquet")


if __name__ == "__main__":
    sys.exit(main())
