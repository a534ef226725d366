"""What a killed training goes on from: a folder of `checkpoint-STEP` folders, each whole or absent.

The layout is that of `transformers.Trainer`, the contents are not: parameters, moments and facts are one safetensors
file, where the Trainer pickles the optimizer, the scheduler and the generators.
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

from trainer.fitting.checkpoint import load_tensors, save_whole

FILE = "training.safetensors"


@dataclass(frozen=True)
class Saved:
    """One checkpoint, as read from its folder."""

    folder: Path
    tensors: Mapping[str, Tensor]
    """By "kind/name"."""
    facts: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "Saved":
        tensors, facts = load_tensors(folder / FILE)
        return cls(folder, tensors, {name: json.loads(fact) for name, fact in facts.items()})

    def of(self, kind: str) -> dict[str, Tensor]:
        """Tensors of one kind, by name."""
        start = f"{kind}/"
        return {
            name.removeprefix(start): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(start)
        }


@dataclass(frozen=True)
class CheckpointFolder:
    """The newest checkpoint of one training, or nothing where no path is given."""

    path: Path | None
    made_of: str
    """Hash of everything the training depends on: another training does not go on from this one."""

    def save(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], state: TrainerState) -> None:
        """Written beside, then renamed: a kill leaves the old checkpoint or the new one, never half of one."""
        if self.path is None:
            return
        beside = self.path / "partial"
        shutil.rmtree(beside, ignore_errors=True)
        written = {name: json.dumps(fact) for name, fact in facts.items()}
        save_whole(tensors, beside / FILE, written | {"made_of": json.dumps(self.made_of)})
        state.save_to_json(str(beside / TRAINER_STATE_NAME))
        whole = self.path / f"checkpoint-{state.global_step}"
        shutil.rmtree(whole, ignore_errors=True)  # another training's
        beside.rename(whole)
        for folder in self._all():
            if folder != whole:
                shutil.rmtree(folder)

    def newest(self) -> Saved | None:
        """Of this training; others are left alone until it saves its own, for several processes ask at once."""
        if self.path is None:
            return None
        if self.path.is_file():  # as written before checkpoints were folders
            self.path.unlink(missing_ok=True)
        saved = map(Saved.read, self._all())
        return next((one for one in saved if one.facts["made_of"] == self.made_of), None)

    def _all(self) -> list[Path]:
        """The newest first."""
        assert self.path is not None
        folders = {file.parent for file in self.path.glob(f"checkpoint-*/{FILE}")}
        return sorted(folders, key=lambda folder: int(folder.name.rpartition("-")[2]), reverse=True)
