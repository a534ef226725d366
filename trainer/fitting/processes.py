"""One process, or the several that `accelerate launch` started.

All hold the same adapter and take a share of each batch; what is added up is the gradient of the adapter, which
is a few megabytes. So each process may cut its own share as small as its own memory asks.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from accelerate import PartialState
from accelerate.utils import broadcast, reduce
from torch import Tensor, nn

from trainer.running.device import default_device, device_name


@dataclass(frozen=True)
class Processes:
    device: torch.device
    index: int = 0
    count: int = 1

    @classmethod
    def current(cls) -> "Processes":
        """This process and those started with it."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls(default_device())
        state = PartialState(cpu=not torch.cuda.is_available())
        return cls(state.device, state.process_index, state.num_processes)

    def describe(self) -> str:
        """What is computed on, such as "2 x NVIDIA A10"."""
        name = device_name(self.device)
        return name if self.count == 1 else f"{self.count} x {name}"

    @property
    def is_first(self) -> bool:
        return self.index == 0

    def add_up(self, parameters: Iterable[nn.Parameter], loss: Tensor) -> Tensor:
        """Give every process the sum of all gradients; returns the sum of the losses."""
        if self.count == 1:
            return loss
        mine = list(parameters)
        grads = [torch.zeros_like(value) if value.grad is None else value.grad for value in mine]
        summed: Tensor = reduce(torch.cat([*(grad.flatten() for grad in grads), loss.flatten()]), "sum")
        at = 0
        for value in mine:
            value.grad = summed[at : at + value.numel()].view_as(value)
            at += value.numel()
        return summed[at]

    def wait(self) -> None:
        """Go on when all have come this far."""
        if self.count > 1:
            PartialState().wait_for_everyone()

    def told_by_first(self, value: float) -> float:
        """The first process's value, so that all decide alike."""
        if self.count == 1:
            return value
        told: Tensor = broadcast(torch.tensor([value], dtype=torch.float64, device=self.device))
        return float(told.item())
