"""Where a model computes, and how precisely."""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch

from vlmlens.errors import ModelError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
SHORT = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
BITS = {"8bit": 8, "4bit": 4}
CHOICES = ("auto", *DTYPES, *BITS)


@dataclass(frozen=True)
class Precision:
    """What weights are kept in and computed in; with `bits` linear maps are kept in fewer, by bitsandbytes."""

    dtype: torch.dtype
    bits: int | None = None

    def __str__(self) -> str:
        return f"{self.bits}bit" if self.bits else str(self.dtype).removeprefix("torch.")

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize


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


def pick_precision(dtype: str, device: torch.device) -> Precision | None:
    """The precision of this name; None for "auto", see `fit.choose`. Raises ModelError with what to install."""
    name = SHORT.get(dtype, dtype)
    if name not in CHOICES:
        raise ModelError(f"There is no dtype “{dtype}”; use {', '.join((*CHOICES, *SHORT))}.")
    if name == "auto":
        return None
    if name in DTYPES:
        return Precision(DTYPES[name])
    if device.type != "cuda":
        raise ModelError(f"{name} needs a CUDA GPU, and this would load on {device.type}; use bfloat16 there.")
    if lacks := bitsandbytes_lacks():
        raise ModelError(f"{name} needs packages that are not here: `pip install {lacks}`, then start again.")
    return Precision(torch.bfloat16, BITS[name])


def bitsandbytes_lacks() -> str:
    """The packages that are missing for 8 and 4 bits, by name; "" where all are here."""
    return " ".join(name for name in ("bitsandbytes", "accelerate") if find_spec(name) is None)


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
