"""A resumable run: prepare the text once, then train until the budget is spent.

Two files in the checkpoint folder hold its state: `corpus.safetensors`, written once, and `state.safetensors`
with weights, optimiser moments and tally in one file, so that they always agree.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from tokenizers import Tokenizer
from torch import Tensor

from trainer.errors import TrainerError
from trainer.fitting.checkpoint import load_tensors, save_tensors
from trainer.pretrain.batches import Batch, held_out_batches, walk_batches
from trainer.pretrain.config import PAD, DistilConfig, PretrainConfig
from trainer.pretrain.corpus import Corpus, encode_corpus, read_corpus
from trainer.pretrain.counts import count_pairs, count_vectors
from trainer.pretrain.exclusion import Exclusion, read_excluded
from trainer.pretrain.model import Pretraining, begin_from_counts, build, position_width, save_encoder
from trainer.pretrain.vocabulary import build_tokenizer, choose_tokens, count_words
from trainer.running.device import attention_for_any_shape

Report = Callable[[str], None]
Settings = PretrainConfig | DistilConfig

SECONDS_BETWEEN_LINES = 15
ARRAYS = ("starts", "ends", "files", "held_out")


@dataclass
class Tally:
    """Progress of a run. Seconds of training over all restarts; tokens of all processes, which end the run at
    `most_tokens` if that comes before the budget.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    most_tokens: int | None = None

    def spent(self, config: Settings) -> float:
        read = 0.0 if self.most_tokens is None else self.tokens / self.most_tokens
        if config.steps is not None:
            return max(read, self.step / config.steps)
        return max(read, self.seconds / (60 * config.minutes))

    def describe(self, config: Settings, loss: float) -> str:
        spent = max(self.spent(config), 1e-9)
        left = self.seconds * (1 - spent) / spent / 60
        speed = self.tokens / max(self.seconds, 1e-9)
        return f"step {self.step:,}: loss {loss:.3f}, {speed:,.0f} tokens a second, {left:.0f} minutes left"


@dataclass(frozen=True)
class Text:
    corpus: Corpus
    tokenizer: Tokenizer


@dataclass(frozen=True)
class Run:
    config: PretrainConfig
    text: Text
    model: Pretraining
    optimizer: torch.optim.AdamW
    tally: Tally


# --- text ---------------------------------------------------------------------------------------------


def prepare_text(config: PretrainConfig, report: Report) -> Text:
    exclusion = Exclusion(read_excluded(map(Path, config.exclude)))
    report("choosing the words")
    shares = count_words(
        (weight, exclusion.keep(read_corpus(Path(name)))) for name, weight in config.corpus.items()
    )
    tokenizer = build_tokenizer(choose_tokens(shares, config), shares)
    report(f"cutting the text into {tokenizer.get_vocab_size():,} tokens")
    lines = [exclusion.keep(read_corpus(Path(name))) for name in config.corpus]
    corpus = encode_corpus(tokenizer, lines, config.length - 2)
    report(f"{len(corpus.ids):,} tokens in {len(corpus.starts):,} segments")
    return Text(corpus, tokenizer)


def save_text(text: Text, config: PretrainConfig, folder: Path) -> None:
    corpus = text.corpus
    arrays = {name: getattr(corpus, name) for name in ARRAYS}
    arrays["ids"] = corpus.ids.view(f"i{corpus.ids.itemsize}")
    facts = {"tokenizer": text.tokenizer.to_str(), "config": json.dumps(asdict(config))}
    save_tensors({n: torch.from_numpy(a) for n, a in arrays.items()}, folder / "corpus.safetensors", facts)


def load_text(config: PretrainConfig, folder: Path) -> Text:
    tensors, facts = load_tensors(folder / "corpus.safetensors")
    check_same(config, facts["config"], folder)
    return read_text(tensors, facts)


def read_text(tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> Text:
    tokenizer = Tokenizer.from_str(facts["tokenizer"])
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    signed = arrays.pop("ids")
    ids = signed.view(f"u{signed.itemsize}")
    starts, ends, files, held_out = (arrays[name] for name in ARRAYS)
    corpus = Corpus(ids, starts, ends, files, held_out, tokenizer.get_vocab_size())
    return Text(corpus, tokenizer)


# --- checkpoint ---------------------------------------------------------------------------------------


def check_same(config: Settings, saved: str, folder: Path) -> None:
    """Only the budget may change when a run is resumed. Raises TrainerError."""
    then, now = json.loads(saved), json.loads(json.dumps(asdict(config)))
    changed = [name for name in now if then.get(name) != now[name] and name not in ("steps", "minutes")]
    if changed:
        raise TrainerError(
            "the checkpoint in {folder} was made with another {changed}: give the same to go on, or another --checkpoint folder to start again",
            folder=folder,
            changed=", ".join(changed),
        )


def save_state(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, tally: Tally, config: Settings, folder: Path
) -> None:
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in state.items()}
    facts = {"tally": json.dumps(asdict(tally)), "config": json.dumps(asdict(config))}
    save_tensors(tensors, folder / "state.safetensors", facts)


def load_state(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, config: Settings, folder: Path
) -> Tally:
    """Raises TrainerError where the checkpoint is of other settings."""
    saved, facts = load_tensors(folder / "state.safetensors")
    check_same(config, facts["config"], folder)
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in saved.items():
        if name.startswith("optimizer."):
            _, number, what = name.split(".")
            state.setdefault(int(number), {})[what] = tensor
    model.load_state_dict({n.removeprefix("model."): t for n, t in saved.items() if n.startswith("model.")})
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    return Tally(**json.loads(facts["tally"]))


# --- start, go on -------------------------------------------------------------------------------------


def make_optimizer(model: torch.nn.Module, config: Settings) -> torch.optim.AdamW:
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), eps=1e-6, fused=True)


def prepare(config: PretrainConfig, folder: Path, accelerator: Accelerator, report: Report) -> None:
    if not accelerator.is_main_process:
        return
    if not (folder / "corpus.safetensors").exists():
        save_text(prepare_text(config, report), config, folder)
    if not (folder / "state.safetensors").exists():
        text = load_text(config, folder)
        report("counting which tokens stand together")
        rank = config.width - position_width(config)
        counts = count_pairs(text.corpus)
        shares = torch.from_numpy(counts.sum(axis=1) / max(counts.sum(), 1.0))
        model = build(config, text.corpus.size, accelerator.device)
        begin_from_counts(model, count_vectors(counts, rank, config.seed, accelerator.device), shares)
        save_state(model, make_optimizer(model, config), Tally(), config, folder)


def begin(config: PretrainConfig, folder: Path, accelerator: Accelerator, report: Report) -> Run:
    prepare(config, folder, accelerator, report)
    accelerator.wait_for_everyone()
    text = load_text(config, folder)
    model = build(config, text.corpus.size, accelerator.device)
    optimizer = make_optimizer(model, config)
    tally = load_state(model, optimizer, config, folder)
    report(f"at step {tally.step:,}")
    return Run(config, text, model, optimizer, tally)


# --- training -----------------------------------------------------------------------------------------


def scale_rate(spent: float, warm_up: float) -> float:
    return max(0.0, min(spent / max(warm_up, 1e-9), (1 - spent) / (1 - warm_up)))


def measure(model: Pretraining, batches: list[Batch], accelerator: Accelerator) -> tuple[float, float] | None:
    """Loss (nats) and accuracy at the places, None without batches."""
    if not batches:
        return None
    loss = right = 0.0
    count = sum(len(batch.places) for batch in batches)
    with torch.inference_mode(), accelerator.autocast(), attention_for_any_shape():
        for batch in batches:
            moved = batch.to(accelerator.device)
            _, mean_loss, accuracy = model(moved.ids, moved.places, moved.masked)
            loss += mean_loss.item() * len(batch.places)
            right += accuracy.item() * len(batch.places)
    return loss / count, right / count


def describe(measured: tuple[float, float] | None) -> str:
    if measured is None:
        return "no held-out text"
    return f"held-out loss {measured[0]:.3f}, accuracy {measured[1]:.1%}"


def train(
    run: Run, out: Path, checkpoint: Path, save_every: float, accelerator: Accelerator, report: Report
) -> None:
    config, tally, corpus = run.config, run.tally, run.text.corpus
    model = accelerator.prepare_model(run.model)
    held_out = held_out_batches(corpus, config)

    def save() -> None:
        if accelerator.is_main_process:
            save_state(run.model, run.optimizer, tally, config, checkpoint)
            save_encoder(run.model.bert, run.text.tokenizer, out)
            report(
                f"saved at step {tally.step:,}, {tally.tokens:,} tokens, "
                f"{tally.seconds / 60:.1f} minutes: {describe(measure(run.model, held_out, accelerator))}"
            )
        accelerator.wait_for_everyone()

    processes, mine = accelerator.num_processes, accelerator.process_index
    last = reported = saved = time.monotonic()
    for batch in walk_batches(corpus, config, tally.step * processes + mine, processes):
        if tally.spent(config) >= 1:
            break
        loss = take_step(run, model, batch.to(accelerator.device), accelerator)
        tokens = torch.tensor([int((batch.ids != PAD).sum())], device=accelerator.device)
        tally.tokens += int(accelerator.reduce(tokens).item())
        now = time.monotonic()
        tally.seconds = share_clock(tally.seconds + now - last, accelerator)
        if accelerator.is_main_process and now - reported >= SECONDS_BETWEEN_LINES:
            reported = now
            report(tally.describe(config, loss.item()))
        if share_clock(now - saved, accelerator) >= save_every:
            save()
            saved = now = time.monotonic()
        last = now
    save()


def take_step(run: Run, model: torch.nn.Module, batch: Batch, accelerator: Accelerator) -> Tensor:
    config = run.config
    for group in run.optimizer.param_groups:
        group["lr"] = config.learning_rate * scale_rate(run.tally.spent(config), config.warm_up)
    torch.manual_seed(config.seed + run.tally.step * accelerator.num_processes + accelerator.process_index)
    with accelerator.autocast(), attention_for_any_shape():
        loss, masked_loss, _ = model(batch.ids, batch.places, batch.masked)
    run.optimizer.zero_grad()
    accelerator.backward(loss)
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    run.optimizer.step()
    run.tally.step += 1
    detached: Tensor = masked_loss.detach()
    return detached


def share_clock(seconds: float, accelerator: Accelerator) -> float:
    if accelerator.num_processes == 1:
        return seconds
    # That of the first process, so that all processes stop at one step.
    clock = torch.tensor([seconds], dtype=torch.float64, device=accelerator.device)
    return float(broadcast(clock).item())
