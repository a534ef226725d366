"""`transformers.Trainer` for an adapter: weighted soft labels, batches of similar length, micro-batches that fit memory.

The Trainer provides the loop, mixed precision and resuming. Differences from its defaults:

- Every process draws the whole batch and keeps a share of it, where accelerate would give each process a batch of its
  own. Gradients are summed once per step instead of by DDP during the backward pass, so each process may choose a
  micro-batch for its own memory.
- Random draws depend only on seed and epoch, so no generator state is saved.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from trainer.adapters.encoder import Encoder
from trainer.config import TrainConfig
from trainer.errors import TrainerError
from trainer.fitting.checkpoint_folder import CheckpointFolder, Saved
from trainer.fitting.epochs import MACRO_F1, Epochs
from trainer.fitting.length_batches import LengthGroupedBatches
from trainer.fitting.processes import Processes
from trainer.running.device import attention_for_any_shape
from trainer.scoring.scorer import logits
from trainer.statistics.metrics import macro_f1
from trainer.texts.tokens import Tokens

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Validation:
    tokens: Tokens
    labels: list[str]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Collator:
    """Pads this process's share of a batch.

    Targets are divided by the rows of the whole batch: its mean loss is the sum over micro-batches and processes.
    """

    pad_id: int
    processes: Processes

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> Batch:
        share = rows[self.processes.index :: self.processes.count]
        lengths = np.array([row["length"] for row in share], dtype=np.int64)
        is_text = np.arange(lengths.max(initial=0)) < lengths[:, None]
        ids = np.full(is_text.shape, self.pad_id, dtype=np.int64)
        ids[is_text] = [token for row in share for token in row["input_ids"]]
        targets = np.array([row["targets"] for row in share], dtype=np.float32) / len(rows)
        arrays = {"input_ids": ids, "targets": targets}
        if not is_text.all():  # without a mask attention is faster
            arrays["attention_mask"] = is_text.astype(np.int64)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


class AdapterTrainer(Trainer):
    def __init__(
        self,
        encoder: Encoder,
        arguments: TrainingArguments,
        rows: Dataset,
        validation: Validation,
        config: TrainConfig,
        *,
        trained: Mapping[str, nn.Parameter],
        epochs: Epochs,
        checkpoints: CheckpointFolder,
        processes: Processes,
    ) -> None:
        self.encoder, self.rows, self.validation, self.config = encoder, rows, validation, config
        self.trained, self.epochs, self.checkpoints, self.processes = trained, epochs, checkpoints, processes
        arguments._n_gpu = min(1, arguments.n_gpu)  # several GPUs take several processes
        self.adamw = torch.optim.AdamW(
            trained.values(),
            lr=config.rate_for(encoder.base.hidden_size),
            weight_decay=config.weight_decay,
            fused=processes.device.type
            == "cuda",  # launching its many small kernels takes longer than running them
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.adamw, lambda step: share_of_rate(step, arguments.max_steps, config.warmup)
        )
        super().__init__(
            model=encoder.model,
            args=arguments,
            data_collator=Collator(encoder.tokenizer.pad_token_id or 0, processes),
            train_dataset=rows,
            eval_dataset=validation,
            optimizers=(self.adamw, self.schedule),
            callbacks=[epochs],
        )
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(
            self.rows,
            batch_sampler=LengthGroupedBatches(self.rows["length"], self.args.train_batch_size),
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
            generator=torch.Generator(),  # leaves the generator of dropout alone
        )

    def training_step(
        self, model: nn.Module, inputs: Batch, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        while True:
            try:
                loss = self._in_micro_batches(model, inputs)
                break
            except torch.cuda.OutOfMemoryError as error:
                self._halve(error)
        loss = self.processes.add_up(self.trained.values(), loss)
        self.epochs.add(loss)
        return loss

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        outputs = model(**{name: tensor for name, tensor in inputs.items() if name != "targets"})
        loss = classification_loss(outputs.logits.float(), inputs["targets"], self.config.focal_gamma)
        return (loss, outputs) if return_outputs else loss

    def compute_loss_context_manager(self) -> ExitStack:
        contexts: ExitStack = super().compute_loss_context_manager()
        contexts.enter_context(attention_for_any_shape())
        return contexts

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Macro-F1 of the validation rows, in full precision as in scoring; empty without rows."""
        metrics: dict[str, float] = {}
        if len(self.validation):
            self.encoder.model.eval()
            with _without_autocast(self.encoder.model):
                scores = logits(self.encoder.model, self.encoder, self.validation.tokens)
            score = macro_f1(self.validation.labels, scores.argmax(axis=1), self.validation.weights)
            metrics[MACRO_F1] = self.processes.value_of_first(score)
            self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def floating_point_ops(self, inputs: Batch) -> int:
        return 0  # counting would walk all modules at every step

    def _in_micro_batches(self, model: nn.Module, inputs: Batch) -> torch.Tensor:
        total = torch.zeros((), device=self.args.device)
        size = self.epochs.tally.micro_batch
        for start in range(0, len(inputs["targets"]), size):
            micro_batch = {name: tensor[start : start + size] for name, tensor in inputs.items()}
            with self.accelerator.no_sync(model):
                total += super().training_step(model, micro_batch)
        return total

    def _halve(self, error: Exception) -> None:
        tally = self.epochs.tally
        if tally.micro_batch == 1:
            raise TrainerError(
                "the GPU has no room for one post; free memory or use a smaller base"
            ) from error
        self.adamw.zero_grad()
        torch.cuda.empty_cache()
        tally.micro_batch = math.ceil(tally.micro_batch / 2)
        tally.warnings.append(
            f"the GPU ran out of memory: batches of {self.config.batch_size} went through "
            f"in pieces of {tally.micro_batch}"
        )

    def _prepare_inputs(self, inputs: Batch) -> Batch:
        return {name: tensor.to(self.args.device, non_blocking=True) for name, tensor in inputs.items()}

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        if not self.processes.is_first:
            return
        tensors = {f"now/{name}": value.detach() for name, value in self.trained.items()}
        tensors |= {f"best/{name}": value for name, value in self.epochs.best.items()}
        for number, moments in self.adamw.state_dict()["state"].items():
            tensors |= {f"optimizer/{number}/{name}": value for name, value in moments.items()}
        facts = {"tally": self.epochs.tally.to_dict(), "scheduler": self.schedule.state_dict()}
        if self.accelerator.scaler is not None:
            facts["scaler"] = self.accelerator.scaler.state_dict()
        self.checkpoints.save(tensors, facts, self.state)

    @torch.no_grad()
    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """Loads the parameters and the scaler too: they are in the same file."""
        if checkpoint is None:
            return
        saved = Saved.read(Path(checkpoint))
        for name, tensor in saved.of("now").items():
            self.trained[name].copy_(tensor)
        moments: dict[int, Batch] = {}
        for path, tensor in saved.of("optimizer").items():
            number, _, name = path.partition("/")
            moments.setdefault(int(number), {})[name] = tensor
        groups = self.adamw.state_dict()["param_groups"]
        self.adamw.load_state_dict({"state": moments, "param_groups": groups})
        self.schedule.load_state_dict(saved.facts["scheduler"])
        for group, rate in zip(self.adamw.param_groups, self.schedule.get_last_lr(), strict=True):
            group["lr"] = rate
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(saved.facts["scaler"])

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        """Does nothing: see `_load_optimizer_and_scheduler`."""

    def _load_scaler(self, checkpoint: str | None) -> None:
        """Does nothing: see `_load_optimizer_and_scheduler`."""

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Does nothing: random draws depend only on seed and epoch."""


def share_of_rate(step: int, steps: int, warmup: float) -> float:
    """Fraction of the peak learning rate: linear warm-up over the share `warmup` of the steps, then linear decay to zero."""
    climb = math.ceil(steps * warmup)
    if step < climb:
        return (step + 1) / (climb + 1)
    return (steps - step) / max(1, steps - climb)


def classification_loss(scores: torch.Tensor, targets: torch.Tensor, gamma: float) -> torch.Tensor:
    """Summed focal loss of scores against weighted soft targets, (n, 3) both; cross-entropy at gamma 0."""
    log_probabilities = scores.log_softmax(dim=1)
    if gamma:
        targets = targets * (1 - log_probabilities.exp()) ** gamma
    return -(targets * log_probabilities).sum()


def release(model: nn.Module) -> None:
    """Remove the wrappers of accelerate, so that the model scores in full precision and can be trained again."""
    for name in ("forward", "_original_forward", "_is_accelerate_prepared"):
        model.__dict__.pop(name, None)


@contextmanager
def _without_autocast(model: nn.Module) -> Iterator[None]:
    wrapped = model.__dict__.pop("forward", None)
    try:
        yield
    finally:
        if wrapped is not None:
            model.forward = wrapped
