"""Scoring the sample posts against the usual way: padded to 128 tokens, 32 at a time, adapter unmerged."""

import json
import time
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from trainer import train
from trainer.config import LABELS
from trainer.folders import resolve_base
from trainer.scorer import Scorer

POSTS = 1_500


def measure(folder: Path) -> tuple[str, str, str, str]:
    """Posts per second of both ways with the starter encoder and the same adapter."""
    sample = (
        (Path(__file__).parents[2] / "data" / "sample" / "posts.tsv")
        .read_text(encoding="utf-8")
        .split("\n")[1:-1]
    )
    texts = [line.split("\t")[1] for line in sample][:POSTS]
    adapter = _adapter(folder, texts)
    ours, usual = _ours(adapter, texts), _usual(adapter, texts)
    return (
        "score, posts/s (CPU, fp32)",
        f"{ours:,.0f}",
        f"{usual:,.0f} (padded to 128)",
        f"{ours / usual:.1f}x",
    )


def _adapter(folder: Path, texts: list[str]) -> Path:
    rows = [
        {"text": text, "label": LABELS[number % 3], "id": str(number), "group": str(number)}
        for number, text in enumerate(texts[:48])
    ]
    for name in ("train", "eval"):
        (folder / f"{name}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
        )
    (folder / "config.json").write_text(
        json.dumps({"max_epochs": 1, "min_steps": 1, "max_steps": 2}), encoding="utf-8"
    )
    files = ["--train", folder / "train.jsonl", "--eval", folder / "eval.jsonl", "--out", folder / "adapter"]
    status = train.main(
        [*map(str, files), "--config", str(folder / "config.json"), "--progress", str(folder / "progress")]
    )
    assert status == 0
    return folder / "adapter"


def _ours(adapter: Path, texts: list[str]) -> float:
    scorer = Scorer.load(adapter, device="cpu")
    scorer.probabilities(texts[:64])
    begin = time.perf_counter()
    scorer.probabilities(texts)
    return len(texts) / (time.perf_counter() - begin)


@torch.inference_mode()
def _usual(adapter: Path, texts: list[str]) -> float:
    base = resolve_base("starter")
    tokenizer = AutoTokenizer.from_pretrained(base)
    plain = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=len(LABELS), dtype=torch.float32
    )
    model = PeftModel.from_pretrained(plain, str(adapter)).eval()
    begin = time.perf_counter()
    for start in range(0, len(texts), 32):
        batch = tokenizer(
            texts[start : start + 32],
            padding="max_length",
            max_length=128,
            truncation=True,
            return_tensors="pt",
        )
        model(**batch).logits.softmax(-1)
    return len(texts) / (time.perf_counter() - begin)
