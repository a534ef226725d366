"""Progress reports, the parameters of the best epoch, and early stopping, as a callback of `transformers.Trainer`."""

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer.adapters.card import Epoch
from trainer.config import TrainConfig
from trainer.errors import TrainerError
from trainer.fitting.processes import Processes
from trainer.running.device import gpu_memory
from trainer.running.progress import Progress

STEPS_BETWEEN_LOOKS = 10
"""Steps between two reads of the loss, each of which synchronises the GPU."""
MACRO_F1 = "eval_macro_f1"

Parameters = Mapping[str, torch.Tensor]
"""The trained parameters by name."""


@dataclass
class Tally:
    """Progress of a training; seconds and posts are totals over all restarts."""

    step: int = 0
    posts: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best: float = -1.0
    micro_batch: int = 0
    """Posts per forward pass."""
    warnings: list[str] = field(default_factory=list)
    history: list[Epoch] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Tally":
        return cls(**values | {"history": [Epoch(**epoch) for epoch in values["history"]]})

    @property
    def epoch(self) -> int:
        return len(self.history) + 1

    def is_over(self, steps: int, config: TrainConfig) -> bool:
        without_gain = len(self.history) - self.best_epoch
        is_stalled = self.step >= config.min_steps and without_gain >= config.patience
        return self.step >= steps or is_stalled


class Epochs(TrainerCallback):
    def __init__(
        self,
        tally: Tally,
        trained: Parameters,
        best: Parameters,
        *,
        config: TrainConfig,
        progress: Progress,
        processes: Processes,
    ) -> None:
        self.tally, self.best = tally, best
        self._trained, self._config = trained, config
        self._progress, self._processes = progress, processes
        self._began = self._loss = 0.0
        self._done = 0
        self._total = torch.zeros((), device=processes.device)

    def add(self, loss: torch.Tensor) -> None:
        self._total += loss

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._began = time.monotonic() - self.tally.seconds

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **facts: Any
    ) -> None:
        self._done = 0
        self._total.zero_()
        # By seed and epoch: a resumed training repeats the draws of an unbroken one.
        rng = np.random.default_rng((self._config.seed, self.tally.epoch))
        torch.manual_seed(int(rng.integers(2**32)) + self._processes.index)
        facts["train_dataloader"].batch_sampler.draw(rng)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **facts: Any
    ) -> None:
        tally, batches = self.tally, facts["train_dataloader"].batch_sampler.batches
        tally.posts += len(batches[self._done])
        tally.step = state.global_step
        self._done += 1
        is_last = self._done == len(batches) or tally.step == state.max_steps
        if is_last or self._done % STEPS_BETWEEN_LOOKS == 0:
            self._loss = _finite(float(self._total) / self._done, tally)
            memory = gpu_memory(self._processes.device)
            self._progress.step(
                tally.step, state.max_steps, epoch=tally.epoch, loss=round(self._loss, 4), **memory
            )

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **facts: Any
    ) -> None:
        tally, score = self.tally, facts["metrics"].get(MACRO_F1)
        self._progress.note(epoch=tally.epoch, loss=round(self._loss, 4), macro_f1=score)
        tally.history.append(Epoch(tally.epoch, self._loss, score))
        if score is None or score > tally.best:
            tally.best, tally.best_epoch = score or 0.0, len(tally.history)
            self.best = copied(self._trained)
        tally.seconds = time.monotonic() - self._began
        control.should_training_stop |= tally.is_over(state.max_steps, self._config)


def copied(parameters: Parameters) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in parameters.items()}


def _finite(loss: float, tally: Tally) -> float:
    if not math.isfinite(loss):
        raise TrainerError(
            "the loss is not a number any more (epoch {epoch}, step {step}); lower learning_rate and train again",
            epoch=tally.epoch,
            step=tally.step,
        )
    return loss
