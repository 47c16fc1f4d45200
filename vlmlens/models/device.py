"""Where a model computes, and how precisely."""

import os
from pathlib import Path

import torch

from vlmlens.errors import ModelError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
SHORT = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def pick_device(device: str) -> torch.device:
    """The device of this name; for "auto" CUDA, then MPS, then the CPU. Raises ModelError."""
    if device != "auto":
        try:
            return torch.empty(0, device=device).device
        except (RuntimeError, AssertionError) as error:
            raise ModelError(f"There is no device “{device}” here; use auto, cpu, cuda or mps.") from error
    return devices()[0]


def devices() -> list[torch.device]:
    """Those of this machine, the fastest first."""
    found = [torch.device("cuda", number) for number in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append(torch.device("mps"))
    return [*found, torch.device("cpu")]


def pick_dtype(dtype: str) -> torch.dtype | None:
    """The precision of this name; None for "auto", see `fit.choose_dtype`. Raises ModelError."""
    name = SHORT.get(dtype, dtype)
    if name not in DTYPES and name != "auto":
        raise ModelError(f"There is no dtype “{dtype}”; use auto, {', '.join((*SHORT, *DTYPES))}.")
    return DTYPES.get(name)


def free_memory(device: torch.device) -> int | None:
    """Bytes that a process could still have; None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        told = Path("/proc/meminfo").read_text()
        return int(told.partition("MemAvailable:")[2].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None
