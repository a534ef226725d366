"""Merge an adapter into its base for a serving backend: a plain `transformers` folder, optionally with ONNX.

    python -m trainer.merge --model DIR --out DIR [--onnx]

The calibration becomes part of the classifier's last layer, so that the softmax of the logits equals the
adapter's calibrated probabilities; this is verified before the folder is renamed.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from trainer.adapters.card import FILE, Card, calibration_in_words
from trainer.adapters.encoder import load_adapter, quiet
from trainer.errors import AdapterError, TrainerError
from trainer.files import new_folder, refuse_existing, sha256_of, write_json
from trainer.labels import LABELS
from trainer.running import command
from trainer.running.device import leave_a_core
from trainer.running.terminal import printable
from trainer.scoring.eight_bit import write_onnx
from trainer.scoring.scorer import Scorer

SCHEMA = "merged/1"
TOLERANCE = 1e-4
TEXTS = ("今天天气真好", "加我微信领红包，名额有限！", "你再说一遍试试", "ABC abc 123", "好" * 600)
"""Texts on which the merged model is verified; the last one is truncated."""


def merge(model: Path, out: Path, *, is_onnx: bool = False) -> float:
    """Returns the largest difference of a probability on TEXTS.

    Raises AdapterError if the adapter cannot be merged, TrainerError if the merged model differs from it.
    """
    refuse_existing(out)
    adapter = load_adapter(model)
    expected = Scorer(adapter, device="cpu").probabilities(TEXTS)
    network, tokenizer = adapter.encoder.model, adapter.encoder.tokenizer
    _calibrate(network, adapter.card, model)
    tokenizer.model_max_length = min(tokenizer.model_max_length, adapter.card.config.max_length)
    with new_folder(out) as part:
        with quiet():
            network.save_pretrained(part)  # type: ignore[operator]
            tokenizer.save_pretrained(part)
        served = served_probabilities(part, TEXTS)
        gaps = [float(np.abs(served - expected).max())]
        if is_onnx:
            _write_onnx(part)
            gaps.append(float(np.abs(onnx_probabilities(part, TEXTS) - expected).max()))
        if max(gaps) > TOLERANCE:
            raise TrainerError(
                "{model}: merged, it differs from the adapter by {gap}; nothing was written",
                model=model,
                gap=f"{max(gaps):.1e}",
            )
        files = {path.name: sha256_of(path) for path in sorted(part.iterdir())}
        card = {"schema": SCHEMA, "adapter": adapter.card.to_dict(), "files": files, "difference": max(gaps)}
        write_json(part / FILE, card)
        (part / "README.md").write_text(_readme(adapter.card, is_onnx=is_onnx), encoding="utf-8")
    return max(gaps)


def served_probabilities(folder: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """(n, 3) in LABELS order, computed with transformers only, as a backend would."""
    with quiet():
        network = AutoModelForSequenceClassification.from_pretrained(folder)  # nosec B615 # a local folder
        network.eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)  # nosec B615 # a local folder
    with torch.inference_mode():
        logits = [
            network(**tokenizer(text, truncation=True, return_tensors="pt")).logits.softmax(-1)
            for text in texts
        ]
    columns = [network.config.label2id[label] for label in LABELS]
    probabilities: NDArray[np.float32] = torch.cat(logits).numpy()[:, columns]
    return probabilities


def onnx_probabilities(folder: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(folder)  # nosec B615 # a local folder
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    labels = AutoModelForSequenceClassification.from_pretrained(folder).config.label2id  # nosec B615 # a local folder
    rows = []
    for text in texts:
        tokens = tokenizer(text, truncation=True, return_tensors="np")
        logits = session.run(["logits"], {name: tokens[name].astype(np.int64) for name in names})[0]
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        rows.append(shifted / shifted.sum(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = np.concatenate(rows)[:, [labels[label] for label in LABELS]]
    return probabilities


def _calibrate(network: nn.Module, card: Card, folder: Path) -> None:
    """Fold temperature and bias into the last layer. Raises AdapterError if it has no bias for them."""
    last = [
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear)
        and module.out_features == len(card.labels)
        and {"classifier", "score"} & set(name.split("."))
    ]
    calibration = card.calibration
    bias = torch.tensor([calibration.bias[label] for label in card.labels])
    if len(last) != 1 or (last[0].bias is None and bias.any()):
        raise AdapterError(
            "{folder}: its last layer cannot carry the calibration, so it cannot be merged", folder=folder
        )
    with torch.no_grad():
        last[0].weight /= calibration.temperature
        if last[0].bias is not None:
            last[0].bias.copy_(last[0].bias / calibration.temperature + bias)


def _write_onnx(folder: Path) -> None:
    with quiet():
        network = AutoModelForSequenceClassification.from_pretrained(folder)  # nosec B615 # a local folder
        network.eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)  # nosec B615 # a local folder
    write_onnx(network, tokenizer, folder / "model.onnx")


def _readme(card: Card, *, is_onnx: bool) -> str:
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: text-classification",
        "language: [zh]",
        "tags: [content-moderation]",
        "---",
        "",
        "# Forum moderation classifier",
        "",
        f"`{card.base.name}` with its LoRA adapter of {card.created[:10]} added in, telling {', '.join(card.labels)} "
        "apart.",
        "",
        f"- {calibration_in_words(card.calibration)} The calibration is part of the last layer: plain softmax gives the "
        "probabilities.",
        f"- Texts are cut at {card.config.max_length} tokens: pass `truncation=True`.",
        "- Meant to order posts for people to look at, not to decide about people by itself.",
        f"- `{FILE}` holds the adapter's own card and the hash of every file.",
        "",
        "```python",
        "from transformers import pipeline",
        "",
        'classify = pipeline("text-classification", "THIS_FOLDER", top_k=None)',
        'classify("...", truncation=True)',
        "```",
        "",
    ]
    if is_onnx:
        lines += ["`model.onnx` is the same for ONNX Runtime; its output `logits` wants a softmax.", ""]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command.parser("trainer.merge", "Add an adapter into its base, for a serving backend.")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="adapter folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder")
    parser.add_argument("--onnx", action="store_true", help="write model.onnx too")
    command.add_child_arguments(parser)
    return command.run(_merge, parser.parse_args(arguments))


def _merge(options: argparse.Namespace) -> None:
    leave_a_core()
    gap = merge(options.model, options.out, is_onnx=options.onnx)
    print(f"{printable(str(options.out))}: the same as the adapter to {gap:.1e}")


if __name__ == "__main__":
    sys.exit(main())
