"""The training loop: labelled examples in, a fitted encoder out. Nothing is read or written here."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainer.calibration import fit_calibration
from trainer.card import Calibration, Epoch
from trainer.config import LABELS, TrainConfig
from trainer.dataset import Example, TokenIds, count_labels, group_weights, pad, tokenise, training_batches
from trainer.device import default_device, device_name, has_bf16
from trainer.encoder import Encoder, build
from trainer.errors import TrainerError
from trainer.metrics import macro_f1
from trainer.progress import Progress
from trainer.score import as_tensors, logits

CALIBRATION_ROWS = 30
"""Fewer validation rows than this fit no calibration."""
STEADY_CALIBRATION_ROWS = 150
"""Fewer than this fit one that is told to be rough."""
STEPS_BETWEEN_LOOKS = 10
"""Steps between two looks at the loss: each look makes a GPU wait."""
LARGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class Fit:
    """A trained, unmerged encoder at its best epoch, and how it came about."""

    encoder: Encoder
    device: str
    seconds: float
    posts_per_second: float
    best_epoch: int
    epochs: tuple[Epoch, ...]
    calibration: Calibration
    validation_logits: NDArray[np.float32]
    """(validation rows, 3), in LABELS order."""
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Split:
    """Examples as the loop needs them."""

    tokens: list[TokenIds]
    labels: list[str]
    targets: NDArray[np.float32]
    """(n, 3) probabilities times the weight of the label and of the row."""

    def __len__(self) -> int:
        return len(self.tokens)


def fit(
    train: Sequence[Example],
    validation: Sequence[Example],
    config: TrainConfig,
    *,
    progress: Progress,
    device: torch.device | None = None,
) -> Fit:
    """Train an adapter and its calibration. Without validation rows the last epoch is kept, uncalibrated.

    Raises TrainerError when there is nothing to learn from or the loss is not a number any more.
    """
    warnings = _check(train, validation)
    place = device or default_device()
    with torch.random.fork_rng(_own_generators(place)):  # leaves the caller's as they were
        torch.manual_seed(config.seed)
        encoder = build(config)
        learned, held_out = (_split(encoder, examples, config) for examples in (train, validation))
        loop = _Loop(encoder, learned, held_out, config, place, progress)
        started = time.monotonic()
        history = loop.run()
        seconds = time.monotonic() - started
    scores = logits(encoder.model, encoder, loop.validation.tokens)
    if len(validation) >= CALIBRATION_ROWS:
        targets = [example.target for example in validation]
        calibration = fit_calibration(scores, targets, group_weights(validation))
    else:
        calibration = Calibration.identity()
    return Fit(
        encoder=encoder,
        device=device_name(place),
        seconds=seconds,
        posts_per_second=loop.posts / max(seconds, 1e-9),
        best_epoch=loop.best_epoch,
        epochs=tuple(history),
        calibration=calibration,
        validation_logits=scores,
        warnings=(*warnings, *loop.warnings),
    )


def label_weights(counts: Mapping[str, int], cap: float) -> NDArray[np.float64]:
    """Weight by label: the square root of how much rarer it is than the commonest, at most `cap`."""
    commonest = max(counts.values())
    return np.array([min(cap, math.sqrt(commonest / max(1, counts[label]))) for label in LABELS])


def planned_steps(rows: int, config: TrainConfig) -> int:
    """Optimiser steps of a training that is not stopped early."""
    an_epoch = math.ceil(rows / config.batch_size)
    epochs = max(config.max_epochs, math.ceil(config.min_steps / an_epoch))
    return min(epochs * an_epoch, config.max_steps)


@dataclass
class _Loop:
    """One training under way."""

    encoder: Encoder
    train: _Split
    validation: _Split
    config: TrainConfig
    device: torch.device
    progress: Progress
    best_epoch: int = 0
    posts: int = 0
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model: nn.Module = self.encoder.model.to(self.device)
        self.steps = planned_steps(len(self.train), self.config)
        self.trained = {name: value for name, value in self.model.named_parameters() if value.requires_grad}
        self.optimizer = torch.optim.AdamW(
            self.trained.values(),
            lr=self.config.rate_for(self.encoder.base.hidden_size),
            weight_decay=self.config.weight_decay,
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        self.micro_batch = self.config.batch_size
        self.pad_id = self.encoder.tokenizer.pad_token_id or 0
        self.step = 0

    def run(self) -> list[Epoch]:
        """Train to the end or until it stops getting better; the model is left at its best epoch."""
        rng = np.random.default_rng(self.config.seed)
        lengths = [len(ids) for ids in self.train.tokens]
        history: list[Epoch] = []
        best, kept = -1.0, self._copy()
        while self.step < self.steps and not self._is_stalled(len(history)):
            loss = self._epoch(training_batches(lengths, self.config.batch_size, rng), len(history) + 1)
            score = self._validate()
            history.append(Epoch(len(history) + 1, loss, score))
            self.progress.note(epoch=len(history), loss=round(loss, 4), macro_f1=score)
            if score is None or score > best:
                best, kept, self.best_epoch = score or 0.0, self._copy(), len(history)
        with torch.no_grad():
            for name, value in self.trained.items():
                value.copy_(kept[name])
        self.model.eval()
        return history

    def _epoch(self, batches: list[NDArray[np.int64]], number: int) -> float:
        """One pass over the examples; returns the mean loss."""
        self.model.train()
        total = torch.zeros((), device=self.device)
        for done, batch in enumerate(batches, start=1):
            total += self._step(batch)
            self.step += 1
            self.posts += len(batch)
            if done % STEPS_BETWEEN_LOOKS == 0 or done == len(batches) or self.step == self.steps:
                mean = _finite(float(total) / done, number, self.step)
                self.progress.step(self.step, self.steps, epoch=number, loss=round(mean, 4))
            if self.step == self.steps:
                break
        return mean

    def _step(self, batch: NDArray[np.int64]) -> torch.Tensor:
        """One optimiser step over a batch, in as many pieces as the memory asks for."""
        while True:
            try:
                loss = self._backward(batch)
                break
            except torch.cuda.OutOfMemoryError as error:
                self._halve(error)
        nn.utils.clip_grad_norm_(self.trained.values(), LARGEST_GRADIENT)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        return loss

    def _backward(self, batch: NDArray[np.int64]) -> torch.Tensor:
        total = torch.zeros((), device=self.device)
        for start in range(0, len(batch), self.micro_batch):
            piece = batch[start : start + self.micro_batch]
            ids, mask = pad([self.train.tokens[row] for row in piece], self.pad_id)
            targets = torch.from_numpy(self.train.targets[piece]).to(self.device)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bf16(self.device)):
                scores = self.model(**as_tensors(ids, mask, self.device)).logits
            loss = -(targets * scores.float().log_softmax(dim=1)).sum() / len(batch)
            loss.backward()
            total += loss.detach()
        return total

    def _halve(self, error: Exception) -> None:
        if self.micro_batch == 1:
            raise TrainerError(
                "the GPU has no room for one post; free memory or use a smaller base"
            ) from error
        self.optimizer.zero_grad()
        torch.cuda.empty_cache()
        self.micro_batch = math.ceil(self.micro_batch / 2)
        self.warnings.append(
            f"the GPU ran out of memory: batches of {self.config.batch_size} went through "
            f"in pieces of {self.micro_batch}"
        )

    def _rate(self, step: int) -> float:
        """Share of the learning rate: a linear climb, then a linear fall to zero."""
        warmup = math.ceil(self.steps * self.config.warmup)
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return (self.steps - step) / max(1, self.steps - warmup)

    def _validate(self) -> float | None:
        if not len(self.validation):
            return None
        self.model.eval()
        predicted = logits(self.model, self.encoder, self.validation.tokens).argmax(axis=1)
        return macro_f1(self.validation.labels, predicted)

    def _is_stalled(self, epochs: int) -> bool:
        return (
            len(self.validation) > 0
            and self.step >= self.config.min_steps
            and epochs - self.best_epoch >= self.config.patience
        )

    def _copy(self) -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in self.trained.items()}


def _check(train: Sequence[Example], validation: Sequence[Example]) -> list[str]:
    """Refuse what cannot be trained; return what should be said about the rest."""
    missing = [label for label, count in count_labels(train).items() if not count]
    if len(missing) > len(LABELS) - 2:
        raise TrainerError("the training rows hold fewer than two different labels: label more posts first")
    warnings = [f"no training rows are labelled {label}: it cannot be learned" for label in missing]
    if not validation:
        warnings.append("no validation rows: the last epoch was kept, the probabilities are not calibrated")
    elif len(validation) < CALIBRATION_ROWS:
        warnings.append(f"only {len(validation)} validation rows: the probabilities are not calibrated")
    elif len(validation) < STEADY_CALIBRATION_ROWS:
        warnings.append(f"only {len(validation)} validation rows: epoch and calibration are rough")
    return warnings


def _split(encoder: Encoder, examples: Sequence[Example], config: TrainConfig) -> _Split:
    targets = np.array([example.target for example in examples]).reshape(-1, len(LABELS))
    if examples:
        targets = targets * label_weights(count_labels(examples), config.max_label_weight)
        targets *= group_weights(examples)[:, None]
        targets /= targets.sum() / len(examples)  # so that the mean loss does not depend on the weights
    return _Split(
        tokens=tokenise(encoder.tokenizer, [example.text for example in examples], config.max_length),
        labels=[example.label for example in examples],
        targets=targets.astype(np.float32),
    )


def _finite(loss: float, epoch: int, step: int) -> float:
    if not math.isfinite(loss):
        raise TrainerError(
            f"the loss is not a number any more (epoch {epoch}, step {step}); "
            "lower learning_rate and train again"
        )
    return loss


def _own_generators(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
