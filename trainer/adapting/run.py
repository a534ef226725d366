"""Going on with the pre-training of an encoder on a project's own texts: a resumable run.

Text, masks, objective and checkpoint are those of `trainer.pretrain`. Its two files in the checkpoint folder are written
once (`corpus.safetensors`) and from time to time (`state.safetensors`).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from trainer.adapters.card import installed_versions
from trainer.adapters.folders import base_fingerprint
from trainer.adapting.card import Adaptation, write_adaptation
from trainer.adapting.encoder import MaskedEncoder, load_masked, save_masked
from trainer.errors import DatasetError, TrainerError
from trainer.files import new_folder
from trainer.pretrain.batches import Batch, held_out_batches, walk_batches
from trainer.pretrain.config import PretrainConfig
from trainer.pretrain.corpus import Corpus, encode_corpus, is_held_out, read_corpus
from trainer.pretrain.model import RARE, Pretraining
from trainer.pretrain.run import (
    Run,
    Tally,
    Text,
    load_state,
    load_text,
    make_optimizer,
    measure,
    save_state,
    save_text,
    take_step,
)
from trainer.running.device import device_name
from trainer.running.progress import Progress

MINUTES = 7.0
BATCH_TOKENS = 2_048
MOST_PASSES = 10
"""Over the texts: a GPU would read a small pool hundreds of times in a few minutes, and learn it by heart."""
MEASURED_ONE_IN = 50
"""Texts that are only measured: by hash, so that copies are too."""
RATE, RATE_WIDTH = 5e-4, 256
"""The rate measured on a small encoder of this width; larger ones get less, by the square of their width."""


@dataclass(frozen=True)
class Adapting:
    """`before` is the loss of the measured texts before any step, None without such texts."""

    run: Run
    base: Path
    name: str
    measured: Sequence[Batch]
    before: float | None


def settings(
    corpus: Sequence[Path],
    *,
    minutes: float = MINUTES,
    steps: int | None = None,
    learning_rate: float = 0.0,
    seed: int = 0,
) -> PretrainConfig:
    """A learning rate of 0 follows the width of the encoder."""
    files = {str(path): 1.0 for path in corpus}
    return PretrainConfig(
        corpus=files,
        cap=1.0,
        steps=steps,
        minutes=minutes,
        seed=seed,
        batch_tokens=BATCH_TOKENS,
        learning_rate=learning_rate,
    )


def begin(
    config: PretrainConfig, base: Path, name: str, checkpoint: Path, accelerator: Accelerator
) -> Adapting:
    """Prepare the run or resume the one in `checkpoint`.

    Raises EncoderError if the base cannot be adapted, DatasetError if there is no text to train on, TrainerError if
    the checkpoint is of another base or of other settings.
    """
    torch.manual_seed(config.seed)
    masked = load_masked(base, name, accelerator.device)
    config = replace(
        config,
        base=base_fingerprint(base),
        length=masked.length,
        learning_rate=config.learning_rate or usual_rate(masked.model.config.hidden_size),
    )
    text = _read_text(config, masked, checkpoint)
    model = _make_model(config, masked, text.corpus).to(accelerator.device)
    tally = Tally(most_tokens=MOST_PASSES * _tokens_to_read(text.corpus))
    run = Run(config, text, model, make_optimizer(model, config), tally)
    measured = held_out_batches(text.corpus, config)
    before = _loss(run, measured, accelerator)
    if (checkpoint / "state.safetensors").exists():
        run = replace(run, tally=load_state(model, run.optimizer, config, checkpoint))
    return Adapting(run, base, name, measured, None if before is None else before[0])


def usual_rate(width: int) -> float:
    return RATE * min(1.0, (RATE_WIDTH / width) ** 2)


def go_on(
    adapting: Adapting,
    checkpoint: Path,
    accelerator: Accelerator,
    progress: Progress,
    *,
    save_every: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Train until the budget is spent or the texts are read MOST_PASSES times. `save_every` is in seconds."""
    run, config, tally = adapting.run, adapting.run.config, adapting.run.tally
    run.model.train()
    progress.resume(*_amount(tally, config))
    last = saved = clock()
    for batch in walk_batches(run.text.corpus, config, tally.step, 1):
        if tally.spent(config) >= 1:
            break
        loss = take_step(run, run.model, batch.to(accelerator.device), accelerator)
        now = clock()
        tally.tokens += int((batch.ids != run.text.corpus.special.pad).sum())
        tally.seconds += now - last
        if now - saved >= save_every:
            _save(run, checkpoint)
            saved = now
        progress.step(*_amount(tally, config), loss=round(loss.item(), 3))
        last = now
    _save(run, checkpoint)


def finish(adapting: Adapting, out: Path, accelerator: Accelerator) -> Adaptation:
    """Write the encoder, its tokenizer and its card to the new folder `out`. Raises TrainerError for weights that are not finite."""
    run, tally = adapting.run, adapting.run.tally
    if not all(bool(weights.isfinite().all()) for weights in run.model.parameters()):
        raise TrainerError(
            "the weights are not finite after {steps} steps, so nothing was written; adapt with a lower --learning-rate",
            steps=tally.step,
        )
    after = _loss(run, adapting.measured, accelerator)
    corpus, config = run.text.corpus, run.config
    texts, measured = _count_texts(config)
    adaptation = Adaptation(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        base=adapting.name,
        base_fingerprint=config.base,
        texts=texts,
        measured_texts=measured,
        corpus_tokens=_tokens_to_read(corpus),
        tokens_read=tally.tokens,
        steps=tally.step,
        minutes=round(tally.seconds / 60, 2),
        learning_rate=config.learning_rate,
        seed=config.seed,
        device=device_name(accelerator.device),
        loss_before=adapting.before,
        loss_after=None if after is None else after[0],
        accuracy_after=None if after is None else after[1],
        versions=installed_versions(),
    )
    with new_folder(out) as folder:
        save_masked(run.model.bert, adapting.base, folder)
        write_adaptation(folder, adaptation)
    return adaptation


def _save(run: Run, checkpoint: Path) -> None:
    save_state(run.model, run.optimizer, run.tally, run.config, checkpoint)


def _read_text(config: PretrainConfig, masked: MaskedEncoder, checkpoint: Path) -> Text:
    if not (checkpoint / "corpus.safetensors").exists():
        lines = [read_corpus(Path(name)) for name in config.corpus]
        corpus = encode_corpus(masked.tokenizer, lines, config.length - 2, MEASURED_ONE_IN)
        save_text(Text(corpus, masked.tokenizer), config, checkpoint)
    text = load_text(config, checkpoint)
    if text.corpus.held_out.all():
        raise DatasetError("the corpus is too small: none of its texts is left to train on")
    return replace(text, corpus=replace(text.corpus, special=masked.special))


def _make_model(config: PretrainConfig, masked: MaskedEncoder, corpus: Corpus) -> Pretraining:
    """The prediction head begins as the identity before its activation."""
    model = Pretraining(masked.model, config.summary_weight, masked.special.pad)
    trained = np.repeat(~corpus.held_out, corpus.lengths)
    counts = np.bincount(corpus.ids[trained], minlength=len(model.content))
    shares = torch.from_numpy(counts / max(counts.sum(), 1)).float()
    with torch.no_grad():
        model.dense.weight.copy_(torch.eye(len(model.dense.weight)))
        model.dense.bias.zero_()
        model.content.copy_(RARE / (RARE + shares))
    return model


def _loss(run: Run, batches: Sequence[Batch], accelerator: Accelerator) -> tuple[float, float] | None:
    run.model.eval()  # without dropout
    return measure(run.model, list(batches), accelerator)


def _amount(tally: Tally, config: PretrainConfig) -> tuple[int, int]:
    """Done and in total: in steps if they are the budget, else in seconds. MOST_PASSES may end a run sooner."""
    total = config.steps or max(1, round(60 * config.minutes))
    return min(int(tally.spent(config) * total + 1e-6), total), total


def _tokens_to_read(corpus: Corpus) -> int:
    """In one pass, with the first and last token of each row, as `Tally` counts."""
    return int((corpus.lengths[~corpus.held_out] + 2).sum())


def _count_texts(config: PretrainConfig) -> tuple[int, int]:
    """Texts trained on, and texts only measured."""
    flags = [is_held_out(line, MEASURED_ONE_IN) for name in config.corpus for line in read_corpus(Path(name))]
    return len(flags) - sum(flags), sum(flags)
