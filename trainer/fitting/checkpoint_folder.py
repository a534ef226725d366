"""Checkpoints to resume a training from: a folder of `checkpoint-STEP` folders, each written atomically.

The layout is that of `transformers.Trainer`. Parameters, moments and metadata are in one safetensors file, where the
Trainer pickles the optimizer, scheduler and generators.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from trainer.fitting.checkpoint import load_tensors, save_tensors

FILE = "training.safetensors"


@dataclass(frozen=True)
class Saved:
    folder: Path
    tensors: Mapping[str, Tensor]
    """Keyed by "kind/name"."""
    facts: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "Saved":
        tensors, facts = load_tensors(folder / FILE)
        return cls(folder, tensors, {name: json.loads(fact) for name, fact in facts.items()})

    def of(self, kind: str) -> dict[str, Tensor]:
        start = f"{kind}/"
        return {
            name.removeprefix(start): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(start)
        }


@dataclass(frozen=True)
class CheckpointFolder:
    """The newest checkpoint of a training. Without a path nothing is saved."""

    path: Path | None
    inputs_hash: str
    """Hash of everything that the training depends on; a checkpoint with another hash is ignored."""

    def save(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], state: TrainerState) -> None:
        if self.path is None:
            return
        beside = self.path / "partial"
        shutil.rmtree(beside, ignore_errors=True)
        written = {name: json.dumps(fact) for name, fact in facts.items()}
        save_tensors(tensors, beside / FILE, written | {"made_of": json.dumps(self.inputs_hash)})
        state.save_to_json(str(beside / TRAINER_STATE_NAME))
        target = self.path / f"checkpoint-{state.global_step}"
        shutil.rmtree(target, ignore_errors=True)  # another training's
        beside.rename(target)
        for folder in self._all():
            if folder != target:
                shutil.rmtree(folder)

    def newest(self) -> Saved | None:
        if self.path is None:
            return None
        if self.path.is_file():  # of a version in which checkpoints were files
            self.path.unlink(missing_ok=True)
        # Others stay until this training saves its own: several processes call this at once.
        saved = map(Saved.read, self._all())
        return next((one for one in saved if one.facts["made_of"] == self.inputs_hash), None)

    def _all(self) -> list[Path]:
        """Newest first."""
        assert self.path is not None
        folders = {file.parent for file in self.path.glob(f"checkpoint-*/{FILE}")}
        return sorted(folders, key=lambda folder: int(folder.name.rpartition("-")[2]), reverse=True)
