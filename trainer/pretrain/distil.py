"""Teach an encoder what a sentence is about: its vectors follow those of a larger sentence encoder.

python -m trainer.pretrain.distil --base models/starter --taught taught.safetensors --out models/taught --minutes 60

`taught.safetensors` comes from `trainer.pretrain.teacher`. The command resumes after a kill; its checkpoint is one file,
`OUT.checkpoint/state.safetensors`.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from tokenizers import Tokenizer
from torch import Tensor
from transformers import BertModel

from trainer.errors import TrainerError
from trainer.pretrain.config import PAD, DistilConfig
from trainer.pretrain.distillation import Distilling, begin_heads
from trainer.pretrain.model import RARE, save_encoder
from trainer.pretrain.run import (
    SECONDS_BETWEEN_LINES,
    Report,
    Tally,
    load_state,
    make_optimizer,
    save_state,
    scale_rate,
)
from trainer.pretrain.taught import Taught, TaughtBatch, held_out_taught, load_taught, walk_taught
from trainer.running import command
from trainer.running.device import attention_for_any_shape, default_device, has_bf16


@dataclass(frozen=True)
class DistilRun:
    config: DistilConfig
    taught: Taught
    tokenizer: Tokenizer
    model: Distilling
    optimizer: torch.optim.AdamW
    tally: Tally


def load_base(folder: Path, device: torch.device) -> tuple[BertModel, Tokenizer]:
    """Raises TrainerError for a folder without a BERT encoder and its tokenizer."""
    try:
        bert = BertModel.from_pretrained(  # nosec B615 # a local folder
            folder,
            local_files_only=True,
            dtype=torch.float32,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            attn_implementation="eager" if device.type == "cpu" else "sdpa",
        )
        return bert, Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:
        raise TrainerError(
            "{folder}: not a BERT encoder with its tokenizer ({error})", folder=folder, error=error
        ) from error


def begin(config: DistilConfig, folder: Path, device: torch.device) -> DistilRun:
    bert, tokenizer = load_base(Path(config.base), device)
    taught = load_taught(Path(config.taught), tokenizer, config.length)
    torch.manual_seed(config.seed)
    model = Distilling(bert, taught.vectors.shape[1], config).to(device)
    begin_heads(model)
    counts = np.bincount(taught.corpus.ids, minlength=taught.corpus.size)
    model.words.content.copy_(RARE / (RARE + torch.from_numpy(counts / counts.sum())))
    optimizer, tally = make_optimizer(model, config), Tally()
    if (folder / "state.safetensors").exists():
        tally = load_state(model, optimizer, config, folder)
    return DistilRun(config, taught, tokenizer, model, optimizer, tally)


def move(batch: TaughtBatch, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    ids, places, masked, vectors = (t.to(device) for t in vars(batch).values())
    return ids, places, masked, vectors


def take_step(run: DistilRun, batch: TaughtBatch, accelerator: Accelerator) -> Tensor:
    config = run.config
    for group in run.optimizer.param_groups:
        group["lr"] = config.learning_rate * scale_rate(run.tally.spent(config), config.warm_up)
    with accelerator.autocast(), attention_for_any_shape():
        loss, _, distance = run.model(*move(batch, accelerator.device))
    run.optimizer.zero_grad()
    accelerator.backward(loss)
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    run.optimizer.step()
    run.tally.step += 1
    run.tally.tokens += int((batch.ids != PAD).sum())
    detached: Tensor = distance.detach()
    return detached


def measure(run: DistilRun, batches: Sequence[TaughtBatch], accelerator: Accelerator) -> str:
    if not batches:
        return "no held-out text"
    masked = distance = 0.0
    places, rows = sum(len(batch.places) for batch in batches), sum(len(batch.ids) for batch in batches)
    with torch.inference_mode(), accelerator.autocast(), attention_for_any_shape():
        for batch in batches:
            _, some_masked, some_distance = run.model(*move(batch, accelerator.device))
            masked += some_masked.item() * len(batch.places)
            distance += some_distance.item() * len(batch.ids)
    return f"held-out masked loss {masked / places:.3f}, cosine to the teacher {1 - distance / rows:.3f}"


def train(
    run: DistilRun, out: Path, checkpoint: Path, save_every: float, accelerator: Accelerator, report: Report
) -> None:
    config, tally, held_out = run.config, run.tally, held_out_taught(run.taught, run.config)

    def save() -> None:
        save_state(run.model, run.optimizer, tally, config, checkpoint)
        save_encoder(run.model.bert, run.tokenizer, out)
        minutes = tally.seconds / 60
        report(
            f"saved at step {tally.step:,}, {tally.tokens:,} tokens, {minutes:.1f} minutes: {measure(run, held_out, accelerator)}"
        )

    last = reported = saved = time.monotonic()
    for batch in walk_taught(run.taught, config, tally.step):
        if tally.spent(config) >= 1:
            break
        distance = take_step(run, batch, accelerator)
        now = time.monotonic()
        tally.seconds += now - last
        if now - reported >= SECONDS_BETWEEN_LINES:
            reported = now
            report(tally.describe(config, distance.item()))
        if now - saved >= save_every:
            save()
            saved = now = time.monotonic()
        last = now
    save()


def make_parser() -> argparse.ArgumentParser:
    parser = command.parser(
        "trainer.pretrain.distil", "Teach an encoder by a larger sentence encoder's vectors."
    )
    add, default = parser.add_argument, DistilConfig()
    add("--base", required=True, metavar="FOLDER", help="the encoder to begin from")
    add("--taught", required=True, metavar="FILE", help="lines and vectors, from trainer.pretrain.teacher")
    add("--out", type=Path, required=True, help="folder of the encoder")
    add("--checkpoint", type=Path, help="folder to go on from (default: OUT.checkpoint)")
    add("--save-every", type=float, default=5, metavar="MINUTES", help="default: 5")
    add("--cpu", action="store_true", help="leave a GPU alone")
    add("--threads", type=int, default=0, help="of the processor (default: torch decides)")
    add(
        "--precision",
        choices=("auto", "bf16", "fp32"),
        default="auto",
        help="auto: bf16 on a GPU that has it",
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, default=default.minutes, help="of training (default: 60)")
    budget.add_argument("--steps", type=int)
    for name in ("seed", "length", "batch_tokens", "pool"):
        add(f"--{name.replace('_', '-')}", type=int, default=getattr(default, name))
    for name in ("learning_rate", "mask_rate", "masked_weight", "likeness_weight"):
        add(f"--{name.replace('_', '-')}", type=float, default=getattr(default, name))
    return parser


def distil(arguments: argparse.Namespace) -> None:
    given = vars(arguments)
    config = DistilConfig(**{name: given[name] for name in asdict(DistilConfig()) if name in given})
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    pays = not arguments.cpu and has_bf16(default_device())
    use_bf16 = arguments.precision == "bf16" or (arguments.precision == "auto" and pays)
    accelerator = Accelerator(cpu=arguments.cpu, mixed_precision="bf16" if use_bf16 else "no")
    checkpoint = arguments.checkpoint or arguments.out.with_name(arguments.out.name + ".checkpoint")
    report = partial(print, flush=True)
    run = begin(config, checkpoint, accelerator.device)
    report(f"at step {run.tally.step:,}, {len(run.taught.vectors):,} lines")
    train(run, arguments.out, checkpoint, 60 * arguments.save_every, accelerator, report)


def main(argv: Sequence[str] | None = None) -> int:
    return command.run(distil, make_parser().parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
