"""Training of an adapter on labelled examples, with the loop of `transformers.Trainer`.

Only checkpoints are read or written, on request, after each epoch. Random draws depend only on seed and epoch, so a
resumed training ends with the weights of an unbroken one.
"""

import hashlib
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from transformers import TrainingArguments

from trainer.adapters.card import Epoch
from trainer.adapters.encoder import Encoder, build
from trainer.config import STEADY_VALIDATION_ROWS, TrainConfig, planned_steps
from trainer.errors import TrainerError
from trainer.fitting.adapter_trainer import AdapterTrainer, Validation, release
from trainer.fitting.checkpoint_folder import CheckpointFolder
from trainer.fitting.epochs import STEPS_BETWEEN_LOOKS, Epochs, Tally, copied
from trainer.fitting.probed_head import probe_head
from trainer.fitting.processes import Processes
from trainer.labels import LABELS
from trainer.running.device import half_precision
from trainer.running.progress import Progress
from trainer.scoring.scorer import logits
from trainer.texts.dataset import Example, count_labels, group_weights
from trainer.texts.tokens import tokenise

LARGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class Fit:
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


def fit(
    train: Sequence[Example],
    validation: Sequence[Example],
    config: TrainConfig,
    *,
    progress: Progress,
    processes: Processes | None = None,
    start: Encoder | None = None,
    checkpoint: Path | None = None,
    report_to: str = "none",
) -> Fit:
    """Train an adapter, up to the best epoch on the validation rows; without these, the last epoch.

    `start` is an unmerged encoder to train further, in place, instead of a new adapter. `checkpoint` is a folder that
    is written after each epoch, resumed from if it belongs to this training, and deleted by the caller. `report_to`
    names a tracker of transformers, such as "tensorboard". Raises TrainerError with fewer than two labels, or if the
    loss is not finite.
    """
    warnings = _check(train, validation)
    several = processes or Processes.current()
    with _isolated_generators(several.device):
        torch.manual_seed(config.seed)
        encoder = start or build(config)
        checkpoints = CheckpointFolder(checkpoint, _inputs_hash(encoder, train, validation, config))
        held_out = _validation(encoder, validation, config)
        rows = _rows(encoder, train, config)
        if not config.eight_bit:  # an 8-bit model is on its GPU already
            encoder.model.to(several.device)
        if config.probed_head and start is None and checkpoints.newest() is None:
            probe_head(encoder, rows, processes=several, seed=config.seed)
        tally = _run(encoder, rows, held_out, config, several, progress, checkpoints, report_to)
    return Fit(
        encoder=encoder,
        device=several.describe(),
        seconds=tally.seconds,
        posts_per_second=tally.posts / max(tally.seconds, 1e-9),
        steps=tally.step,
        best_epoch=tally.best_epoch,
        epochs=tuple(tally.history),
        validation_logits=logits(encoder.model, encoder, held_out.tokens),
        warnings=(*warnings, *tally.warnings),
    )


def label_weights(counts: Mapping[str, int], cap: float) -> NDArray[np.float64]:
    """(3,) the square root of the commonest label's count over that of the label, at most `cap`."""
    commonest = max(counts.values())
    return np.array([min(cap, math.sqrt(commonest / max(1, counts[label]))) for label in LABELS])


def _run(
    encoder: Encoder,
    rows: Dataset,
    validation: Validation,
    config: TrainConfig,
    processes: Processes,
    progress: Progress,
    checkpoints: CheckpointFolder,
    report_to: str,
) -> Tally:
    model = encoder.model
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    steps, saved = planned_steps(len(rows), config), checkpoints.newest()
    tally = Tally.from_dict(saved.facts["tally"]) if saved else Tally(micro_batch=config.batch_size)
    best = copied(trained)
    if saved:
        best = saved.of("best")
        progress.resume(tally.step, steps)
    epochs = Epochs(tally, trained, best, config=config, progress=progress, processes=processes)
    if not tally.is_over(steps, config):
        with _arguments(config, steps, checkpoints.path, processes, report_to) as arguments:
            trainer = AdapterTrainer(
                encoder,
                arguments,
                rows,
                validation,
                config,
                trained=trained,
                epochs=epochs,
                checkpoints=checkpoints,
                processes=processes,
            )
            trainer.train(resume_from_checkpoint=str(saved.folder) if saved else None)
            release(model)
    with torch.no_grad():
        for name, value in trained.items():
            value.copy_(epochs.best[name])
    model.eval()
    return tally


@contextmanager
def _arguments(
    config: TrainConfig, steps: int, folder: Path | None, processes: Processes, report_to: str
) -> Iterator[TrainingArguments]:
    """The Trainer requires a folder even if nothing is saved."""
    half = half_precision(processes.device)
    with TemporaryDirectory() as unused:
        yield TrainingArguments(
            output_dir=str(folder or unused),
            per_device_train_batch_size=config.batch_size,
            max_steps=steps,
            max_grad_norm=LARGEST_GRADIENT,
            seed=config.seed % 2**32,
            use_cpu=processes.device.type == "cpu",
            bf16=half is torch.bfloat16,
            fp16=half is torch.float16,
            eval_strategy="epoch",
            save_strategy="no" if folder is None else "epoch",
            logging_strategy="no" if report_to == "none" else "steps",
            logging_steps=STEPS_BETWEEN_LOOKS,
            logging_nan_inf_filter=False,  # it synchronises the GPU at each step; `Epochs` checks at intervals
            report_to=report_to,
            remove_unused_columns=False,
            dataloader_pin_memory=processes.device.type == "cuda",
            ddp_find_unused_parameters=False,
            ddp_broadcast_buffers=False,
            disable_tqdm=True,
            log_level="error",
            log_level_replica="error",
        )


def _inputs_hash(
    encoder: Encoder, train: Sequence[Example], validation: Sequence[Example], config: TrainConfig
) -> str:
    facts = [
        config.to_dict(),
        encoder.base.fingerprint,
        list(map(asdict, train)),
        list(map(asdict, validation)),
    ]
    inputs_hash = hashlib.sha256(json.dumps(facts).encode())
    for value in encoder.model.parameters():
        if value.requires_grad:
            inputs_hash.update(value.detach().cpu().numpy().tobytes())
    return inputs_hash.hexdigest()


def _check(train: Sequence[Example], validation: Sequence[Example]) -> list[str]:
    """Warnings about the rows. Raises TrainerError with fewer than two labels."""
    missing = [label for label, count in count_labels(train).items() if not count]
    if len(missing) > len(LABELS) - 2:
        raise TrainerError("the training rows hold fewer than two different labels: label more posts first")
    warnings = [f"no training rows are labelled {label}: it cannot be learned" for label in missing]
    if not validation:
        warnings.append("no validation rows: the last epoch was kept")
    elif len(validation) < STEADY_VALIDATION_ROWS:
        warnings.append(f"only {len(validation)} validation rows: the choice of the epoch is rough")
    return warnings


def _rows(encoder: Encoder, examples: Sequence[Example], config: TrainConfig) -> Dataset:
    """Columns: token ids, their number, and targets (3,) times the weights of label and row."""
    targets = np.array([example.target for example in examples])
    targets = targets * label_weights(count_labels(examples), config.max_label_weight)
    targets *= group_weights(examples)[:, None]
    targets /= targets.sum() / len(examples)  # the mean loss does not depend on the scale of the weights
    tokens = tokenise(encoder.tokenizer, [example.text for example in examples], config.max_length)
    ids = np.split(tokens.values[0], tokens.starts[1:])
    return Dataset.from_dict(
        {
            "input_ids": [row.tolist() for row in ids],
            "length": tokens.lengths.tolist(),
            "targets": targets.tolist(),
        }
    )


def _validation(encoder: Encoder, examples: Sequence[Example], config: TrainConfig) -> Validation:
    return Validation(
        tokenise(encoder.tokenizer, [example.text for example in examples], config.max_length),
        [example.label for example in examples],
        group_weights(examples),
    )


@contextmanager
def _isolated_generators(device: torch.device) -> Iterator[None]:
    python, arrays = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
