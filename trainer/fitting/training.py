"""The training loop: labelled examples in, a fitted encoder out.

Nothing is read or written but a checkpoint, where one is asked for: after each epoch all that a killed training
needs to go on. Chance hangs on seed and epoch alone, so it ends where it would have ended unkilled.
"""

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainer.adapters.card import Epoch
from trainer.adapters.encoder import Encoder, build
from trainer.config import STEADY_VALIDATION_ROWS, TrainConfig, planned_steps
from trainer.device import attention_for_any_shape, gpu_memory, half_precision
from trainer.errors import TrainerError
from trainer.fitting.checkpoint import load_tensors, save_whole
from trainer.fitting.processes import Processes
from trainer.labels import LABELS
from trainer.progress import Progress
from trainer.scoring.scorer import as_tensors, logits
from trainer.statistics.metrics import macro_f1
from trainer.texts.dataset import Example, count_labels, group_weights, training_batches
from trainer.texts.tokens import Tokens, tokenise

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
    steps: int
    best_epoch: int
    epochs: tuple[Epoch, ...]
    validation_logits: NDArray[np.float32]
    """(validation rows, 3), in LABELS order."""
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Split:
    """Examples as the loop needs them."""

    tokens: Tokens
    labels: list[str]
    targets: NDArray[np.float32]
    """(n, 3) probabilities times the weight of the label and of the row."""
    weights: NDArray[np.float64]
    """(n,) what each row stands for."""

    def __len__(self) -> int:
        return len(self.tokens)


def fit(
    train: Sequence[Example],
    validation: Sequence[Example],
    config: TrainConfig,
    *,
    progress: Progress,
    processes: Processes | None = None,
    start: Encoder | None = None,
    checkpoint: Path | None = None,
) -> Fit:
    """Train an adapter. Without validation rows the last epoch is kept.

    `start` is an unmerged encoder to go on from (it is changed) instead of a fresh adapter. `checkpoint` is a
    file to go on from where it holds the same training, written after each epoch; it is the caller's to delete.
    Raises TrainerError when there is nothing to learn from or the loss is not a number any more.
    """
    warnings = _check(train, validation)
    several = processes or Processes.current()
    with torch.random.fork_rng(_own_generators(several.device)):  # leaves the caller's as they were
        torch.manual_seed(config.seed)
        encoder = start or build(config)
        learned, held_out = (_split(encoder, examples, config) for examples in (train, validation))
        saved = _Checkpoint(checkpoint, _made_of(encoder, train, validation, config))
        loop = _Loop(encoder, learned, held_out, config, several, progress, saved)
        history = loop.run()
    return Fit(
        encoder=encoder,
        device=several.describe(),
        seconds=loop.tally.seconds,
        posts_per_second=loop.tally.posts / max(loop.tally.seconds, 1e-9),
        steps=loop.tally.step,
        best_epoch=loop.tally.best_epoch,
        epochs=tuple(history),
        validation_logits=logits(encoder.model, encoder, loop.validation.tokens),
        warnings=(*warnings, *loop.tally.warnings),
    )


def label_weights(counts: Mapping[str, int], cap: float) -> NDArray[np.float64]:
    """Weight by label: the square root of how much rarer it is than the commonest, at most `cap`."""
    commonest = max(counts.values())
    return np.array([min(cap, math.sqrt(commonest / max(1, counts[label]))) for label in LABELS])


@dataclass
class _Tally:
    """How far a training is; seconds and posts over all its restarts."""

    step: int = 0
    posts: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best: float = -1.0
    micro_batch: int = 0
    warnings: list[str] = field(default_factory=list)
    history: list[Epoch] = field(default_factory=list)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "_Tally":
        return cls(**values | {"history": [Epoch(**epoch) for epoch in values["history"]]})


@dataclass(frozen=True)
class _Checkpoint:
    """A file of tensors and tally, or nothing where no path is given."""

    path: Path | None
    made_of: str
    """Hash of everything the training depends on: another training does not go on from this one."""

    def save(self, tensors: Mapping[str, torch.Tensor], tally: _Tally) -> None:
        if self.path is not None:
            facts = {"made_of": self.made_of, "tally": json.dumps(asdict(tally))}
            save_whole(tensors, self.path, facts)

    def load(self) -> tuple[dict[str, torch.Tensor], _Tally] | None:
        if self.path is None or not self.path.exists():
            return None
        tensors, facts = load_tensors(self.path)
        if facts["made_of"] != self.made_of:
            return None
        return tensors, _Tally.from_dict(json.loads(facts["tally"]))


@dataclass
class _Loop:
    """One training under way."""

    encoder: Encoder
    train: _Split
    validation: _Split
    config: TrainConfig
    processes: Processes
    progress: Progress
    checkpoint: _Checkpoint

    def __post_init__(self) -> None:
        self.device = self.processes.device
        self.model: nn.Module = self.encoder.model
        if not self.config.eight_bit:  # which lies on its GPU already
            self.model.to(self.device)
        self.steps = planned_steps(len(self.train), self.config)
        self.trained = {name: value for name, value in self.model.named_parameters() if value.requires_grad}
        self.optimizer = torch.optim.AdamW(
            self.trained.values(),
            weight_decay=self.config.weight_decay,
            fused=self.device.type
            == "cuda",  # launching its many small kernels would take longer than running them
        )
        self.rate = self.config.rate_for(self.encoder.base.hidden_size)
        self.half = half_precision(self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.half is torch.float16)
        self.pad_id = self.encoder.tokenizer.pad_token_id or 0
        self.tally = _Tally(micro_batch=self.config.batch_size)

    def run(self) -> list[Epoch]:
        """Train to the end or until it stops getting better; the model is left at its best epoch."""
        kept = self._resume()
        tally = self.tally
        began = time.monotonic() - tally.seconds
        while tally.step < self.steps and not self._is_stalled():
            loss = self._epoch(len(tally.history) + 1)
            score = self._validate()
            tally.history.append(Epoch(len(tally.history) + 1, loss, score))
            self.progress.note(epoch=len(tally.history), loss=round(loss, 4), macro_f1=score)
            if score is None or score > tally.best:
                tally.best, kept, tally.best_epoch = score or 0.0, self._copy(), len(tally.history)
            tally.seconds = time.monotonic() - began
            self._save(kept)
        with torch.no_grad():
            for name, value in self.trained.items():
                value.copy_(kept[name])
        self.model.eval()
        return tally.history

    def _epoch(self, number: int) -> float:
        """One pass over the examples; returns the mean loss."""
        self.model.train()
        rng = np.random.default_rng((self.config.seed, number))
        torch.manual_seed(int(rng.integers(2**32)) + self.processes.index)
        lengths = self.train.tokens.lengths.tolist()
        batches = training_batches(lengths, self.config.batch_size, rng)
        total, tally = torch.zeros((), device=self.device), self.tally
        for done, batch in enumerate(batches, start=1):
            total += self._step(batch)
            tally.step += 1
            tally.posts += len(batch)
            if done % STEPS_BETWEEN_LOOKS == 0 or done == len(batches) or tally.step == self.steps:
                mean = _finite(float(total) / done, number, tally.step)
                facts = {"epoch": number, "loss": round(mean, 4), **gpu_memory(self.device)}
                self.progress.step(tally.step, self.steps, **facts)
            if tally.step == self.steps:
                break
        return mean

    def _step(self, batch: NDArray[np.int64]) -> torch.Tensor:
        """One optimiser step over a batch, in as many pieces as the memory asks for; returns its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * self._share_of_rate(self.tally.step)
        while True:
            try:
                loss = self._backward(batch)
                break
            except torch.cuda.OutOfMemoryError as error:
                self._halve(error)
        loss = self.processes.add_up(self.trained.values(), loss)
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.trained.values(), LARGEST_GRADIENT)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        return loss

    def _backward(self, batch: NDArray[np.int64]) -> torch.Tensor:
        """Gradients of this process's share of the batch, on top of what is there; returns its loss."""
        share = batch[self.processes.index :: self.processes.count]
        total = torch.zeros((), device=self.device)
        for start in range(0, len(share), self.tally.micro_batch):
            piece = share[start : start + self.tally.micro_batch]
            ids, mask = self.train.tokens.padded(np.asarray(piece), self.pad_id)
            targets = torch.from_numpy(self.train.targets[piece]).to(self.device)
            half = torch.autocast(self.device.type, self.half, enabled=self.half is not None)
            with half, attention_for_any_shape():
                scores = self.model(**as_tensors(ids, mask, self.device)).logits
            loss = classification_loss(scores.float(), targets, self.config.focal_gamma) / len(batch)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def _halve(self, error: Exception) -> None:
        tally = self.tally
        if tally.micro_batch == 1:
            raise TrainerError(
                "the GPU has no room for one post; free memory or use a smaller base"
            ) from error
        self.optimizer.zero_grad()
        torch.cuda.empty_cache()
        tally.micro_batch = math.ceil(tally.micro_batch / 2)
        tally.warnings.append(
            f"the GPU ran out of memory: batches of {self.config.batch_size} went through "
            f"in pieces of {tally.micro_batch}"
        )

    def _share_of_rate(self, step: int) -> float:
        """Of the peak learning rate: a linear climb, then a linear fall to zero."""
        warmup = math.ceil(self.steps * self.config.warmup)
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return (self.steps - step) / max(1, self.steps - warmup)

    def _validate(self) -> float | None:
        if not len(self.validation):
            return None
        self.model.eval()
        predicted = logits(self.model, self.encoder, self.validation.tokens).argmax(axis=1)
        return self.processes.told_by_first(
            macro_f1(self.validation.labels, predicted, self.validation.weights)
        )

    def _is_stalled(self) -> bool:
        return (
            len(self.validation) > 0
            and self.tally.step >= self.config.min_steps
            and len(self.tally.history) - self.tally.best_epoch >= self.config.patience
        )

    def _copy(self) -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in self.trained.items()}

    def _save(self, kept: Mapping[str, torch.Tensor]) -> None:
        if not self.processes.is_first:
            return
        tensors = {f"now/{name}": value.detach() for name, value in self.trained.items()}
        tensors |= {f"best/{name}": value for name, value in kept.items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{number}/{name}": value for name, value in state.items()}
        self.checkpoint.save(tensors, self.tally)

    @torch.no_grad()
    def _resume(self) -> dict[str, torch.Tensor]:
        """Put back what `_save` took, if anything; returns the best adapter so far."""
        saved = self.checkpoint.load()
        if saved is None:
            return self._copy()
        tensors, self.tally = saved
        for name, value in self.trained.items():
            value.copy_(tensors[f"now/{name}"])
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for path, tensor in tensors.items():
            kind, _, rest = path.partition("/")
            if kind == "optimizer":
                number, name = rest.split("/")
                moments.setdefault(int(number), {})[name] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.progress.resume(self.tally.step, self.steps)
        return {name: tensors[f"best/{name}"].to(self.device) for name in self.trained}


def classification_loss(scores: torch.Tensor, targets: torch.Tensor, gamma: float) -> torch.Tensor:
    """Summed focal loss of scores against weighted soft targets, (n, 3) both; cross-entropy at gamma 0."""
    log_probabilities = scores.log_softmax(dim=1)
    if gamma:
        targets = targets * (1 - log_probabilities.exp()) ** gamma
    return -(targets * log_probabilities).sum()


def _made_of(
    encoder: Encoder, train: Sequence[Example], validation: Sequence[Example], config: TrainConfig
) -> str:
    facts = [
        config.to_dict(),
        encoder.base.fingerprint,
        list(map(asdict, train)),
        list(map(asdict, validation)),
    ]
    made_of = hashlib.sha256(json.dumps(facts).encode())
    for value in encoder.model.parameters():
        if value.requires_grad:
            made_of.update(value.detach().cpu().numpy().tobytes())
    return made_of.hexdigest()


def _check(train: Sequence[Example], validation: Sequence[Example]) -> list[str]:
    """Refuse what cannot be trained; return what should be said about the rest."""
    missing = [label for label, count in count_labels(train).items() if not count]
    if len(missing) > len(LABELS) - 2:
        raise TrainerError("the training rows hold fewer than two different labels: label more posts first")
    warnings = [f"no training rows are labelled {label}: it cannot be learned" for label in missing]
    if not validation:
        warnings.append("no validation rows: the last epoch was kept")
    elif len(validation) < STEADY_VALIDATION_ROWS:
        warnings.append(f"only {len(validation)} validation rows: the choice of the epoch is rough")
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
        weights=group_weights(examples),
    )


def _finite(loss: float, epoch: int, step: int) -> float:
    if not math.isfinite(loss):
        raise TrainerError(
            "the loss is not a number any more (epoch {epoch}, step {step}); lower learning_rate and train again",
            epoch=epoch,
            step=step,
        )
    return loss


def _own_generators(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
