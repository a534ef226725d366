"""What an adapted encoder is: `adaptation.json` and README.md beside its weights."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainer.adapters.folders import ADAPTATION
from trainer.files import write_json


@dataclass(frozen=True)
class Adaptation:
    """Losses are nats of masked words in texts that were only measured, None without any; the prediction head begins
    untrained, so `loss_before` is not that of the encoder's own pre-training.
    """

    created: str
    base: str
    base_fingerprint: str
    texts: int
    measured_texts: int
    corpus_tokens: int
    tokens_read: int
    steps: int
    minutes: float
    learning_rate: float
    seed: int
    device: str
    loss_before: float | None
    loss_after: float | None
    accuracy_after: float | None
    versions: dict[str, str]

    @property
    def passes(self) -> float:
        return self.tokens_read / max(self.corpus_tokens, 1)


def write_adaptation(folder: Path, adaptation: Adaptation) -> None:
    write_json(folder / ADAPTATION, asdict(adaptation))
    (folder / "README.md").write_text(describe(adaptation), encoding="utf-8")


def read_adaptation(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / ADAPTATION).read_text(encoding="utf-8"))
    return values


def describe(done: Adaptation) -> str:
    return "\n".join(
        [
            "---",
            "library_name: transformers",
            "pipeline_tag: feature-extraction",
            "tags: [masked-language-modeling, content-moderation]",
            "---",
            "",
            "# An encoder adapted to one forum",
            "",
            f"`{done.base}` (fingerprint {done.base_fingerprint[:12]}) went on with masked words on the forum's posts "
            "without labels. It holds traces of their texts: treat it as you treat the posts.",
            "",
            "| | |",
            "|---|---|",
            f"| posts | {done.texts:,} read, {done.measured_texts:,} others only measured |",
            f"| tokens | {done.tokens_read:,} read, {done.passes:.1f} passes over {done.corpus_tokens:,} |",
            f"| training | {done.minutes:.1f} minutes, {done.steps:,} steps on {done.device}, peak rate "
            f"{done.learning_rate:g}, seed {done.seed} |",
            f"| masked loss of the measured posts | {_figures(done)} |",
            "",
            "The prediction head begins untrained, so the loss before is that of the encoder with such a head. "
            "Posts of validation, test and audit took no part.",
            "",
        ]
    )


def _figures(done: Adaptation) -> str:
    if done.loss_before is None or done.loss_after is None or done.accuracy_after is None:
        return "none were measured"
    return f"{done.loss_before:.3f} before, {done.loss_after:.3f} after (accuracy {done.accuracy_after:.1%})"
