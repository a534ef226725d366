"""The device to compute on, and its precision."""

import os
from contextlib import AbstractContextManager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

GIB = 2**30


def default_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def gpu_memory(device: torch.device) -> dict[str, float]:
    """GiB in use by all programs, and in total; empty on a CPU."""
    if device.type != "cuda":
        return {}
    free, total = torch.cuda.mem_get_info(device)
    return {"gpu_used": round((total - free) / GIB, 1), "gpu_total": round(total / GIB, 1)}


def has_bf16(device: torch.device) -> bool:
    # On a CPU, or emulated, bf16 is not faster than fp32.
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def half_precision(device: torch.device) -> torch.dtype | None:
    if device.type != "cuda":
        return None
    return torch.bfloat16 if has_bf16(device) else torch.float16


def attention_for_any_shape() -> AbstractContextManager[None]:
    # Without cuDNN, which builds a plan per batch shape; batches have a hundred lengths.
    kernels = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    return sdpa_kernel(kernels)


def leave_a_core() -> None:
    """Leave one CPU core to other processes, unless OMP_NUM_THREADS is set.

    The web app needs it while a round runs. It is also faster: threads synchronise after every operation, so
    one thread on a shared core delays all (two threads on two busy cores: 5 to 16 times slower than one).
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) - 1)))
