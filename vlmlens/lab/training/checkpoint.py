"""Where a run stands, in one file that is either whole or not there: weights, optimiser, step.

Chance needs no saving: it is a function of seed and step (see `loop`).
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vlmlens.errors import UserError
from vlmlens.lab.training.loop import Trainer
from vlmlens.lab.training.plan import Plan, PlanError

FORMAT = 1


class CheckpointError(UserError):
    """A checkpoint cannot be read or written; says why."""


def write(path: Path, content: bytes) -> None:
    """A whole file or the one before it: written beside, forced to the disk, then put in its place.

    Raises CheckpointError where the disk is full or cannot be written to; what was there stays.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise CheckpointError(
            f"{path.name} could not be written to {path.parent}: {error.strerror or error}. What was saved before is "
            "intact; make room and resume."
        ) from error


def save_checkpoint(path: Path, trainer: Trainer) -> None:
    """Raises CheckpointError as `write` does."""
    tensors: dict[str, Tensor] = {f"model.{name}": p.detach() for name, p in trainer.trained.items()}
    tensors |= {f"model.{name}": buffer for name, buffer in trainer.model.named_buffers()}
    for name, parameter in trainer.trained.items():
        state = trainer.optimiser.state.get(parameter, {})  # nothing yet of what no loss has reached
        tensors |= {f"optimiser.{key}.{name}": value for key, value in state.items()}
    tensors = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    told = {
        "format": FORMAT,
        "plan": trainer.plan.to_dict(),
        "step": trainer.step,
        "seconds": trainer.seconds,
        "digest": digest(tensors),
    }
    write(path, save(tensors, {"vlmlens": json.dumps(told)}))


def load_checkpoint(path: Path, plan: Plan | None = None, every: int | None = None) -> Trainer:
    """The run as it stood. Raises CheckpointError for a damaged file, or one of another plan than the one expected."""
    damaged = f"The checkpoint {path.name} in {path.parent.name} is damaged; delete the run, or start it anew."
    try:
        with safe_open(path, "pt") as file:
            told = json.loads((file.metadata() or {}).get("vlmlens", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no {path.name} in {path.parent.name}; start the run anew.") from error
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(damaged) from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise CheckpointError(f"{path.name} is no checkpoint that this version of vlmlens wrote.")
    if told.get("digest") != digest(tensors):
        raise CheckpointError(damaged)
    try:
        own = Plan.from_dict(told["plan"])
    except PlanError as error:
        raise CheckpointError(f"{path.name} holds a plan that cannot be carried out: {error}") from error
    if plan is not None and own != plan:
        raise CheckpointError(f"{path.name} belongs to another run: {difference(own, plan)}.")
    trainer = Trainer(own, every)
    try:
        restore(trainer, tensors)
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(f"{path.name} does not fit the model of its plan; start the run anew.") from error
    trainer.step, trainer.seconds = int(told["step"]), float(told["seconds"])
    return trainer


def restore(trainer: Trainer, tensors: Mapping[str, Tensor]) -> None:
    """Raises KeyError or RuntimeError where a tensor is missing or has another shape."""
    with torch.no_grad():
        for name, target in [*trainer.trained.items(), *trainer.model.named_buffers()]:
            same_shape(tensors[f"model.{name}"], target)
            target.copy_(tensors[f"model.{name}"])
    for name, parameter in trainer.trained.items():
        state: dict[str, Any] = {}
        for key in ("step", "exp_avg", "exp_avg_sq"):
            found = tensors.get(f"optimiser.{key}.{name}")
            if found is not None:
                if key != "step":
                    same_shape(found, parameter)
                state[key] = found.clone()
        if state:
            trainer.optimiser.state[parameter] = state


def same_shape(found: Tensor, wanted: Tensor) -> None:
    if found.shape != wanted.shape:
        raise RuntimeError(f"{tuple(found.shape)} in place of {tuple(wanted.shape)}")


def difference(own: Plan, wanted: Plan) -> str:
    """The first thing in which two plans differ, in words."""
    one, other = own.to_dict(), wanted.to_dict()
    key = next(key for key in one if one[key] != other[key])
    return f"its {key} is {one[key]}, not {other[key]}"


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Of names, shapes and every bit."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
