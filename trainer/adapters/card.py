"""card.json beside every adapter: what it is and everything that is needed to reproduce it."""

import json
import math
import platform
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

from trainer.adapters.kinds import refuse_wrong_kinds
from trainer.config import TrainConfig
from trainer.errors import AdapterError, TrainerError
from trainer.files import write_json
from trainer.labels import LABELS
from trainer.statistics.calibration import Calibration, FittedOn

SCHEMA = 1
FILE = "card.json"
MOST_BYTES = 10_000_000
PACKAGES = ("torch", "transformers", "peft", "tokenizers", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Base:
    name: str
    """As configured ("starter", a hub name or a path), so that a project can move."""
    fingerprint: str
    """SHA-256 over configuration, weights and tokenizer."""
    model_type: str
    hidden_size: int
    layers: int


@dataclass(frozen=True)
class DataFile:
    file: str
    rows: int
    sha256: str
    labels: dict[str, int]


@dataclass(frozen=True)
class Epoch:
    epoch: int
    loss: float
    macro_f1: float | None
    """On the validation rows; None without any."""


@dataclass(frozen=True)
class Card:
    created: str
    base: Base
    labels: tuple[str, ...]
    """In the order of the adapter's outputs, which may differ from `LABELS`."""
    config: TrainConfig
    data: dict[str, DataFile]
    """By name: train, validation."""
    seed: int
    versions: dict[str, str]
    device: str
    seconds: float
    posts_per_second: float
    best_epoch: int
    epochs: tuple[Epoch, ...]
    calibration: Calibration
    validation: dict[str, Any] | None
    """Metrics on the validation rows. Optimistic: these rows also chose the epoch and the calibration."""
    warnings: tuple[str, ...]
    files: dict[str, str]
    """SHA-256 by name of every other file of the adapter except its README."""

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Card":
        """Inverse of `to_dict`. Raises KeyError, TypeError or ValueError for other input."""
        facts = {name: value for name, value in values.items() if name != "schema"}
        facts["base"] = Base(**facts["base"])
        facts["labels"] = tuple(str(label) for label in facts["labels"])
        facts["config"] = TrainConfig.from_dict(facts["config"])
        facts["data"] = {name: DataFile(**file) for name, file in facts["data"].items()}
        facts["epochs"] = tuple(Epoch(**epoch) for epoch in facts["epochs"])
        validation = facts["data"].get("validation")
        facts["calibration"] = _calibration(facts["calibration"], validation.rows if validation else 0)
        facts["warnings"] = tuple(facts["warnings"])
        facts["files"] = {str(name): str(sha256) for name, sha256 in facts["files"].items()}
        card = cls(**facts)
        for part in (card, card.base, *card.data.values(), *card.epochs):
            refuse_wrong_kinds(part)
        if card.validation is not None and not _is_score(card.validation["macro_f1"]):
            raise TypeError("macro_f1 is no number")
        return card


def read_card(folder: Path) -> Card:
    """Raises AdapterError if the card is missing or unreadable."""
    path = folder / FILE
    if not folder.is_dir():
        raise AdapterError("{folder}: no such adapter folder", folder=folder)
    if not path.is_file():
        raise AdapterError(
            "{folder}: {name} is missing, so this is not an adapter of ours; train one",
            folder=folder,
            name=FILE,
        )
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"larger than {MOST_BYTES:,} bytes")
        values = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(values, ensure_ascii=False, allow_nan=False).encode()  # as it is written again
        schema = values["schema"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise AdapterError(
            "{path}: not a readable card ({error}); restore it or train again", path=path, error=error
        ) from error
    if schema != SCHEMA:
        raise AdapterError(
            "{path}: schema {schema}, this version reads {ours}; update or train again",
            path=path,
            schema=repr(schema),
            ours=SCHEMA,
        )
    try:
        return Card.from_dict(values)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, TrainerError) as error:
        raise AdapterError(
            "{path}: not a readable card ({error}); restore it or train again", path=path, error=error
        ) from error


def write_card(folder: Path, card: Card) -> None:
    write_json(folder / FILE, card.to_dict())
    (folder / "README.md").write_text(model_card(card), encoding="utf-8")


def installed_versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}


def model_card(card: Card) -> str:
    rows = {name: file.rows for name, file in card.data.items()}
    macro_f1 = card.validation["macro_f1"] if card.validation else None
    measured = "not measured (no validation rows)" if macro_f1 is None else f"{macro_f1:.3f}"
    lines = [
        "---",
        "library_name: peft",
        "pipeline_tag: text-classification",
        "tags: [lora, content-moderation]",
        "---",
        "",
        "# Forum moderation adapter",
        "",
        f"LoRA adapter over `{card.base.name}` ({card.base.model_type}, {card.base.layers} layers of "
        f"{card.base.hidden_size}), telling {', '.join(card.labels)} apart.",
        "",
        f"- Trained {card.created} on {rows.get('train', 0)} posts ({card.device}, {card.seconds:.0f} s).",
        f"- Macro-F1 on {rows.get('validation', 0)} validation posts: {measured}. These rows chose the epoch "
        "and, as far as it has one, the calibration; judge the adapter by a test set.",
        f"- {calibration_in_words(card.calibration)}",
        "- Meant to order posts for people to look at, not to decide about people by itself.",
        "- `card.json` holds the settings, the hashes of the data and the calibration.",
        *(f"- Warning: {warning}." for warning in card.warnings),
        "",
        "```",
        "python -m trainer.predict --model THIS_FOLDER --text '...'",
        "```",
        "",
    ]
    return "\n".join(lines)


def calibration_in_words(calibration: Calibration) -> str:
    match calibration.fitted_on:
        case "nothing":
            return "Its confidences are not calibrated."
        case "validation":
            return f"Its confidences are calibrated on {calibration.rows:,} validation posts."
        case "out-of-fold":
            return (
                f"Its confidences are calibrated on {calibration.rows:,} posts, the training posts among them "
                "by models that had not seen these (out of fold), as there are few validation posts: they are rough."
            )


def _is_score(value: Any) -> bool:
    return value is None or (isinstance(value, float) and 0 <= value <= 1)


def _calibration(values: dict[str, Any], validation_rows: int) -> Calibration:
    """Cards of the first version lack `rows`; those were calibrated on all their validation rows."""
    temperature, bias = float(values["temperature"]), {str(k): float(v) for k, v in values["bias"].items()}
    if (
        not 0 < temperature < math.inf
        or set(bias) != set(LABELS)
        or not all(map(math.isfinite, bias.values()))
    ):
        raise ValueError("calibration needs a temperature above zero and a bias for every label")
    calibration = Calibration(temperature, bias)
    if "fitted_on" not in values:
        if calibration == Calibration.identity():
            return calibration
        return replace(calibration, fitted_on="validation", rows=validation_rows)
    if values["fitted_on"] not in get_args(FittedOn):
        raise ValueError(f"calibration fitted on {values['fitted_on']!r} is not known")
    return replace(calibration, fitted_on=values["fitted_on"], rows=int(values["rows"]))
