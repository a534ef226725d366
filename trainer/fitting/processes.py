"""The process of a training, or the processes that `accelerate launch` started.

All hold the same adapter and process a share of each batch. Only the gradient of the adapter, a few megabytes, is
summed, so each process may choose a micro-batch for its own memory.
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
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls(default_device())
        state = PartialState(cpu=not torch.cuda.is_available())
        return cls(state.device, state.process_index, state.num_processes)

    def describe(self) -> str:
        name = device_name(self.device)
        return name if self.count == 1 else f"{self.count} x {name}"

    @property
    def is_first(self) -> bool:
        return self.index == 0

    def add_up(self, parameters: Iterable[nn.Parameter], loss: Tensor) -> Tensor:
        """All-reduce the gradients; returns the sum of the losses."""
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
        if self.count > 1:
            PartialState().wait_for_everyone()

    def value_of_first(self, value: float) -> float:
        return float(self.tensor_of_first(torch.tensor([value], dtype=torch.float64, device=self.device)))

    def tensor_of_first(self, tensor: Tensor) -> Tensor:
        """The tensor that the first process passes in; the shape and type must be equal in all."""
        if self.count == 1:
            return tensor
        received: Tensor = broadcast(tensor)
        return received
