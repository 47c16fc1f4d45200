"""Will it fit? What a model's weights take at a precision, against what is free, before anything is loaded."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from vlmlens.errors import ModelError
from vlmlens.models.device import free_memory

SPARE = 1.15  # of the weights: what a pass of one question needs beside them, roughly
GIB = 2**30


@dataclass(frozen=True)
class Fit:
    """One precision on one device. Weights only; a long prompt or many tiles need more than is spared here."""

    parameters: int
    dtype: str
    device: str
    needed: int  # bytes
    free: int | None  # bytes; None where the system does not say

    @property
    def fits(self) -> bool:
        return self.free is None or SPARE * self.needed <= self.free

    def sentence(self) -> str:
        free = "" if self.free is None else f"; {self.free / GIB:.1f} GiB are free"
        return (
            f"{self.parameters / 1e9:.2f} billion parameters take {self.needed / GIB:.1f} GiB in {self.dtype} on "
            f"{self.device}{free}"
        )


def fit(parameters: int, device: torch.device, dtype: torch.dtype) -> Fit:
    name = str(dtype).removeprefix("torch.")
    return Fit(parameters, name, str(device), parameters * dtype.itemsize, free_memory(device))


def count_parameters(config: Any, kind: Any = AutoModelForImageTextToText) -> int:
    """How many a model of this class has, counted without making them."""
    make = getattr(kind, "from_config", None) or kind._from_config  # the automatic classes', or any other's
    with torch.device("meta"):
        shell = make(copy.deepcopy(config))  # it changes its config
    return sum(parameter.numel() for parameter in shell.parameters())


def choose_dtype(
    config: Any, device: torch.device, asked: torch.dtype | None, kind: Any = AutoModelForImageTextToText
) -> torch.dtype:
    """The precision to load in: the one that was asked for, else float32 on a CPU that has room, else the stored one.

    Raises:
        ModelError: it does not fit; with the numbers, and what would.
    """
    stored = getattr(config, "dtype", None) or getattr(config.get_text_config(), "dtype", None) or torch.float32
    wanted = [asked] if asked is not None else [torch.float32, stored] if device.type == "cpu" else [stored]
    parameters = count_parameters(config, kind)
    for dtype in wanted:
        last = fit(parameters, device, dtype)
        if last.fits:
            return dtype
    small = last.dtype == "float32" and fit(parameters, device, torch.bfloat16).fits
    way_out = "dtype bfloat16 would fit" if small else "take a smaller model, another device, or free some memory"
    raise ModelError(f"It will not fit: {last.sentence()}; {way_out}.")
